"""What happens to an experiment at a time, once: a scheduled start, the steps of a ramp, a scheduled stop.

A step and the settling of its row are one transaction, in which the row is locked: however many processes
look, and whenever one of them dies, a step takes effect once.
"""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from assay.core.database import ReadSession, WriteSession
from assay.experiments import lifecycle, repository, service
from assay.experiments.errors import InvalidSchedule
from assay.experiments.lifecycle import Move, State
from assay.experiments.models import Experiment
from assay.experiments.plan import Plan
from assay.experiments.schemas import DueOut, ScheduleOut, ScheduleRequest
from assay.flags import conditions
from assay.flags.rewriting import By


async def schedule(
    tx: WriteSession, project_key: str, key: str, wanted: ScheduleRequest, *, if_match: str | None, by: By
) -> ScheduleOut:
    """The experiment's times, replaced as a whole; steps of a ramp stay.

    Raises:
        InvalidSchedule: A time has passed, the stop is not after the start, or it has started already.
        IllegalMove: It is completed.
    """
    experiment = await service.locked(tx, project_key, key)
    conditions.require(if_match, conditions.tag(experiment.version))
    state = service.state_of(experiment)
    lifecycle.move(state, Move.SCHEDULE)
    _require_possible(wanted, state, now=by.at)
    await repository.settle_all(tx, experiment.id, ["start", "stop"], at=by.at, reason="scheduled anew")
    times = {"start": wanted.starts_at, "stop": wanted.stops_at}
    rows = [
        {"experiment_id": experiment.id, "action": action, "at": at} for action, at in times.items() if at
    ]
    await repository.add_due(tx, rows)
    await repository.update_experiment(tx, experiment, {})
    after = {action: at.isoformat() for action, at in times.items() if at}
    await service.record(tx, experiment, "scheduled", before={}, after=after, by=by)
    return await listing(tx, project_key, key)


async def listing(tx: ReadSession, project_key: str, key: str) -> ScheduleOut:
    """All that was and shall be done to an experiment at a time."""
    rows = await repository.due(tx, await service.identify(tx, project_key, key))
    return ScheduleOut(items=[DueOut.model_validate(row) for row in rows])


async def begin(tx: WriteSession, experiment: Experiment, plan: Plan, *, at: datetime) -> None:
    """Sets the steps of the ramp of an experiment that starts now; a start still scheduled is off."""
    await repository.settle_all(tx, experiment.id, ["start"], at=at, reason="the experiment has started")
    await repository.add_due(tx, [{"experiment_id": experiment.id, **step} for step in _steps(plan, at)])


def _steps(plan: Plan, at: datetime) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    for held, following in pairwise([*plan.ramp, None]):
        at += timedelta(hours=held.hours if held else 0)
        coverage = plan.coverage if following is None else following.coverage
        steps.append({"action": "cover", "at": at, "coverage": coverage})
    return steps


def _require_possible(wanted: ScheduleRequest, state: State, *, now: datetime) -> None:
    for name, at in (("starts_at", wanted.starts_at), ("stops_at", wanted.stops_at)):
        if at is not None and at <= now:
            raise InvalidSchedule(f"{name} {at.isoformat()} has passed; it is {now.isoformat()}", value=name)
    if wanted.starts_at is not None and state is not State.DRAFT:
        raise InvalidSchedule("it has started already; leave starts_at out", value="starts_at")
    if wanted.starts_at and wanted.stops_at and wanted.stops_at <= wanted.starts_at:
        raise InvalidSchedule(
            f"stops_at {wanted.stops_at.isoformat()} is not after starts_at {wanted.starts_at.isoformat()}",
            value="stops_at",
        )
