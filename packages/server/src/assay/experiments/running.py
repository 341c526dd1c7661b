"""The moves of a planned experiment: state, flag rule, phase, log and change log in one transaction.

Locks are taken in one order: the experiment, its flag, its environment.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from assay.audit.diff import changes
from assay.core.database import WriteSession
from assay.experiments import (
    freezing,
    lifecycle,
    logbook,
    readiness,
    remembering,
    repository,
    reweighing,
    scheduling,
    service,
    serving,
    switching,
)
from assay.experiments.design import Arm
from assay.experiments.errors import CoverageNotRaised, InvalidDesign, InvalidPlan
from assay.experiments.freezing import MetricVersion
from assay.experiments.lifecycle import Move, Outcome, State
from assay.experiments.models import Experiment, Phase
from assay.experiments.placing import place_of
from assay.experiments.plan import Plan
from assay.experiments.schemas import (
    CompleteRequest,
    CoverageRequest,
    DeviationRequest,
    ExperimentOut,
    RestartRequest,
)
from assay.flags import conditions
from assay.flags.rewriting import By
from assay.metrics import service as metrics

SALT_BYTES = 8
WITHIN_PHASE = ("cover", reweighing.ACTION)
"""What is due to a phase, and ends with it."""
# What the logs call each move.
_PAST = {
    Move.START: "started",
    Move.PAUSE: "paused",
    Move.RESUME: "resumed",
    Move.COVER: "covered",
    Move.DEVIATE: "deviated",
    Move.RESTART: "restarted",
    Move.COMPLETE: "completed",
}


async def start(
    tx: WriteSession, project_key: str, key: str, *, if_match: str | None, by: By
) -> ExperimentOut:
    """The experiment with its plan frozen and its first units assigned.

    Raises:
        VersionMissing, StaleVersion: The start was not made from the current version.
        IllegalMove: It is no DRAFT.
        NotReady: A check keeps it from starting; nothing has been changed.
        LayerFull: Others have taken the layer's room meanwhile.
    """
    experiment, state = await _about_to(tx, project_key, key, Move.START, if_match=if_match)
    await readiness.require(tx, project_key, experiment)
    plan = service.plan_of(experiment)
    phase = await _begin_phase(tx, project_key, experiment, plan, experiment.arms, number=1, by=by)
    place = await place_of(tx, project_key, experiment, phase)
    await serving.begin(tx, place, reserve=plan.coverage, action="experiment_started", by=by)
    await remembering.begin(tx, place, since=by.at)
    await scheduling.begin(tx, experiment, plan, at=by.at)
    values = {"state": state, "started_at": by.at}
    return await _moved(tx, experiment, Move.START, values, body=_phase_body(phase), by=by)


async def pause(
    tx: WriteSession, project_key: str, key: str, *, if_match: str | None, by: By
) -> ExperimentOut:
    """The experiment without new exposures; every unit keeps its variant, and the ramp ends here.

    A bandit's weights stay until it is resumed.

    Args:
        if_match: May be None: in an emergency the last word counts.
    """
    experiment, state = await _about_to(
        tx, project_key, key, Move.PAUSE, if_match="*" if if_match is None else if_match
    )
    phase = await _last_phase(tx, experiment)
    await serving.rest(
        tx, await place_of(tx, project_key, experiment, phase), action="experiment_paused", by=by
    )
    reason = by.note or "the experiment was paused"
    await repository.settle_all(tx, experiment.id, WITHIN_PHASE, at=by.at, reason=reason)
    return await _moved(tx, experiment, Move.PAUSE, {"state": state}, body={}, by=by)


async def resume(
    tx: WriteSession, project_key: str, key: str, *, if_match: str | None, by: By
) -> ExperimentOut:
    """The experiment with exposures again, everybody in the arm of before."""
    experiment, state = await _about_to(tx, project_key, key, Move.RESUME, if_match=if_match)
    phase = await _last_phase(tx, experiment)
    place = await place_of(tx, project_key, experiment, phase)
    await serving.resume(tx, place, by=by)
    await reweighing.wait(tx, experiment, place.plan, since=by.at)
    return await _moved(tx, experiment, Move.RESUME, {"state": state}, body={}, by=by)


async def cover(
    tx: WriteSession, project_key: str, key: str, wanted: CoverageRequest, *, if_match: str | None, by: By
) -> ExperimentOut:
    """The experiment with more units; those who were in keep their arm.

    A sticky one may also be closed to some: who was exposed before stays in, whatever the coverage.

    Raises:
        CoverageNotRaised: It would not rise; that needs a new phase.
        LayerFull: The layer has not enough room.
    """
    experiment, state = await _about_to(tx, project_key, key, Move.COVER, if_match=if_match)
    phase = await _last_phase(tx, experiment)
    before = phase.coverage
    place = replace(await place_of(tx, project_key, experiment, phase), coverage=wanted.coverage)
    may_fall = place.assigned.sticky is not None and wanted.coverage != before
    if wanted.coverage <= before and not may_fall:
        raise CoverageNotRaised(
            f"experiment {key!r} covers {before:.2%} already; within a phase coverage only rises, "
            "so restart it as a new phase for less",
            value=wanted.coverage,
        )
    await serving.cover(tx, place, by=by)
    await repository.update_phase(tx, phase.id, {"coverage": wanted.coverage})
    body = {"from": before, "to": wanted.coverage}
    return await _moved(tx, experiment, Move.COVER, {"state": state}, body=body, by=by)


async def deviate(
    tx: WriteSession, project_key: str, key: str, wanted: DeviationRequest, *, if_match: str | None, by: By
) -> ExperimentOut:
    """The experiment with another way of reading it, which the log keeps as a deviation.

    Raises:
        InvalidPlan: The changed plan would not fit together.
        UnknownMetric: It names a metric that does not exist.
    """
    experiment, state = await _about_to(tx, project_key, key, Move.DEVIATE, if_match=if_match)
    before = service.stored(service.plan_of(experiment))
    new = wanted.model_dump(mode="json", exclude={"reason"}, exclude_none=True)
    plan = _checked(before | new)
    after = service.stored(plan)
    await metrics.require_all(tx, project_key, list(plan.metrics()))
    values = {"state": state, "plan": after, "metrics": list(plan.metrics())}
    body = {"changes": [change.to_json() for change in changes(before, after)]}
    return await _moved(tx, experiment, Move.DEVIATE, values, body=body, by=by)


async def restart(
    tx: WriteSession, project_key: str, key: str, wanted: RestartRequest, *, if_match: str | None, by: By
) -> ExperimentOut:
    """The experiment in a new phase: a new salt assigns everybody anew, by the plan as it is now.

    Raises:
        InvalidDesign: A weight is given to what is no arm, or none is left.
        LayerFull: The layer has not enough room for the new coverage.
    """
    experiment, state = await _about_to(tx, project_key, key, Move.RESTART, if_match=if_match)
    last, former = await _last_phase(tx, experiment), service.plan_of(experiment)
    by = _not_before(last.started_at, by)
    changed: dict[str, Any] = {
        "ramp": [],
        "coverage": wanted.coverage or former.coverage,
        "balanced_salt": None,
    }
    plan = _checked(service.stored(former) | changed)
    if wanted.earlier_units == "left_out" and not plan.sticky:
        raise InvalidDesign(
            f"experiment {key!r} is not sticky, so nobody knows who was in it; assign everybody anew",
            value=wanted.earlier_units,
        )
    arms = _weighted(experiment, wanted.weights or {})
    await repository.update_phase(tx, last.id, {"ended_at": by.at})
    await repository.settle_all(tx, experiment.id, WITHIN_PHASE, at=by.at, reason="a new phase began")
    number = last.number + 1
    minimum = number if wanted.earlier_units == "left_out" else 0
    phase = await _begin_phase(tx, project_key, experiment, plan, arms, number=number, minimum=minimum, by=by)
    place = await place_of(tx, project_key, experiment, phase)
    await serving.begin(tx, place, reserve=plan.coverage, action="experiment_restarted", by=by)
    await remembering.begin(tx, place, since=by.at)
    values = {"state": state, "arms": arms, "plan": service.stored(plan)}
    return await _moved(tx, experiment, Move.RESTART, values, body=_phase_body(phase), by=by)


async def complete(
    tx: WriteSession, project_key: str, key: str, wanted: CompleteRequest, *, if_match: str | None, by: By
) -> ExperimentOut:
    """The experiment at its end: the flag serves the shipped arm, or what it served before, or goes on.

    Raises:
        InvalidDesign: The outcome needs an arm, or has none.
        RuleMissing: Somebody has taken the rule out; it can still be completed as rolled back.
    """
    experiment, state = await _about_to(tx, project_key, key, Move.COMPLETE, if_match=if_match)
    arm = _shipped_arm(experiment, wanted)
    phase = await _last_phase(tx, experiment)
    by = _not_before(phase.started_at, by)
    place = await place_of(tx, project_key, experiment, phase)
    match wanted.outcome:
        case Outcome.SHIPPED:
            await serving.ship(tx, place, arm, everyone=wanted.everyone, by=by)
            await remembering.end(tx, place, at=by.at)
        case Outcome.ROLLED_BACK:
            await serving.withdraw(tx, place, by=by)
            await remembering.end(tx, place, at=by.at)
        case Outcome.KEPT:
            await serving.rest(tx, place, action="experiment_kept", by=by)
    await repository.update_phase(tx, phase.id, {"ended_at": by.at})
    reason = "the experiment was completed"
    await repository.settle_all(tx, experiment.id, ["start", *WITHIN_PHASE, "stop"], at=by.at, reason=reason)
    values = {"state": state, "outcome": wanted.outcome, "ended_at": by.at}
    body = {"outcome": wanted.outcome.value, **({"arm": arm} if arm else {})}
    return await _moved(tx, experiment, Move.COMPLETE, values, body=body, by=by)


async def _about_to(
    tx: WriteSession, project_key: str, key: str, wanted: Move, *, if_match: str | None
) -> tuple[Experiment, State]:
    """The experiment, locked, and where the move leads."""
    experiment = await service.locked(tx, project_key, key)
    conditions.require(if_match, conditions.tag(experiment.version))
    state = lifecycle.move(service.state_of(experiment), wanted)
    if state is None:
        raise TypeError(f"{wanted} leads out of existence")
    return experiment, state


async def _moved(
    tx: WriteSession,
    experiment: Experiment,
    move: Move,
    values: Mapping[str, Any],
    *,
    body: Mapping[str, Any],
    by: By,
) -> ExperimentOut:
    """The experiment after a move, which its log and the change log tell."""
    path = {"from": experiment.state, "to": str(values["state"])}
    after = await service.changed(tx, experiment, values, action=_PAST[move], by=by)
    await logbook.add(tx, experiment, _PAST[move], {"state": path, **body}, note=by.note, by=by)
    return after


async def _begin_phase(
    tx: WriteSession,
    project_key: str,
    experiment: Experiment,
    plan: Plan,
    arms: Sequence[Mapping[str, Any]],
    *,
    number: int,
    by: By,
    minimum: int = 0,
) -> Phase:
    """The phase that begins now, with the plan frozen and a salt of its own.

    Args:
        minimum: Of a sticky plan: units exposed in a phase before this one are left out.
    """
    measured = await metrics.require_all(tx, project_key, list(plan.metrics()))
    frozen = freezing.document(
        experiment.key,
        experiment.assignments["environment"],
        [Arm.model_validate(arm) for arm in arms],
        experiment.control,
        plan,
        [MetricVersion(each.key, each.version, each.direction) for each in measured],
        _settled(plan, arms, number=number, minimum=minimum, at=by.at),
    )
    values = {
        "experiment_id": experiment.id,
        "number": number,
        "salt": secrets.token_hex(SALT_BYTES) if plan.balanced_salt is None else plan.balanced_salt.salt,
        "coverage": plan.first_coverage,
        "frozen": frozen,
        "plan_hash": freezing.digest(frozen),
        "started_at": by.at,
    }
    phase = await repository.insert_phase(tx, values)
    weights = {arm["key"]: arm["weight"] for arm in arms}
    await reweighing.begin(tx, experiment, phase, plan, weights=weights)
    return phase


def _settled(
    plan: Plan, arms: Sequence[Mapping[str, Any]], *, number: int, minimum: int, at: datetime
) -> dict[str, Any]:
    """What a phase says of its assignment beyond the plan."""
    settled: dict[str, Any] = {}
    if plan.sticky:
        settled["sticky"] = {"version": number, "minimum": minimum}
    if plan.switchback is not None:
        weights = [arm["weight"] for arm in arms]
        settled["windows"] = switching.to_json(switching.windows_of(plan.switchback, weights, at=at))
    return settled


async def _last_phase(tx: WriteSession, experiment: Experiment) -> Phase:
    return (await repository.latest_phases(tx, [experiment.id]))[experiment.id]


def _not_before(moment: datetime, by: By) -> By:
    # A request that waited for another's lock was made before the other, and happens after it.
    return replace(by, at=max(by.at, moment))


def _phase_body(phase: Phase) -> dict[str, Any]:
    return {"phase": phase.number, "plan_hash": phase.plan_hash, "coverage": phase.coverage}


def _checked(document: Mapping[str, Any]) -> Plan:
    try:
        return Plan.model_validate(document)
    except ValidationError as error:
        raise InvalidPlan(str(error.errors()[0]["msg"]).removeprefix("Value error, ")) from error


def _weighted(experiment: Experiment, weights: Mapping[str, float]) -> list[dict[str, Any]]:
    keys = [arm["key"] for arm in experiment.arms]
    if strange := sorted(weights.keys() - set(keys)):
        raise InvalidDesign(f"{strange[0]!r} is not an arm; the arms are {', '.join(keys)}", value=strange)
    arms: list[dict[str, Any]] = [
        {**arm, "weight": weights.get(arm["key"], arm["weight"])} for arm in experiment.arms
    ]
    if sum(arm["weight"] > 0 for arm in arms) < 2:  # noqa: PLR2004 — a comparison has two sides
        raise InvalidDesign("fewer than two arms have a weight above 0, so nothing would be compared")
    return arms


def _shipped_arm(experiment: Experiment, wanted: CompleteRequest) -> str:
    """The arm to ship; empty when none is."""
    keys = [arm["key"] for arm in experiment.arms]
    if wanted.outcome is not Outcome.SHIPPED:
        if wanted.arm is not None or wanted.everyone:
            raise InvalidDesign(f"{wanted.outcome} ships nothing; leave `arm` and `everyone` out")
        return ""
    if wanted.arm is None or wanted.arm not in keys:
        given = "" if wanted.arm is None else f"; {wanted.arm!r} is no arm of this experiment"
        raise InvalidDesign(f"say with `arm` which is shipped: {', '.join(keys)}{given}", value=wanted.arm)
    return wanted.arm
