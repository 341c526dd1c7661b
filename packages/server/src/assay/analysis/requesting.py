"""Whether what is asked of an analysis fits its experiment, and when a plan is to be read; pure."""

from datetime import UTC, date, datetime, time, timedelta

from assay.analysis.errors import UnknownOption
from assay.analysis.schemas import ResultRequest
from assay.experiments.plan import Fixed
from assay.experiments.schemas import ExperimentOut


def require_possible(asked: ResultRequest, experiment: ExperimentOut, *, now: datetime) -> None:
    """Refuses what does not fit the experiment.

    Raises:
        UnknownOption: With the value that is wrong.
    """
    named = [*(asked.metrics or []), *asked.covariates, *asked.covariates.values()]
    if strange := [key for key in named if key not in experiment.metrics]:
        raise UnknownOption(
            f"{strange[0]!r} is no metric of experiment {experiment.key!r}; "
            f"it has {', '.join(experiment.metrics) or 'none'}",
            value=strange[0],
        )
    read = experiment.metrics if asked.metrics is None else asked.metrics
    if missing := [key for key in (*asked.covariates, *asked.covariates.values()) if key not in read]:
        raise UnknownOption(
            f"{missing[0]!r} adjusts or is adjusted and is not among the metrics asked for", value=missing[0]
        )
    if experiment.phase is not None and experiment.phase.epochs:
        _require_joinable(asked, experiment)
    _require_distinct("segment", [each.key for each in asked.segments])
    _require_distinct("metric", asked.metrics or [])
    _require_time(asked.until, experiment, now=now)


def end_of(day: date) -> datetime:
    """The midnight that ends a day, in UTC."""
    return datetime.combine(day, time(), UTC) + timedelta(days=1)


def is_early(experiment: ExperimentOut, at: datetime) -> bool:
    """Whether a fixed plan is to be read only later than this moment."""
    plan, phase = experiment.plan, experiment.phase
    if plan is None or phase is None or not isinstance(plan.method, Fixed):
        return False
    if experiment.ended_at is not None and at >= experiment.ended_at:
        return False
    return plan.duration_days is None or at < phase.started_at + timedelta(days=plan.duration_days)


def _require_joinable(asked: ResultRequest, experiment: ExperimentOut) -> None:
    why = f"experiment {experiment.key!r} is a bandit, whose arms are compared within epochs"
    if asked.method is not None and not isinstance(asked.method, Fixed):
        raise UnknownOption(f"{why}; it is read by the method 'fixed' alone", value=asked.method.kind)
    if asked.strata is not None:
        raise UnknownOption(f"{why}; ask for {asked.strata!r} as a segment instead", value=asked.strata)
    if asked.covariates:
        raise UnknownOption(f"{why}, without covariates", value=next(iter(asked.covariates)))


def _require_distinct(what: str, keys: list[str]) -> None:
    if repeated := sorted({key for key in keys if keys.count(key) > 1}):
        raise UnknownOption(f"{what} {repeated[0]!r} is listed more than once", value=repeated[0])


def _require_time(until: date | None, experiment: ExperimentOut, *, now: datetime) -> None:
    if until is None:
        return
    if until > now.date():
        raise UnknownOption(f"{until.isoformat()} has not come yet", value=until.isoformat())
    began = None if experiment.phase is None else experiment.phase.started_at
    if began is not None and end_of(until) <= began:
        raise UnknownOption(
            f"the phase began on {began.date().isoformat()}; {until.isoformat()} is before it",
            value=until.isoformat(),
        )
