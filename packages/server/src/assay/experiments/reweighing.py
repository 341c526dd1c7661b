"""The epochs of a bandit: its split moves only by a new one, published in the same transaction.

What the arms are worth is known to the analysis, which lies above: whoever lets time pass hands it in.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from assay.core.database import ReadSession, WriteSession
from assay.experiments import allocating, logbook, repository, service, serving
from assay.experiments.allocating import Moves, Seen, Stays, Unseen
from assay.experiments.lifecycle import State
from assay.experiments.models import Due, Epoch, Experiment, Phase
from assay.experiments.placing import place_of
from assay.experiments.plan import Bandit, Plan
from assay.flags.rewriting import By
from assay_stats.results import Direction

ACTION = "reweigh"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a bandit wants to know of its arms.

    Attributes:
        metric: The first goal of the frozen plan.
        since: A result begun before says nothing of the newest epoch.
        moved_at: When the weights moved last.
    """

    project: str
    experiment: str
    metric: str
    since: datetime
    moved_at: datetime


Known = Callable[[ReadSession, Wanted], Awaitable[Seen | Unseen]]
"""What is known of the arms, or why nothing is."""


async def nothing_known(tx: ReadSession, wanted: Wanted) -> Unseen:
    """What is known where no analysis runs."""
    del tx, wanted
    return Unseen("no analysis runs beside this clock")


async def begin(
    tx: WriteSession, experiment: Experiment, phase: Phase, plan: Plan, *, weights: Mapping[str, float]
) -> None:
    """The first epoch of a bandit's phase, with the plan's weights."""
    if plan.bandit is None:
        return
    shares = allocating.evenly(weights)
    await _add(tx, phase, 1, shares, at=phase.started_at, moved=True, reason="the plan's weights", basis={})
    await wait(tx, experiment, plan, since=phase.started_at)


async def wait(tx: WriteSession, experiment: Experiment, plan: Plan, *, since: datetime) -> None:
    """Sets when a bandit's weights are looked at next, an epoch from now."""
    if plan.bandit is not None:
        await _wait_until(tx, experiment, plan.bandit, since + _length(plan.bandit))


async def reweigh(
    tx: WriteSession, project_key: str, experiment: Experiment, due: Due, *, by: By, known: Known
) -> None:
    """The next epoch: with other weights, which the flag serves from now on, or with the same and why."""
    if experiment.state != State.ACTIVE:
        reason = f"the experiment was {experiment.state}"
        await repository.settle_one(tx, due.id, state="CANCELLED", at=by.at, reason=reason)
        return
    phase = (await repository.latest_phases(tx, [experiment.id]))[experiment.id]
    plan = Plan.model_validate(phase.frozen["plan"])
    bandit, epochs = plan.bandit, await repository.epochs(tx, [phase.id])
    if bandit is None or not epochs:
        raise TypeError(f"a phase without a bandit has {due.action} due")
    wanted = _wanted(project_key, experiment, plan, epochs)
    seen = await known(tx, wanted)
    decided = allocating.decided(
        bandit, seen, arms=list(epochs[-1].weights), direction=_direction(phase, wanted.metric)
    )
    basis = {"metric": wanted.metric, "rule": bandit.rule.kind, **_seen(seen)}
    await repository.settle_one(tx, due.id, state="DONE", at=by.at, reason="")
    match decided:
        case Moves():
            await _move(tx, project_key, experiment, phase, epochs[-1], decided, basis=basis, by=by)
        case Stays(reason=reason):
            await _stay(tx, phase, epochs[-1], reason, basis=basis, at=by.at)
    await _wait_until(tx, experiment, bandit, _following(due.at, bandit, now=by.at))


async def failed(tx: WriteSession, experiment: Experiment, due: Due, *, reason: str, now: datetime) -> None:
    """An epoch with the same weights, since others could not be served; the next one tries again."""
    phase = (await repository.latest_phases(tx, [experiment.id]))[experiment.id]
    plan, last = Plan.model_validate(phase.frozen["plan"]), await repository.latest_epoch(tx, phase.id)
    if experiment.state != State.ACTIVE or plan.bandit is None or last is None:
        return
    await _stay(tx, phase, last, f"the flag could not be changed: {reason}", basis={}, at=now)
    await _wait_until(tx, experiment, plan.bandit, _following(due.at, plan.bandit, now=now))


async def _move(
    tx: WriteSession,
    project_key: str,
    experiment: Experiment,
    phase: Phase,
    last: Epoch,
    decided: Moves,
    *,
    basis: Mapping[str, Any],
    by: By,
) -> None:
    number, weights = last.number + 1, dict(decided.weights)
    reason = "the chances of being the best, by the plan's rule"
    grounds = {**basis, "chances": dict(decided.chances)}
    await _add(tx, phase, number, weights, at=by.at, moved=True, reason=reason, basis=grounds)
    # Now that the epoch is there, the place has its weights.
    await serving.reweigh(tx, await place_of(tx, project_key, experiment, phase), by=by)
    await repository.update_experiment(tx, experiment, {})
    before, after = {"weights": last.weights}, {"weights": weights}
    await service.record(tx, experiment, "reweighed", before=before, after=after, by=by)
    body = {"epoch": number, "from": last.weights, "to": weights, **grounds}
    await logbook.add(tx, experiment, "reweighed", body, note=reason, by=replace(by, note=reason))


async def _stay(
    tx: WriteSession, phase: Phase, last: Epoch, reason: str, *, basis: Mapping[str, Any], at: datetime
) -> None:
    weights: Mapping[str, float] = last.weights
    await _add(tx, phase, last.number + 1, weights, at=at, moved=False, reason=reason, basis=basis)


async def _add(
    tx: WriteSession,
    phase: Phase,
    number: int,
    weights: Mapping[str, float],
    *,
    at: datetime,
    moved: bool,
    reason: str,
    basis: Mapping[str, Any],
) -> None:
    row = {"phase_id": phase.id, "number": number, "began_at": at, "weights": dict(weights)}
    await repository.insert_epoch(tx, {**row, "moved": moved, "reason": reason, "basis": dict(basis)})


async def _wait_until(tx: WriteSession, experiment: Experiment, bandit: Bandit, at: datetime) -> None:
    if bandit.until is None or at < bandit.until:
        await repository.add_due(tx, [{"experiment_id": experiment.id, "action": ACTION, "at": at}])


def _wanted(project: str, experiment: Experiment, plan: Plan, epochs: list[Epoch]) -> Wanted:
    return Wanted(
        project=project,
        experiment=experiment.key,
        metric=plan.goals[0].metric,
        since=epochs[-1].began_at,
        moved_at=next(epoch.began_at for epoch in reversed(epochs) if epoch.moved),
    )


def _direction(phase: Phase, metric: str) -> Direction:
    measured = next(each for each in phase.frozen["metrics"] if each["key"] == metric)
    is_lower = measured["direction"] == "decrease"
    return Direction.LOWER_IS_BETTER if is_lower else Direction.HIGHER_IS_BETTER


def _seen(seen: Seen | Unseen) -> dict[str, Any]:
    if isinstance(seen, Unseen):
        return {}
    return {
        "result": seen.result,
        "units": {key: arm.units for key, arm in seen.arms.items()},
        "units_since_moved": {key: arm.since_moved for key, arm in seen.arms.items()},
        "means": {key: arm.mean for key, arm in seen.arms.items()},
    }


def _length(bandit: Bandit) -> timedelta:
    return timedelta(hours=bandit.every_hours)


def _following(due: datetime, bandit: Bandit, *, now: datetime) -> datetime:
    """The next moment in step with the last, without those that passed while nobody looked."""
    missed = max(0, int((now - due) / _length(bandit)))
    return due + (missed + 1) * _length(bandit)
