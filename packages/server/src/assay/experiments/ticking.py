"""Doing what is due: a scheduled start, a step of a ramp, an epoch of a bandit, a scheduled stop."""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from assay.core.database import ReadSession, WriteSession
from assay.experiments import repository, reweighing, running, service
from assay.experiments.lifecycle import State
from assay.experiments.models import Due, Experiment
from assay.experiments.reweighing import Known, nothing_known
from assay.experiments.schemas import CoverageRequest
from assay.flags.rewriting import By

ACTOR = "schedule"
GUARD = "guard"

Guard = Callable[[ReadSession, str, str], Awaitable[str | None]]
"""Asked with project and experiment before a ramp goes on: why it must not, or None when all is well."""


async def settle(
    tx: WriteSession,
    project_key: str,
    key: str,
    identifier: uuid.UUID,
    *,
    now: datetime,
    guards: Sequence[Guard] = (),
    known: Known = nothing_known,
) -> bool:
    """Does what is due, and says that it is done in the same transaction; False when it waits no more.

    A step of a ramp that a guard objects to pauses the experiment instead, and the ramp ends there, unless
    the plan's `automatic_stop` is `never`.

    Args:
        known: What a bandit's weights follow.
    """
    # The experiment first, as every other move does: two that lock in one order cannot deadlock.
    experiment = await service.locked(tx, project_key, key)
    due = await repository.lock_due(tx, identifier)
    if due is None:
        return False
    by = By(ACTOR, now, "as scheduled")
    match due.action:
        case "start":
            await _settled(tx, due, "DONE", now)
            await running.start(tx, project_key, key, if_match="*", by=by)
        case reweighing.ACTION:
            await reweighing.reweigh(tx, project_key, experiment, due, by=by, known=known)
        case "stop":
            await _stop(tx, project_key, experiment, due, by)
        case _:
            await _cover(tx, project_key, experiment, due, by, guards)
    return True


async def fail(
    tx: WriteSession, project_key: str, key: str, identifier: uuid.UUID, *, reason: str, now: datetime
) -> None:
    """Says that what was due could not be done; it is not tried again, a bandit's weights an epoch later."""
    experiment = await service.locked(tx, project_key, key)
    due = await repository.lock_due(tx, identifier)
    if due is None:
        return
    await _settled(tx, due, "FAILED", now, reason)
    if due.action == reweighing.ACTION:
        await reweighing.failed(tx, experiment, due, reason=reason, now=now)


async def halt(tx: WriteSession, project_key: str, key: str, *, reason: str, now: datetime) -> bool:
    """Pauses an experiment because of an alarm, if its plan asks for that; True when it did.

    Once per phase: whoever resumes it has seen the alarm.
    """
    experiment = await service.locked(tx, project_key, key)
    if not await _stops_by_itself(tx, experiment):
        return False
    await running.pause(tx, project_key, key, if_match=None, by=By(GUARD, now, reason))
    return True


async def _stops_by_itself(tx: ReadSession, experiment: Experiment) -> bool:
    if experiment.state != State.ACTIVE:
        return False
    match service.plan_of(experiment).automatic_stop:
        case "never":
            return False
        case "ramp":
            waiting = await repository.due(tx, experiment.id)
            wanted = any(due.action == "cover" and due.state == "WAITING" for due in waiting)
        case "always":
            wanted = True
    return wanted and not await _has_been_halted(tx, experiment)


async def _has_been_halted(tx: ReadSession, experiment: Experiment) -> bool:
    phase = (await repository.latest_phases(tx, [experiment.id]))[experiment.id]
    return await repository.has_entry(tx, experiment.id, kind="paused", actor=GUARD, since=phase.started_at)


async def _stop(tx: WriteSession, project_key: str, experiment: Experiment, due: Due, by: By) -> None:
    if experiment.state != State.ACTIVE:
        await _settled(tx, due, "CANCELLED", by.at, f"the experiment was {experiment.state}")
        return
    await _settled(tx, due, "DONE", by.at)
    await running.pause(tx, project_key, experiment.key, if_match=None, by=by)


async def _cover(
    tx: WriteSession,
    project_key: str,
    experiment: Experiment,
    due: Due,
    by: By,
    guards: Sequence[Guard],
) -> None:
    coverage = due.coverage or 0.0
    phase = (await repository.latest_phases(tx, [experiment.id]))[experiment.id]
    if phase.coverage >= coverage:
        await _settled(tx, due, "CANCELLED", by.at, f"{phase.coverage:.2%} was covered already")
        return
    for guard in guards:
        reason = await guard(tx, project_key, experiment.key)
        # Pausing cancels the ramp's steps, this one too.
        if reason and await halt(tx, project_key, experiment.key, reason=reason, now=by.at):
            return
    await _settled(tx, due, "DONE", by.at)
    wanted = CoverageRequest(coverage=coverage)
    await running.cover(tx, project_key, experiment.key, wanted, if_match="*", by=by)


async def _settled(tx: WriteSession, due: Due, state: str, at: datetime, reason: str = "") -> None:
    await repository.settle_one(tx, due.id, state=state, at=at, reason=reason)
