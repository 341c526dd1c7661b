"""What can be done with experiments at any time: making, naming, planning, finding them."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from assay.audit import service as audit
from assay.core.database import ReadSession, WriteSession
from assay.experiments import freezing, lifecycle, repository
from assay.experiments.design import Assignments, Design, FromTable
from assay.experiments.errors import (
    ExperimentKeyTaken,
    ExperimentNotFound,
    InvalidDesign,
    NotPlanned,
)
from assay.experiments.lifecycle import Move, State
from assay.experiments.models import Experiment, Phase
from assay.experiments.overlaps import share_units
from assay.experiments.plan import Plan
from assay.experiments.schemas import (
    DepartureOut,
    EpochOut,
    EpochsOut,
    ExperimentCreate,
    ExperimentOut,
    ExperimentUpdate,
    PhaseEpochOut,
    PhaseOut,
    PhasesOut,
)
from assay.flags import conditions, searching
from assay.flags.rewriting import By
from assay.metrics import service as metrics
from assay.projects import service as projects
from assay.shared import pagination
from assay.sources import catalog
from assay.sources.fetching import unit_of

# Of more, the older ones are not looked at for units in common.
MOST_OTHERS = 200


@dataclass(frozen=True, slots=True)
class Assigning:
    """An ACTIVE experiment, and since when its phase assigns units."""

    id: uuid.UUID
    project: str
    key: str
    began: datetime


async def create(tx: WriteSession, project_key: str, new: ExperimentCreate, *, by: By) -> ExperimentOut:
    """A new experiment of a project: observed, or with a plan a DRAFT.

    Raises:
        UnknownMetric: It names a metric that does not exist.
        UnknownTable, InvalidDesign: Its assignments would come from a table that cannot give them.
        UnknownEnvironment: Its exposures would come from an environment that does not exist.
        ExperimentKeyTaken: The project has an experiment with this key.
    """
    project = await projects.get(tx, project_key)
    await projects.require_environment(tx, project_key, new.assignments.environment)
    await _require_exposures(tx, project_key, new.assignments)
    read_by = new.metrics if new.plan is None else list(new.plan.metrics())
    await metrics.require_all(tx, project_key, read_by)
    values = {
        **new.model_dump(),
        "metrics": read_by,
        "plan": None if new.plan is None else stored(new.plan),
        "state": None if new.plan is None else State.DRAFT,
    }
    experiment = await repository.insert_experiment(tx, project.id, values)
    if experiment is None:
        raise ExperimentKeyTaken(
            f"project {project_key!r} has an experiment {new.key!r} already", value=new.key
        )
    made = experiment_out(experiment, None)
    await record(tx, experiment, "created", before=None, after=recorded(made), by=by)
    return made


async def get(tx: ReadSession, project_key: str, key: str) -> ExperimentOut:
    """An experiment of a project.

    Raises:
        ExperimentNotFound: The project has none of this key.
    """
    return await read(tx, await row_of(tx, project_key, key))


async def identify(tx: ReadSession, project_key: str, key: str) -> uuid.UUID:
    """The identifier other rows refer to the experiment by."""
    return (await row_of(tx, project_key, key)).id


async def update(
    tx: WriteSession, project_key: str, key: str, change: ExperimentUpdate, *, if_match: str | None, by: By
) -> ExperimentOut:
    """The experiment as changed.

    Raises:
        VersionMissing, StaleVersion: A planned one was not changed from its current version.
        UnknownMetric: The new list names a metric that does not exist.
        IllegalMove: Its arms are settled, as it has started.
        InvalidDesign: The parts would not fit together.
    """
    experiment = await locked(tx, project_key, key)
    if experiment.state is not None or if_match is not None:
        conditions.require(if_match, conditions.tag(experiment.version))
    values = change.model_dump(exclude_none=True)
    await _require_possible(tx, project_key, experiment, values)
    return await changed(tx, experiment, values, action="updated", by=by)


async def set_plan(
    tx: WriteSession, project_key: str, key: str, plan: Plan, *, if_match: str | None, by: By
) -> ExperimentOut:
    """The DRAFT with another plan.

    Raises:
        IllegalMove: It has started; deviate from the plan, or restart as a new phase.
        UnknownMetric: The plan names a metric that does not exist.
    """
    experiment = await locked(tx, project_key, key)
    conditions.require(if_match, conditions.tag(experiment.version))
    lifecycle.move(state_of(experiment), Move.PLAN)
    read_by = list(plan.metrics())
    await metrics.require_all(tx, project_key, read_by)
    values = {"plan": stored(plan), "metrics": read_by}
    return await changed(tx, experiment, values, action="planned", by=by)


async def delete(tx: WriteSession, project_key: str, key: str, *, if_match: str | None, by: By) -> None:
    """Removes a DRAFT.

    Raises:
        IllegalMove: It has started; complete it, so that what was learnt is kept.
    """
    experiment = await locked(tx, project_key, key)
    conditions.require(if_match, conditions.tag(experiment.version))
    lifecycle.move(state_of(experiment), Move.DELETE)
    before = recorded(experiment_out(experiment, None))
    await record(tx, experiment, "deleted", before=before, after=None, by=by)
    await repository.delete_experiment(tx, experiment.id)


async def listing(
    tx: ReadSession,
    project_key: str,
    *,
    search: str | None = None,
    state: str | None = None,
    outcome: str | None = None,
    tag: str | None = None,
    cursor: str | None,
    limit: int,
) -> tuple[list[ExperimentOut], str | None]:
    """A page of a project's experiments, oldest first, and the cursor of the next.

    Args:
        search: Only those with a word beginning with each of these in key, name, description, hypothesis,
            learnings or tags.
    """
    project = await projects.get(tx, project_key)
    matching = searching.query(search) if search else None
    if search and matching is None:
        return [], None
    rows = await repository.page(
        tx,
        project.id,
        matching=matching,
        where={"state": state, "outcome": outcome},
        tag=tag,
        cursor=cursor,
        limit=limit,
    )
    rows, following = pagination.split(rows, limit=limit)
    return await read_all(tx, rows), following


async def newest(tx: ReadSession, *, limit: int) -> list[tuple[str, ExperimentOut]]:
    """The experiments of all projects made last, newest first, each with the key of its project."""
    rows = await repository.newest(tx, limit=limit)
    keys = await projects.keys(tx, {row.project_id for row in rows})
    read_rows = await read_all(tx, rows)
    return [(keys[row.project_id], found) for row, found in zip(rows, read_rows, strict=True)]


async def assigning(tx: ReadSession) -> list[Assigning]:
    """The ACTIVE experiments of all projects."""
    rows = await repository.assigning(tx)
    keys = await projects.keys(tx, {row.project_id for row, _ in rows})
    return [Assigning(row.id, keys[row.project_id], row.key, began) for row, began in rows]


async def sharing_units(tx: ReadSession, project_key: str, experiment: ExperimentOut) -> list[ExperimentOut]:
    """Other experiments that may have had the same units at the same time, newest first."""
    project = await projects.get(tx, project_key)
    rows = await repository.others(tx, project.id, experiment.key, limit=MOST_OTHERS)
    return [other for other in await read_all(tx, rows) if share_units(experiment, other)]


async def phases(tx: ReadSession, project_key: str, key: str) -> PhasesOut:
    """The phases of an experiment, first to last."""
    rows = await repository.phases(tx, await identify(tx, project_key, key))
    return PhasesOut(items=await _phases_out(tx, rows))


async def epochs(tx: ReadSession, project_key: str, key: str) -> EpochsOut:
    """The epochs of a bandit, first to last; none of another experiment."""
    found = await phases(tx, project_key, key)
    return EpochsOut(
        items=[
            PhaseEpochOut.model_validate({**dict(epoch), "phase": phase.number})
            for phase in found.items
            for epoch in phase.epochs
        ]
    )


async def row_of(tx: ReadSession, project_key: str, key: str) -> Experiment:
    """The row of an experiment.

    Raises:
        ExperimentNotFound: The project has none of this key.
    """
    project = await projects.get(tx, project_key)
    found = await repository.by_keys(tx, project.id, [key])
    if not found:
        raise ExperimentNotFound(f"project {project_key!r} has no experiment {key!r}", value=key)
    return found[0]


async def locked(tx: WriteSession, project_key: str, key: str) -> Experiment:
    """The row of an experiment that nobody else changes until the transaction ends.

    Raises:
        ExperimentNotFound: The project has none of this key.
    """
    project = await projects.get(tx, project_key)
    found = await repository.lock(tx, project.id, key)
    if found is None:
        raise ExperimentNotFound(f"project {project_key!r} has no experiment {key!r}", value=key)
    return found


async def changed(
    tx: WriteSession, experiment: Experiment, values: Mapping[str, Any], *, action: str, by: By
) -> ExperimentOut:
    """The experiment with these values, which is added to the change log."""
    before = recorded(await read(tx, experiment))
    after = await read(tx, await repository.update_experiment(tx, experiment, values))
    await record(tx, experiment, action, before=before, after=recorded(after), by=by)
    return after


async def record(
    tx: WriteSession,
    experiment: Experiment,
    action: str,
    *,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    by: By,
) -> None:
    """Adds what was done to an experiment to the change log."""
    await audit.record(
        tx,
        project_id=experiment.project_id,
        actor=by.actor,
        action=f"experiment.{action}",
        subject=f"experiments/{experiment.key}",
        before=before,
        after=after,
        at=by.at,
        note=by.note,
    )


async def read(tx: ReadSession, experiment: Experiment) -> ExperimentOut:
    """An experiment as the API gives it."""
    return (await read_all(tx, [experiment]))[0]


async def read_all(tx: ReadSession, rows: Sequence[Experiment]) -> list[ExperimentOut]:
    """Experiments as the API gives them."""
    started = [row.id for row in rows if row.started_at is not None]
    last = await repository.latest_phases(tx, started) if started else {}
    told = dict(zip(last, await _phases_out(tx, list(last.values())), strict=True))
    return [experiment_out(row, told.get(row.id)) for row in rows]


async def _phases_out(tx: ReadSession, rows: Sequence[Phase]) -> list[PhaseOut]:
    bandits = [row.id for row in rows if row.frozen["plan"].get("bandit") is not None]
    known: dict[uuid.UUID, list[EpochOut]] = {}
    for epoch in await repository.epochs(tx, bandits) if bandits else []:
        known.setdefault(epoch.phase_id, []).append(EpochOut.model_validate(epoch))
    return [PhaseOut.model_validate(row).model_copy(update={"epochs": known.get(row.id, [])}) for row in rows]


def experiment_out(row: Experiment, phase: PhaseOut | None) -> ExperimentOut:
    """An experiment with its last phase as the API gives it."""
    computed = {"plan", "phase", "departure", "etag"}
    values = {name: getattr(row, name) for name in set(ExperimentOut.model_fields) - computed}
    plan = None if row.plan is None else plan_of(row)
    return ExperimentOut.model_validate(
        {
            **values,
            "plan": plan,
            "phase": phase,
            "departure": None if plan is None or phase is None else _departure(phase, plan),
            "etag": conditions.tag(row.version),
        }
    )


def state_of(experiment: Experiment) -> State:
    """Where a planned experiment stands.

    Raises:
        NotPlanned: It is observed.
    """
    if experiment.state is None:
        raise NotPlanned(
            f"experiment {experiment.key!r} is observed: its units are assigned elsewhere; "
            "make an experiment with a plan to assign them here",
            value=experiment.key,
        )
    return State(experiment.state)


def plan_of(experiment: Experiment) -> Plan:
    """The plan that a planned experiment follows."""
    return Plan.model_validate(experiment.plan)


def stored(plan: Plan) -> dict[str, Any]:
    """A plan as its row holds it."""
    return plan.model_dump(mode="json")


def recorded(experiment: ExperimentOut) -> dict[str, Any]:
    """An experiment as the change log compares it."""
    left_out = dict.fromkeys(("etag", "created_at", "updated_at", "departure"), True)
    # The log of changes tells a bandit's moves one by one.
    return experiment.model_dump(mode="json", exclude={**left_out, "phase": {"epochs"}})


async def _require_exposures(tx: ReadSession, project_key: str, assignments: Assignments) -> None:
    if not isinstance(assignments, FromTable):
        return
    table = await catalog.require_table(tx, project_key, assignments.table)
    if table.roles.variant is None:
        raise InvalidDesign(
            f"table {table.key!r} holds metric events; assignments need one with the role `variant`",
            value=table.key,
        )
    unit_of(table, assignments.unit, is_certain=assignments.unit is not None)


def _departure(phase: PhaseOut, plan: Plan) -> DepartureOut:
    frozen = Plan.model_validate(phase.frozen["plan"])
    found = freezing.departure(frozen, plan)
    return DepartureOut(
        fields=list(found.fields), metrics=list(found.metrics), is_exploratory=found.is_exploratory
    )


async def _require_possible(
    tx: ReadSession, project_key: str, experiment: Experiment, values: Mapping[str, Any]
) -> None:
    if not values.keys().isdisjoint({"arms", "control"}):
        lifecycle.move(state_of(experiment), Move.PLAN)
    if "metrics" in values and experiment.state is not None:
        raise InvalidDesign(
            f"the plan of experiment {experiment.key!r} names its metrics; change the plan, "
            "or deviate from it once it has started",
            value="metrics",
        )
    if "metrics" in values:
        await metrics.require_all(tx, project_key, values["metrics"])
    parts = ("arms", "control", "metrics", "known_effects")
    try:
        Design.model_validate({name: values.get(name, getattr(experiment, name)) for name in parts})
    except ValidationError as error:
        raise InvalidDesign(str(error.errors()[0]["msg"]).removeprefix("Value error, ")) from error
