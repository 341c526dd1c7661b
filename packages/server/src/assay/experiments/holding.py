"""The analysis of a holdout, which is an observed experiment that follows what the environment serves.

It is made when somebody says by which metrics a holdout is read. Its key is the name of the exposures to the
holdout, which nobody else can give to an experiment. Whoever begins an analysis lets it follow first.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assay.audit import service as audit
from assay.core.database import ReadSession, WriteSession
from assay.experiments import repository, service
from assay.experiments.errors import ExperimentNotFound, HoldoutIdle, HoldoutUnread
from assay.experiments.holdouts import (
    FromHoldout,
    HoldoutReading,
    Revision,
    Standing,
    arms_of,
    gone_at,
    is_under,
    revision_of,
    standing_of,
)
from assay.experiments.lifecycle import Outcome
from assay.experiments.models import Experiment
from assay.experiments.schemas import ExperimentOut
from assay.flags import parts
from assay.flags.errors import HoldoutNotFound
from assay.flags.kinds import HOLDOUT, Address
from assay.flags.rewriting import By
from assay.metrics import service as metrics
from assay.projects import service as projects
from assay.shared.pagination import MAX_LIMIT
from assay_engine import HoldoutArm, holdout_experiment
from assay_engine.holdouts import PREFIX

FOLLOWER = "assay"
MOST_UNDER = 200


@dataclass(frozen=True, slots=True)
class Under:
    """An experiment under a holdout.

    Attributes:
        shipped: The arm that its flag serves since it was completed.
    """

    experiment: ExperimentOut
    identifier: uuid.UUID
    shipped: str | None


async def set_reading(
    tx: WriteSession, project_key: str, environment: str, key: str, reading: HoldoutReading, *, by: By
) -> ExperimentOut:
    """What a holdout is analysed as, read in this way from now on.

    Raises:
        HoldoutNotFound: The environment has no such holdout.
        HoldoutIdle: It keeps nobody out of anything yet.
        UnknownMetric: It is to be read by a metric that does not exist.
    """
    await metrics.require_all(tx, project_key, reading.metrics)
    standing = await _standing(tx, project_key, environment, key)
    assignments = FromHoldout(source="holdout", environment=environment, holdout=key, reading=reading)
    values = _values(assignments, standing) | {"metrics": reading.metrics}
    found = await _row(tx, project_key, environment, key)
    if found is not None:
        return await service.changed(tx, found, values, action="updated", by=by)
    project = await projects.get(tx, project_key)
    fresh: dict[str, Any] = {
        "key": holdout_experiment(environment, key),
        "name": f"Holdout {key} in {environment}",
        "description": "",
        "control": HoldoutArm.HELD_OUT.value,
        "known_effects": {},
        "tags": [],
        "plan": None,
        "state": None,
    }
    made = await repository.insert_experiment(tx, project.id, fresh | values)
    if made is None:
        # Somebody else was first; the whole is done again from what is there now.
        return await set_reading(tx, project_key, environment, key, reading, by=by)
    out = service.experiment_out(made, None)
    await service.record(tx, made, "created", before=None, after=service.recorded(out), by=by)
    return out


async def get(tx: ReadSession, project_key: str, environment: str, key: str) -> ExperimentOut:
    """What a holdout is analysed as.

    Raises:
        HoldoutNotFound: The environment has no such holdout.
        HoldoutUnread: Nobody has said by which metrics it is read.
    """
    found = await _row(tx, project_key, environment, key)
    if found is None:
        await parts.get(tx, Address(HOLDOUT, project_key, environment, key))
        raise HoldoutUnread(
            f"nobody has said by which metrics holdout {key!r} is read; do so with "
            f"PUT …/environments/{environment}/holdouts/{key}/reading, or "
            f"`assay holdout results {key} --metric METRIC`",
            value=key,
        )
    return await service.read(tx, found)


async def follow(tx: WriteSession, project_key: str, key: str, *, now: datetime) -> None:
    """Lets the analysis of a holdout follow what is served; does nothing for an experiment."""
    if not key.startswith(PREFIX):
        return
    experiment = await service.locked(tx, project_key, key)
    assignments = FromHoldout.model_validate(experiment.assignments)
    try:
        standing = await _standing(tx, project_key, assignments.environment, assignments.holdout)
    except HoldoutNotFound:
        gone = await _gone_at(tx, project_key, assignments) or now
        values = {"ended_at": gone if experiment.ended_at is None else min(gone, experiment.ended_at)}
    else:
        values = _values(assignments, standing)
    known = {name: getattr(experiment, name) for name in values}
    if values != known:
        by = By(FOLLOWER, now, "what is served of the holdout has changed")
        await service.changed(tx, experiment, values, action="followed", by=by)


async def listing(tx: ReadSession, project_key: str, *, limit: int) -> list[ExperimentOut]:
    """What the holdouts of a project are analysed as, newest first."""
    project = await projects.get(tx, project_key)
    return await service.read_all(tx, await repository.of_holdouts(tx, project.id, limit=limit))


async def revisions(tx: ReadSession, project_key: str, assignments: FromHoldout) -> list[Revision]:
    """All that the environment served of a holdout, oldest first; none when it is gone."""
    at = Address(HOLDOUT, project_key, assignments.environment, assignments.holdout)
    try:
        return [revision_of(moment, document) for moment, document in await parts.history(tx, at)]
    except HoldoutNotFound:
        return []


async def under(tx: ReadSession, project_key: str, experiment: ExperimentOut) -> list[Under]:
    """The experiments that a holdout kept units out of since its analysis began, by their start."""
    assignments = experiment.assignments
    if not isinstance(assignments, FromHoldout) or experiment.started_at is None:
        return []
    known = await revisions(tx, project_key, assignments)
    within = [each for each in known if experiment.ended_at is None or each.at < experiment.ended_at]
    project = await projects.get(tx, project_key)
    rows = await repository.started(tx, project.id, assignments.environment, limit=MOST_UNDER)
    found = [row for row in rows if _is_met(row, experiment, within)]
    return [
        Under(out, row.id, await _shipped(tx, row))
        for row, out in zip(found, await service.read_all(tx, found), strict=True)
    ]


def _is_met(row: Experiment, holdout: ExperimentOut, known: Sequence[Revision]) -> bool:
    assert row.started_at is not None and holdout.started_at is not None  # noqa: S101, PT018 — both were asked for
    is_gone = row.outcome == Outcome.ROLLED_BACK
    ended = row.ended_at if is_gone else None
    if ended is not None and ended <= holdout.started_at:
        return False
    return is_under(row.key, max(row.started_at, holdout.started_at), ended, known)


async def _shipped(tx: ReadSession, row: Experiment) -> str | None:
    if row.outcome != Outcome.SHIPPED:
        return None
    entries = await repository.entries(tx, row.id, kind="completed", cursor=None, limit=1)
    return str(entries[0].body["arm"]) if entries else None


async def _row(tx: ReadSession, project_key: str, environment: str, key: str) -> Experiment | None:
    try:
        return await service.row_of(tx, project_key, holdout_experiment(environment, key))
    except ExperimentNotFound:
        return None


async def _standing(tx: ReadSession, project_key: str, environment: str, key: str) -> Standing:
    at = Address(HOLDOUT, project_key, environment, key)
    known = [revision_of(moment, document) for moment, document in await parts.history(tx, at)]
    standing = standing_of(known)
    if standing is None:
        raise HoldoutIdle(
            f"holdout {key!r} keeps its units out of nothing yet; it is analysed from the moment on that the "
            "first experiment joins it",
            value=key,
        )
    if not 0 < standing.share < 1:
        raise HoldoutIdle(
            f"holdout {key!r} keeps out {standing.share:.0%} of all units, so there is nothing to compare",
            value=standing.share,
        )
    return standing


async def _gone_at(tx: ReadSession, project_key: str, assignments: FromHoldout) -> datetime | None:
    """Its revisions went with it; the change log stays."""
    project = await projects.get(tx, project_key)
    subject = f"environments/{assignments.environment}/{HOLDOUT.plural}/{assignments.holdout}"
    entries, _ = await audit.listing(tx, project.id, subject=subject, cursor=None, limit=MAX_LIMIT)
    return gone_at(entries)


def _values(assignments: FromHoldout, standing: Standing) -> dict[str, Any]:
    reading = assignments.reading
    started = max(filter(None, (standing.started_at, reading.starts_at)))
    ended = min(filter(None, (standing.ended_at, reading.ends_at)), default=None)
    return {
        "arms": [arm.model_dump(mode="json") for arm in arms_of(standing.share)],
        "assignments": assignments.model_dump(mode="json"),
        "started_at": started,
        "ended_at": None if ended is None else max(started, ended),
    }
