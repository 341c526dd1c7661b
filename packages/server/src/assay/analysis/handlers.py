"""The background work of this domain."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.from_thread

from assay.analysis import archive, gathering, guarding, service
from assay.analysis.document import Document
from assay.analysis.errors import AnalysisCancelled, AnalysisTimeout
from assay.analysis.schemas import ResultRequest
from assay.core.clock import utc_now
from assay.core.config import Settings
from assay.core.database import Database, ReadSession
from assay.events import service as events
from assay.experiments import service as experiments
from assay.experiments.holdouts import FromHoldout
from assay.experiments.schemas import ExperimentOut
from assay.jobs.worker import Handler, Task
from assay.metrics import service as metrics
from assay.metrics.definition import event_names
from assay.metrics.schemas import MetricOut
from assay.projects import service as projects
from assay.sources import catalog
from assay.sources.errors import QueryCancelled, UnusableTable
from assay.sources.running import Limits, supervised

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table, Value

    from assay.analysis.collected import Arrivals
    from assay.analysis.experiment import Options
    from assay.analysis.plan import Plan
    from assay.events.facts import Facts


@dataclass(frozen=True, slots=True)
class _Question:
    """What an analysis is about, as the database said at one moment."""

    experiment: ExperimentOut
    measured: list[MetricOut]
    overlapping: list[ExperimentOut]
    asked: ResultRequest
    rejected: Mapping[str, int]
    rejected_reason: str | None
    lag_seconds: float | None
    problem: str | None


@dataclass(slots=True)
class _Running:
    """An analysis in its thread, which another one may interrupt."""

    question: _Question
    facts_of: Callable[..., AbstractContextManager["Facts"]]
    reader: gathering.Reader
    folder: Path
    engine: "Backend | None" = field(default=None)

    def perform(self) -> dict[str, Any]:
        from assay.sources.service import local_engine  # noqa: PLC0415 — loaded by the first analysis

        self.engine = local_engine()
        return _analyze(self.engine, self.question, self.facts_of, self.reader, self.folder)

    def interrupt(self) -> None:
        # The thread may be waiting for a table instead of the engine.
        self.reader.stopping.set()
        if self.engine is not None:
            self.engine.con.interrupt()


def handlers(settings: Settings, database: Database, url: str) -> Mapping[str, Handler]:
    """The tasks this domain can run."""

    async def results(task: Task) -> dict[str, Any]:
        project = task.arguments["project"]
        async with database.reading(isolation="REPEATABLE READ") as tx:
            question = await _question(tx, task)
            places = await gathering.locate(tx, project, question.experiment, question.measured)
            environment = question.experiment.assignments.environment
            place = await projects.get_environment(tx, project, environment)
        await task.report(0.1, "reading events")
        facts = partial(events.facts, settings, url, environment_id=place.id)
        folder = events.derived_folder(settings, place.id) / question.experiment.key
        running = _Running(question, facts, gathering.Reader(settings, database, task, places), folder)
        limits = _limits(settings, partial(_is_cancelled, database, task))
        try:
            result = await supervised(running.perform, running.interrupt, limits)
        except QueryCancelled as error:
            raise limits.cancelled from error
        if question.asked.is_plain:
            await guarding.act_on(database, project, question.experiment, result["document"]["halts"])
            await _archive(database, project, question.experiment.key, result["document"])
        return result

    return {service.KIND: results, service.EXPLORATION: results}


async def _question(tx: ReadSession, task: Task) -> _Question:
    project = task.arguments["project"]
    experiment = await experiments.get(tx, project, task.arguments["experiment"])
    asked = ResultRequest.model_validate(task.arguments.get("options", {}))
    measured = await metrics.require_all(tx, project, asked.metrics or experiment.metrics)
    environment = experiment.assignments.environment
    place = await projects.get_environment(tx, project, environment)
    status = await events.status(tx, project, environment, now=utc_now())
    names = [experiment.key, *_event_names(measured)]
    rejected, reason = await events.refused_naming(tx, place.id, names)
    return _Question(
        experiment=experiment,
        measured=measured,
        overlapping=await experiments.sharing_units(tx, project, experiment),
        asked=asked,
        rejected=rejected,
        rejected_reason=reason,
        lag_seconds=status.lag_seconds,
        problem=status.error,
    )


def _limits(settings: Settings, is_cancelled: Callable[[], Any]) -> Limits:
    seconds = settings.results_timeout_seconds
    return Limits(
        seconds=seconds,
        overdue=AnalysisTimeout(
            f"the analysis took longer than {seconds:g} s and was stopped; there is no result. Ask for less, "
            "such as fewer metrics or segments, or raise the setting results_timeout_seconds",
            value=seconds,
        ),
        cancelled=AnalysisCancelled("the analysis was cancelled; there is no result"),
        is_cancelled=is_cancelled,
    )


async def _is_cancelled(database: Database, task: Task) -> bool:
    async with database.reading() as tx:
        return await catalog.is_cancelled(tx, task.id)


async def _archive(database: Database, project: str, key: str, found: dict[str, Any]) -> None:
    document = Document.model_validate(found)
    await database.write(
        partial(archive.keep, project=project, experiment=key, document=document, now=utc_now())
    )


def _event_names(measured: list[MetricOut]) -> list[str]:
    own = [metric.definition for metric in measured if metric.source is None]
    return sorted({name for definition in own for name in event_names(definition)})


def _analyze(
    engine: "Backend",
    question: _Question,
    facts_of: Callable[..., AbstractContextManager["Facts"]],
    reader: gathering.Reader,
    folder: Path,
) -> dict[str, Any]:
    # The engine and its statistics are loaded by the first analysis, not by every start.
    from assay.analysis.bundle import to_json  # noqa: PLC0415
    from assay.analysis.days import Kept, observe_days  # noqa: PLC0415
    from assay.analysis.experiment import observe_events, plan_of  # noqa: PLC0415
    from assay.analysis.options import options_of  # noqa: PLC0415
    from assay.analysis.record import concluded, write  # noqa: PLC0415

    experiment, now = question.experiment, utc_now()
    options = _within(options_of(question.asked), experiment, now=now)
    plan = plan_of(experiment, question.measured, options, overlapping=question.overlapping, now=now)
    kept = Kept(folder, partial(_counting, experiment=experiment), _phase(experiment))
    with facts_of(
        engine,
        experiment=experiment.key,
        names=_event_names(question.measured),
        beside=[other.key for other in question.overlapping],
        until=options.until,
    ) as facts:
        rows = kept.counting(facts.table)
        others, arrivals = _of_others(facts.table, experiment), _arrivals(question, rows)
        record = None
        if reader.places.exposed is None:
            record = observe_days(engine, facts, plan, kept, others=others, arrivals=arrivals, now=now)
        if record is None:
            tables, unread = _beside(engine, rows, plan, reader)
            record = observe_events(tables, plan, unread, others=others, arrivals=arrivals)
    names = {arm.key: arm.name for arm in experiment.arms if arm.name is not None}
    record = replace(record, names=names)
    return {"document": concluded(record).model_dump(mode="json"), "record": to_json(write(record))}


def _of_others(rows: "Table", experiment: ExperimentOut) -> "Table":
    """The exposures of other experiments."""
    return rows.filter(_is_of_others(rows, experiment))


def _counting(rows: "Table", experiment: ExperimentOut) -> "Table":
    """Without the exposures of others, and of earlier phases or shares, which assigned other arms."""
    own = rows.filter(~_is_of_others(rows, experiment))
    since = _since(experiment)
    return own if since is None else own.filter((own["kind"] != "exposure") | (own["at"] >= since))


def _since(experiment: ExperimentOut) -> datetime | None:
    """From when on exposures count; None for all there are."""
    if isinstance(experiment.assignments, FromHoldout):
        return experiment.started_at
    if experiment.phase is None or experiment.phase.number == 1:
        return None
    return experiment.phase.started_at


def _within(options: "Options", experiment: ExperimentOut, *, now: datetime) -> "Options":
    """The options, with a holdout that has been released read up to that moment."""
    ended = experiment.ended_at if isinstance(experiment.assignments, FromHoldout) else None
    if ended is None or ended > now or (options.until is not None and options.until < ended):
        return options
    return replace(options, until=ended)


def _is_of_others(rows: "Table", experiment: ExperimentOut) -> "Value":
    return (rows["kind"] == "exposure") & (rows["name"] != experiment.key)


def _arrivals(question: _Question, rows: "Table") -> "Arrivals":
    from assay.analysis.arriving import arrived  # noqa: PLC0415 — as above
    from assay.analysis.collected import Arrivals  # noqa: PLC0415 — as above

    return Arrivals(
        arrived(rows),
        rejected=question.rejected,
        rejected_reason=question.rejected_reason,
        lag_seconds=question.lag_seconds,
        problem=question.problem,
    )


def _beside(
    engine: "Backend", rows: "Table", plan: "Plan", reader: gathering.Reader
) -> tuple[dict[str | None, "Table"], dict[str, str]]:
    """The events with the tables beside them, and what those said that could not be read."""
    from assay.analysis.fetched import as_local, span_of, with_exposures  # noqa: PLC0415 — as above

    exposures = anyio.from_thread.run(reader.exposures)
    if exposures is not None:
        rows = with_exposures(rows, _until(as_local(engine, exposures), plan))
    if not plan.sources:
        return {None: rows}, {}
    found = anyio.from_thread.run(reader.sources, plan, span_of(rows))
    tables: dict[str | None, Table] = {None: rows}
    for key, brought in found.rows.items():
        try:
            tables[key] = _until(as_local(engine, brought), plan)
        except UnusableTable as error:
            found.unread[key] = f"table {key!r}: {error.message}"
    return tables, found.unread


def _until(rows: "Table", plan: "Plan") -> "Table":
    return rows if plan.until is None else rows.filter(rows["at"] < plan.until)


def _phase(experiment: ExperimentOut) -> str:
    """Names the phase: a later one counts other exposures."""
    since = _since(experiment)
    if since is None:
        return "1"
    number = "h" if experiment.phase is None else experiment.phase.number
    return f"{number}-{since:%Y%m%dT%H%M%S%f}"
