"""What is known of metrics from the results there are: mean, spread and pace of the control."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assay.core.database import ReadSession
from assay.experiments import repository
from assay.experiments.models import Experiment
from assay.experiments.schemas import BaselineIn
from assay.jobs import service as jobs

RESULTS = "results"
LOOKED_AT = 50
SHORTEST = timedelta(hours=12)
AA_TAGS = frozenset({"aa", "a/a"})


@dataclass(frozen=True, slots=True)
class Baseline:
    """How a metric behaves where nothing is changed.

    Attributes:
        source: Where it is from: `given`, or the key of an experiment.
        units_per_day: New units a day in that experiment, None when not known.
    """

    metric: str
    mean: float
    variance: float
    source: str
    units_per_day: float | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How many new units come.

    Attributes:
        source: Who says so, as a sentence goes on with it.
    """

    units_per_day: float
    source: str


@dataclass(frozen=True, slots=True)
class PastTrial:
    """An earlier comparison of the same with the same.

    Attributes:
        findings: Metrics in which it found a difference at 1 % of false alarms.
        is_skewed: Its sample ratio was off.
    """

    experiment: str
    findings: tuple[str, ...]
    is_skewed: bool


class _Part(BaseModel):
    # A stored result says much more, and later versions of it more still.
    model_config = ConfigDict(extra="ignore")


class _Arm(_Part):
    arm: str
    units: int
    mean: float | None = None
    standard_deviation: float | None = None


class _Comparison(_Part):
    p_value: float | None = None


class _Metric(_Part):
    metric: str
    arms: list[_Arm]
    comparisons: list[_Comparison] = Field(default_factory=list[_Comparison])


class _Units(_Part):
    units: int


class _Ratio(_Part):
    suspicious: bool = False


class _Result(_Part):
    control: str
    arms: list[_Units]
    metrics: list[_Metric]
    sample_ratio: _Ratio = Field(default_factory=_Ratio)


async def baselines(tx: ReadSession, experiment: Experiment, wanted: Collection[str]) -> dict[str, Baseline]:
    """What the newest result that measures a metric says of its control, by metric."""
    found: dict[str, Baseline] = {}
    for row in await repository.newest_of(tx, experiment.project_id, limit=LOOKED_AT):
        if set(wanted) <= found.keys():
            break
        if (known := await _latest(tx, row)) is not None:
            result, at = known
            found = {each.metric: each for each in _baselines(row, result, at)} | found
    return {metric: baseline for metric, baseline in found.items() if metric in wanted}


async def newest_trial(tx: ReadSession, experiment: Experiment) -> PastTrial | None:
    """The newest experiment tagged `aa` that has a result."""
    for row in await repository.newest_of(tx, experiment.project_id, limit=LOOKED_AT):
        if AA_TAGS.isdisjoint(row.tags) or row.id == experiment.id:
            continue
        if (known := await _latest(tx, row)) is not None:
            return _trial(row.key, known[0])
    return None


async def _latest(tx: ReadSession, row: Experiment) -> tuple[_Result, datetime] | None:
    known = await jobs.latest_result(tx, kind=RESULTS, subject=str(row.id))
    if known is None:
        return None
    task, found = known
    try:
        # Before there were records the document was all that was kept.
        return _Result.model_validate(found.get("document", found)), task.finished_at or task.created_at
    except ValidationError:
        # Of another version, whose figures we do not know how to read.
        return None


def _baselines(row: Experiment, result: _Result, at: datetime) -> Iterator[Baseline]:
    pace = _pace(row, sum(arm.units for arm in result.arms), at)
    for metric in result.metrics:
        control = next((arm for arm in metric.arms if arm.arm == result.control), None)
        if control is not None and control.mean is not None and control.standard_deviation:
            variance = control.standard_deviation**2
            yield Baseline(metric.metric, control.mean, variance, row.key, pace)


def _pace(row: Experiment, units: int, at: datetime) -> float | None:
    if row.started_at is None:
        return None
    lasted = min(row.ended_at or at, at) - row.started_at
    return units / (lasted / timedelta(days=1)) if lasted >= SHORTEST and units else None


def _trial(key: str, result: _Result) -> PastTrial:
    alarms = 0.01
    findings = tuple(
        metric.metric
        for metric in result.metrics
        if any(each.p_value is not None and each.p_value < alarms for each in metric.comparisons)
    )
    return PastTrial(key, findings, result.sample_ratio.suspicious)


def merged(given: Mapping[str, BaselineIn], known: Mapping[str, Baseline]) -> dict[str, Baseline]:
    """What is given, and beside it what is known."""
    said = {metric: Baseline(metric, each.mean, each.variance, "given") for metric, each in given.items()}
    return {**known, **said}
