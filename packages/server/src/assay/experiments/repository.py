"""Queries over experiments, their phases, their log and what is due."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import distinct_on, insert

from assay.core.database import ReadSession, WriteSession
from assay.experiments.lifecycle import State
from assay.experiments.models import Due, Entry, Epoch, Experiment, Phase, Template
from assay.flags import searching
from assay.shared import pagination
from assay.shared.ids import new_id
from assay_engine.holdouts import PREFIX

_SIMPLE: ColumnElement[str] = literal_column("'simple'::regconfig")
# What a holdout is analysed as is no experiment where experiments are listed or learnt from.
_IS_EXPERIMENT: ColumnElement[bool] = ~Experiment.key.startswith(PREFIX)


async def by_keys(tx: ReadSession, project_id: uuid.UUID, keys: Collection[str]) -> Sequence[Experiment]:
    """The project's experiments with these keys, those that exist."""
    rows = await tx.scalars(
        select(Experiment).where(Experiment.project_id == project_id, Experiment.key.in_(keys))
    )
    return rows.all()


async def of_holdouts(tx: ReadSession, project_id: uuid.UUID, *, limit: int) -> Sequence[Experiment]:
    """What the project's holdouts are analysed as, newest first."""
    statement = select(Experiment).where(Experiment.project_id == project_id, ~_IS_EXPERIMENT)
    return (await tx.scalars(statement.order_by(Experiment.id.desc()).limit(limit))).all()


async def started(
    tx: ReadSession, project_id: uuid.UUID, environment: str, *, limit: int
) -> Sequence[Experiment]:
    """The newest of the project's experiments that assign units in an environment or did, by their start."""
    statement = select(Experiment).where(
        Experiment.project_id == project_id,
        Experiment.plan.is_not(None),
        Experiment.started_at.is_not(None),
        Experiment.assignments["environment"].astext == environment,
    )
    rows = await tx.scalars(statement.order_by(Experiment.started_at.desc()).limit(limit))
    return rows.all()[::-1]


async def lock(tx: WriteSession, project_id: uuid.UUID, key: str) -> Experiment | None:
    """The experiment as it is now; nobody else changes it until the transaction ends."""
    statement = select(Experiment).where(Experiment.project_id == project_id, Experiment.key == key)
    # KEY SHARE stays possible: entries and phases refer to the row.
    return await tx.scalar(
        statement.with_for_update(key_share=True), execution_options={"populate_existing": True}
    )


async def page(
    tx: ReadSession,
    project_id: uuid.UUID,
    *,
    matching: str | None = None,
    where: Mapping[str, str | None] | None = None,
    tag: str | None = None,
    cursor: str | None,
    limit: int,
) -> Sequence[Experiment]:
    """One row more than a page of the project's experiments.

    Args:
        matching: A text query of `searching.query`.
        where: Values that columns have.
    """
    statement = select(Experiment).where(Experiment.project_id == project_id, _IS_EXPERIMENT)
    for column, value in (where or {}).items():
        if value is not None:
            statement = statement.where(getattr(Experiment, column) == value)
    if matching is not None:
        statement = statement.where(Experiment.words.bool_op("@@")(func.to_tsquery(_SIMPLE, matching)))
    if tag is not None:
        statement = statement.where(Experiment.tags.contains([tag]))
    rows = await tx.scalars(pagination.after(statement, Experiment.id, cursor=cursor, limit=limit))
    return rows.all()


async def newest(tx: ReadSession, *, limit: int) -> Sequence[Experiment]:
    """The experiments of all projects made last, newest first."""
    statement = select(Experiment).where(_IS_EXPERIMENT)
    return (await tx.scalars(statement.order_by(Experiment.id.desc()).limit(limit))).all()


async def running(tx: ReadSession, project_id: uuid.UUID) -> Sequence[Experiment]:
    """The project's experiments whose rules stand in flags, by key."""
    statement = select(Experiment).where(
        Experiment.project_id == project_id, Experiment.state.in_([State.ACTIVE, State.PAUSED])
    )
    return (await tx.scalars(statement.order_by(Experiment.key))).all()


async def others(tx: ReadSession, project_id: uuid.UUID, key: str, *, limit: int) -> Sequence[Experiment]:
    """The project's other experiments that have or may have exposures, newest first."""
    statement = select(Experiment).where(
        Experiment.project_id == project_id,
        Experiment.key != key,
        _IS_EXPERIMENT,
        Experiment.started_at.is_not(None) | Experiment.state.is_(None),
    )
    return (await tx.scalars(statement.order_by(Experiment.id.desc()).limit(limit))).all()


async def assigning(tx: ReadSession) -> Sequence[tuple[Experiment, datetime]]:
    """The ACTIVE experiments of all projects, each with the begin of its phase."""
    statement = (
        select(Experiment, Phase.started_at)
        .join(Phase, Phase.experiment_id == Experiment.id)
        .where(Experiment.state == State.ACTIVE, Phase.ended_at.is_(None))
        .order_by(Experiment.id)
    )
    return [(experiment, began) for experiment, began in await tx.execute(statement)]


async def insert_experiment(
    tx: WriteSession, project_id: uuid.UUID, values: Mapping[str, Any]
) -> Experiment | None:
    """The new experiment, or None when the key is taken."""
    row = {"id": new_id(), "project_id": project_id, "version": 1, "learnings": "", **values}
    statement = insert(Experiment).values(**row, words=_words(row)).on_conflict_do_nothing()
    return await tx.scalar(statement.returning(Experiment))


async def update_experiment(
    tx: WriteSession, experiment: Experiment, values: Mapping[str, Any]
) -> Experiment:
    """The experiment with these values, one version on."""
    known = ("key", "name", "description", "learnings", "tags", "plan")
    now = {name: getattr(experiment, name) for name in known} | dict(values)
    statement = (
        update(Experiment)
        .where(Experiment.id == experiment.id)
        .values(**values, words=_words(now), version=Experiment.version + 1)
    )
    await tx.execute(statement.execution_options(synchronize_session=False))
    await tx.refresh(experiment)
    return experiment


async def delete_experiment(tx: WriteSession, experiment_id: uuid.UUID) -> None:
    """Removes an experiment that never started, with all that was said about it."""
    for table in (Due, Entry):
        await tx.execute(delete(table).where(table.experiment_id == experiment_id))
    await tx.execute(delete(Experiment).where(Experiment.id == experiment_id))


async def insert_phase(tx: WriteSession, values: Mapping[str, Any]) -> Phase:
    """The new phase."""
    return (await tx.scalars(insert(Phase).values(id=new_id(), **values).returning(Phase))).one()


async def update_phase(tx: WriteSession, phase_id: uuid.UUID, values: Mapping[str, Any]) -> None:
    """Changes how a phase goes on or ended."""
    statement = update(Phase).where(Phase.id == phase_id).values(**values)
    await tx.execute(statement.execution_options(synchronize_session="fetch"))


async def latest_phases(tx: ReadSession, experiments: Collection[uuid.UUID]) -> dict[uuid.UUID, Phase]:
    """The last phase of each experiment that has one."""
    statement = (
        select(Phase)
        .where(Phase.experiment_id.in_(experiments))
        .ext(distinct_on(Phase.experiment_id))
        .order_by(Phase.experiment_id, Phase.number.desc())
    )
    rows = await tx.scalars(statement, execution_options={"populate_existing": True})
    return {row.experiment_id: row for row in rows}


async def phases(tx: ReadSession, experiment_id: uuid.UUID) -> Sequence[Phase]:
    """All phases of an experiment, first to last."""
    statement = select(Phase).where(Phase.experiment_id == experiment_id).order_by(Phase.number)
    return (await tx.scalars(statement)).all()


async def insert_epoch(tx: WriteSession, values: Mapping[str, Any]) -> None:
    """Adds an epoch of a bandit."""
    await tx.execute(insert(Epoch).values(id=new_id(), **values))


async def latest_epoch(tx: ReadSession, phase_id: uuid.UUID) -> Epoch | None:
    """The last epoch of a phase, None of one that is no bandit."""
    statement = select(Epoch).where(Epoch.phase_id == phase_id).order_by(Epoch.number.desc()).limit(1)
    return await tx.scalar(statement)


async def epochs(tx: ReadSession, phases: Collection[uuid.UUID]) -> list[Epoch]:
    """The epochs of these phases, first to last in each."""
    statement = select(Epoch).where(Epoch.phase_id.in_(phases)).order_by(Epoch.phase_id, Epoch.number)
    return list((await tx.scalars(statement)).all())


async def add_entry(tx: WriteSession, values: Mapping[str, Any]) -> Entry:
    """The new entry of an experiment's log."""
    return (await tx.scalars(insert(Entry).values(id=new_id(), **values).returning(Entry))).one()


async def entries(
    tx: ReadSession, experiment_id: uuid.UUID, *, kind: str | None, cursor: str | None, limit: int
) -> Sequence[Entry]:
    """One row more than a page of an experiment's log, newest first."""
    statement = select(Entry).where(Entry.experiment_id == experiment_id)
    if kind is not None:
        statement = statement.where(Entry.kind == kind)
    return (await tx.scalars(pagination.before(statement, Entry.id, cursor=cursor, limit=limit))).all()


async def has_entry(
    tx: ReadSession, experiment_id: uuid.UUID, *, kind: str, actor: str, since: datetime
) -> bool:
    """Whether this was done to an experiment by this actor since then."""
    mine = (Entry.experiment_id == experiment_id, Entry.kind == kind, Entry.actor == actor, Entry.at >= since)
    return bool(await tx.scalar(select(select(Entry.id).where(*mine).exists())))


async def add_due(tx: WriteSession, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds what shall happen to an experiment."""
    waiting = {"coverage": None, "state": "WAITING", "reason": ""}
    if rows:
        await tx.execute(insert(Due), [{"id": new_id(), **waiting, **row} for row in rows])


async def due(tx: ReadSession, experiment_id: uuid.UUID) -> Sequence[Due]:
    """All that was and shall be done to an experiment at a time, in that order."""
    statement = select(Due).where(Due.experiment_id == experiment_id).order_by(Due.at, Due.id)
    return (await tx.scalars(statement, execution_options={"populate_existing": True})).all()


async def due_before(
    tx: ReadSession, now: datetime, *, limit: int
) -> Sequence[tuple[uuid.UUID, uuid.UUID, str]]:
    """What is due, oldest first: its identifier, the experiment's project and key."""
    statement = (
        select(Due.id, Experiment.project_id, Experiment.key)
        .join(Experiment, Experiment.id == Due.experiment_id)
        .where(Due.state == "WAITING", Due.at <= now)
        .order_by(Due.at, Due.id)
        .limit(limit)
    )
    return [(identifier, project, key) for identifier, project, key in await tx.execute(statement)]


async def lock_due(tx: WriteSession, identifier: uuid.UUID) -> Due | None:
    """What is due, if it still waits; nobody else settles it until the transaction ends."""
    statement = select(Due).where(Due.id == identifier, Due.state == "WAITING").with_for_update()
    return await tx.scalar(statement, execution_options={"populate_existing": True})


async def settle(
    tx: WriteSession, *where: ColumnElement[bool], state: str, at: datetime, reason: str = ""
) -> None:
    """Ends the waiting of what is due."""
    statement = update(Due).where(Due.state == "WAITING", *where)
    await tx.execute(
        statement.values(state=state, settled_at=at, reason=reason).execution_options(
            synchronize_session=False
        )
    )


async def settle_one(
    tx: WriteSession, identifier: uuid.UUID, *, state: str, at: datetime, reason: str
) -> None:
    """Ends the waiting of one."""
    await settle(tx, Due.id == identifier, state=state, at=at, reason=reason)


async def settle_all(
    tx: WriteSession, experiment_id: uuid.UUID, actions: Collection[str], *, at: datetime, reason: str
) -> None:
    """Cancels all that waits of these kinds."""
    mine = Due.experiment_id == experiment_id
    await settle(tx, mine, Due.action.in_(actions), state="CANCELLED", at=at, reason=reason)


async def put_template(
    tx: WriteSession, project_id: uuid.UUID, key: str, values: Mapping[str, Any]
) -> Template:
    """The template, new or replaced; `values` say when."""
    row = {"id": new_id(), "project_id": project_id, "key": key, **values}
    statement = (
        insert(Template)
        .values(row)
        .on_conflict_do_update(index_elements=[Template.project_id, Template.key], set_=dict(values))
    )
    return (
        await tx.scalars(statement.returning(Template), execution_options={"populate_existing": True})
    ).one()


async def template(tx: ReadSession, project_id: uuid.UUID, key: str) -> Template | None:
    """A template by its key."""
    return await tx.scalar(_templates(project_id).where(Template.key == key))


async def templates(
    tx: ReadSession, project_id: uuid.UUID, *, cursor: str | None, limit: int
) -> Sequence[Template]:
    """One row more than a page of a project's templates, oldest first."""
    statement = pagination.after(_templates(project_id), Template.id, cursor=cursor, limit=limit)
    return (await tx.scalars(statement)).all()


async def delete_template(tx: WriteSession, template_id: uuid.UUID) -> None:
    """Removes a template."""
    await tx.execute(delete(Template).where(Template.id == template_id))


def _templates(project_id: uuid.UUID) -> Select[Template]:
    return select(Template).where(Template.project_id == project_id)


def _words(values: Mapping[str, Any]) -> ColumnElement[str]:
    plan: Mapping[str, Any] = values.get("plan") or {}
    hypothesis = str(plan.get("hypothesis", ""))
    texts = [values[name] for name in ("key", "name", "description", "learnings")]
    return func.to_tsvector(_SIMPLE, searching.words([*texts, hypothesis, *values["tags"]]))


async def newest_of(tx: ReadSession, project_id: uuid.UUID, *, limit: int) -> Sequence[Experiment]:
    """A project's experiments made last, newest first."""
    statement = select(Experiment).where(Experiment.project_id == project_id, _IS_EXPERIMENT)
    return (await tx.scalars(statement.order_by(Experiment.id.desc()).limit(limit))).all()


async def over(tx: ReadSession, project_id: uuid.UUID) -> Sequence[Experiment]:
    """A project's experiments that are completed or observed, oldest first."""
    statement = select(Experiment).where(Experiment.project_id == project_id, _is_over())
    return (await tx.scalars(statement.order_by(Experiment.id))).all()


async def archive(
    tx: ReadSession,
    project_id: uuid.UUID,
    *,
    matching: str | None,
    tag: str | None,
    metric: str | None,
    outcome: str | None,
    since: datetime | None,
    until: datetime | None,
    cursor: str | None,
    limit: int,
) -> Sequence[Experiment]:
    """One row more than a page of those that are over, newest first; see `page` for `matching`."""
    ended = func.coalesce(Experiment.ended_at, Experiment.created_at)
    statement = select(Experiment).where(Experiment.project_id == project_id, _is_over())
    if matching is not None:
        statement = statement.where(Experiment.words.bool_op("@@")(func.to_tsquery(_SIMPLE, matching)))
    if tag is not None:
        statement = statement.where(Experiment.tags.contains([tag]))
    if metric is not None:
        statement = statement.where(Experiment.metrics.contains([metric]))
    if outcome is not None:
        statement = statement.where(Experiment.outcome == outcome)
    if since is not None:
        statement = statement.where(ended >= since)
    if until is not None:
        statement = statement.where(ended < until)
    rows = await tx.scalars(pagination.before(statement, Experiment.id, cursor=cursor, limit=limit))
    return rows.all()


def _is_over() -> ColumnElement[bool]:
    return _IS_EXPERIMENT & (Experiment.state.is_(None) | (Experiment.state == State.COMPLETED))
