"""Planning with what is known: duration, methods and their cost, and the checks that need data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio.to_thread

from assay.core.config import Settings
from assay.core.database import ReadSession
from assay.experiments import arriving, past, readiness, service
from assay.experiments.advice import Option, advised, days_for
from assay.experiments.checks import Check, Level
from assay.experiments.errors import NotComputable
from assay.experiments.models import Experiment
from assay.experiments.past import Baseline, Pace
from assay.experiments.plan import AlwaysValid, Bayesian, Fixed, GroupSequential, Method, Plan
from assay.experiments.schemas import (
    NeedOut,
    OptionOut,
    PowerOut,
    PowerRequest,
    RecommendationOut,
    RecommendationRequest,
)
from assay.experiments.switching import window_count
from assay.metrics import service as metrics
from assay.metrics.definition import event_names
from assay.projects import service as projects

if TYPE_CHECKING:
    from assay.experiments.sizing import Cost, Need

T = TypeVar("T")
RECENTLY = timedelta(days=28)
GIVEN = "given"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the events themselves tell where nothing else does.

    Attributes:
        metrics: By key, those that no result measures.
        traffic: How many units came lately, whatever they were counted for.
    """

    metrics: Mapping[str, Baseline]
    traffic: Pace | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """What only the events can tell.

    Attributes:
        metrics: Goals and guardrails that no result and no given figure tells of.
        has_pace: Whether somebody else knows how many units come.
        environment: Where the experiment runs.
    """

    metrics: Sequence[str]
    has_pace: bool
    environment: str


async def power(tx: ReadSession, project_key: str, key: str, asked: PowerRequest, *, seen: Seen) -> PowerOut:
    """How long a plan must run to find what it looks for.

    Raises:
        NotComputable: Nothing is known of a metric, or a goal has no smallest effect.
    """
    experiment = await service.row_of(tx, project_key, key)
    plan, known, pace = await _known(tx, experiment, asked, seen)
    return await _computed(partial(_power, experiment, plan, known, pace))


async def recommend(
    tx: ReadSession, project_key: str, key: str, asked: RecommendationRequest, *, seen: Seen
) -> RecommendationOut:
    """What each method costs for this plan, and which one fits the traffic and the deadline.

    Raises:
        NotComputable: As `power`; or nobody says how many units a day there are.
    """
    experiment = await service.row_of(tx, project_key, key)
    plan, known, pace = await _known(tx, experiment, asked, seen)
    if pace is None:
        raise NotComputable(
            "no earlier experiment and no recent event tells how many units arrive; give `units_per_day`",
            value="units_per_day",
        )
    return await _computed(partial(_recommend, experiment, plan, known, pace, asked))


async def unknown(tx: ReadSession, project_key: str, key: str, asked: PowerRequest) -> Unknown:
    """What of a plan neither a result nor a given figure tells."""
    experiment = await service.row_of(tx, project_key, key)
    service.state_of(experiment)
    plan = service.plan_of(experiment)
    sized = [*(goal.metric for goal in plan.goals), *(rail.metric for rail in plan.guardrails)]
    found = await past.baselines(tx, experiment, set(sized))
    known = asked.baselines.keys() | found.keys()
    return Unknown(
        metrics=[metric for metric in sized if metric not in known],
        has_pace=asked.units_per_day is not None or pace_of(plan, found) is not None,
        environment=experiment.assignments["environment"],
    )


async def report(
    tx: ReadSession, project_key: str, key: str, *, settings: Settings, now: datetime
) -> list[Check]:
    """All readiness checks of a planned experiment; those that look at data only warn."""
    experiment = await service.row_of(tx, project_key, key)
    service.state_of(experiment)
    plan = service.plan_of(experiment)
    known = await past.baselines(tx, experiment, set(plan.metrics()))
    unmeasured = [metric for metric in plan.metrics() if metric not in known]
    silent = await _silent(tx, project_key, experiment, unmeasured, settings, since=now - RECENTLY)
    return [
        *await readiness.structural(tx, project_key, experiment),
        _data(unmeasured, silent),
        await _reach(experiment, plan, known),
        _trial(await past.newest_trial(tx, experiment)),
    ]


async def _silent(
    tx: ReadSession,
    project_key: str,
    experiment: Experiment,
    keys: Sequence[str],
    settings: Settings,
    *,
    since: datetime,
) -> list[str]:
    """Those of the metrics of which not one event has come lately."""
    environment: str = experiment.assignments["environment"]
    place = await projects.get_environment(tx, project_key, environment)
    needed = {
        metric.key: set(event_names(metric.definition))
        for metric in await metrics.require_all(tx, project_key, keys)
    }
    names = {name for each in needed.values() for name in each}
    seen = await arriving.names_seen(tx, settings, place.id, names, since=since)
    return [key for key, its in needed.items() if not its & seen]


async def _computed(work: Callable[[], T]) -> T:
    """What the work gives; a solver at the edge of floating point has a sentence too."""
    try:
        return await anyio.to_thread.run_sync(work)
    except (ValueError, ArithmeticError) as error:
        raise NotComputable(f"these figures lead nowhere: {error}") from error


async def _known(
    tx: ReadSession, experiment: Experiment, asked: PowerRequest, seen: Seen
) -> tuple[Plan, dict[str, Baseline], Pace | None]:
    service.state_of(experiment)
    plan = service.plan_of(experiment)
    found = {**seen.metrics, **await past.baselines(tx, experiment, set(plan.metrics()))}
    known = past.merged(asked.baselines, found)
    if asked.units_per_day is not None:
        return plan, known, Pace(asked.units_per_day, GIVEN)
    return plan, known, pace_of(plan, found) or seen.traffic


def pace_of(plan: Plan, known: Mapping[str, Baseline]) -> Pace | None:
    """New units a day, as the earlier experiment behind the first known goal had them."""
    told = [known[goal.metric] for goal in plan.goals if goal.metric in known]
    paces = [Pace(each.units_per_day, each.source) for each in told if each.units_per_day is not None]
    return next(iter(paces), None)


def _power(experiment: Experiment, plan: Plan, known: Mapping[str, Baseline], pace: Pace | None) -> PowerOut:
    found = _needs(experiment, plan, known, pace)
    daily = None if pace is None else pace.units_per_day * plan.coverage
    units = [need.units for need in found]
    whole = None if any(each is None for each in units) else max(each or 0 for each in units)
    days = days_for(whole, daily)
    return PowerOut(
        needs=[_need_out(need, daily) for need in found],
        units=whole,
        units_per_day=None if pace is None else pace.units_per_day,
        units_per_day_source=None if pace is None else pace.source,
        days=days,
        reachable=None if days is None or plan.duration_days is None else days <= plan.duration_days,
        sentence=f"{_sentence(plan, whole, days)}{_assigned_otherwise(plan)}",
    )


def _needs(
    experiment: Experiment, plan: Plan, known: Mapping[str, Baseline], pace: Pace | None
) -> "list[Need]":
    # Statistics are loaded by the first calculation, not by every start.
    from assay.experiments.sizing import Split, needs  # noqa: PLC0415

    split = Split.of({arm["key"]: arm["weight"] for arm in experiment.arms}, experiment.control)
    units = None
    if pace is not None and plan.duration_days is not None:
        units = pace.units_per_day * plan.coverage * plan.duration_days
    return needs(plan, split, known, units)


def _recommend(
    experiment: Experiment,
    plan: Plan,
    known: Mapping[str, Baseline],
    pace: Pace,
    asked: RecommendationRequest,
) -> RecommendationOut:
    from assay.experiments.sizing import Split, cost  # noqa: PLC0415

    split = Split.of({arm["key"]: arm["weight"] for arm in experiment.arms}, experiment.control)
    costs = [cost(plan, split, known, method) for method in _methods(plan)]
    options = [_option(each, pace.units_per_day * plan.coverage) for each in costs]
    chosen, sentence = advised(options, deadline_days=asked.deadline_days, watched=asked.watch_continuously)
    return RecommendationOut(
        options=[OptionOut.model_validate(each) for each in options],
        recommended=chosen,
        units_per_day=pace.units_per_day,
        units_per_day_source=pace.source,
        sentence=sentence,
    )


def _methods(plan: Plan) -> list[Method]:
    """One of each kind, the plan's own among them."""
    usual: list[Method] = [
        Fixed(),
        GroupSequential.model_validate({"kind": "group_sequential"}),
        AlwaysValid.model_validate({"kind": "always_valid"}),
        Bayesian.model_validate({"kind": "bayesian"}),
    ]
    return [plan.method if each.kind == plan.method.kind else each for each in usual]


def _option(cost: "Cost", daily: float) -> Option:
    days = days_for(cost.units, daily)
    expected = None if cost.units is None else days_for(cost.units * cost.expected_share, daily)
    return Option(cost.method.kind, cost.units, days, expected)


def _need_out(need: "Need", daily: float | None) -> NeedOut:
    return NeedOut(
        metric=need.metric,
        role=need.role,
        source=need.baseline.source,
        mean=need.baseline.mean,
        variance=need.baseline.variance,
        effect=need.effect,
        units=need.units,
        days=days_for(need.units, daily),
        detectable=need.detectable,
    )


def _sentence(plan: Plan, units: int | None, days: int | None) -> str:
    if units is None:
        return "No number of units suffices: give a goal an effect above 0 and a metric that varies."
    if days is None:
        return f"{units:,} units are needed; say how many arrive a day to know how long that takes."
    needed = f"{units:,} units are needed, which takes {days} days"
    if plan.duration_days is None:
        return f"{needed}."
    if days <= plan.duration_days:
        return f"{needed}; the plan has {plan.duration_days}."
    return f"{needed}, but the plan has {plan.duration_days}: cover more, wait longer, or look for more."


def _assigned_otherwise(plan: Plan) -> str:
    """What the figures do not know of clusters and windows."""
    if plan.analysis_unit is not None:
        return (
            " That is for independent units: m of them in a cluster, alike with correlation r, take "
            "1 + (m - 1) r times as many."
        )
    count = window_count(plan)
    if count is None:
        return ""
    return f" A unit is one {'.'.join(plan.unit_path)} in one window, and each of them has {count} windows."


def _data(unmeasured: Sequence[str], silent: Sequence[str]) -> Check:
    if silent:
        return Check(
            "data",
            Level.WARNING,
            f"Not one event of {', '.join(silent)} came in the last {RECENTLY.days} days.",
            "Look whether the application sends them under the names that the metric has.",
        )
    if unmeasured:
        return Check(
            "data", Level.OK, f"Events of {', '.join(unmeasured)} arrive; no result measures them yet."
        )
    return Check("data", Level.OK, "Every metric has been measured before.")


async def _reach(experiment: Experiment, plan: Plan, known: Mapping[str, Baseline]) -> Check:
    try:
        found = await _computed(partial(_power, experiment, plan, known, pace_of(plan, known)))
    except NotComputable as error:
        return Check(
            "power", Level.WARNING, f"The power is not known: {error.message}.", "Ask for its power."
        )
    if found.reachable:
        return Check("power", Level.OK, found.sentence)
    way_out = "Cover more units, plan more days, or look for a larger effect."
    return Check("power", Level.WARNING, found.sentence, way_out)


def _trial(trial: past.PastTrial | None) -> Check:
    if trial is None:
        return Check(
            "a_a",
            Level.WARNING,
            "No A/A experiment of this project has a result, so assignment and metrics are untried.",
            "Run one whose arms have equal values, with the tag `aa`.",
        )
    if trial.is_skewed or trial.findings:
        what = (
            "a sample ratio mismatch" if trial.is_skewed else f"a difference in {', '.join(trial.findings)}"
        )
        return Check(
            "a_a",
            Level.WARNING,
            f"The A/A experiment {trial.experiment!r} found {what} where there is none.",
            "Find out why before trusting another experiment.",
        )
    return Check("a_a", Level.OK, f"The A/A experiment {trial.experiment!r} found nothing, as it should.")
