"""The background work of this domain."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio.from_thread
import anyio.to_thread

from assay.analysis import archive, gathering, guarding, service
from assay.analysis.document import Document
from assay.core.clock import utc_now
from assay.core.config import Settings
from assay.core.database import Database
from assay.events import service as events
from assay.experiments import service as experiments
from assay.experiments.schemas import ExperimentOut
from assay.jobs.worker import Handler, Task
from assay.metrics import service as metrics
from assay.metrics.definition import event_names
from assay.metrics.schemas import MetricOut
from assay.projects import service as projects
from assay.sources.errors import UnusableTable

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table

    from assay.analysis.plan import Plan
    from assay.events.facts import Facts


def handlers(settings: Settings, database: Database, url: str) -> Mapping[str, Handler]:
    """The tasks this domain can run."""

    async def results(task: Task) -> dict[str, Any]:
        project, key = task.arguments["project"], task.arguments["experiment"]
        async with database.reading(isolation="REPEATABLE READ") as tx:
            experiment = await experiments.get(tx, project, key)
            measured = await metrics.require_all(tx, project, experiment.metrics)
            places = await gathering.locate(tx, project, experiment, measured)
            place = await projects.get_environment(tx, project, experiment.assignments.environment)
        await task.report(0.1, "reading events")
        facts = partial(events.facts, settings, url, environment_id=place.id)
        reader = gathering.Reader(settings, database, task, places)
        result = await anyio.to_thread.run_sync(_analyze, experiment, measured, facts, reader)
        await guarding.act_on(database, project, experiment, result["document"]["halts"])
        await _archive(database, project, key, result["document"])
        return result

    return {service.KIND: results}


async def _archive(database: Database, project: str, key: str, found: dict[str, Any]) -> None:
    document = Document.model_validate(found)
    await database.write(
        partial(archive.keep, project=project, experiment=key, document=document, now=utc_now())
    )


def _event_names(measured: list[MetricOut]) -> list[str]:
    own = [metric.definition for metric in measured if metric.source is None]
    return sorted({name for definition in own for name in event_names(definition)})


def _analyze(
    experiment: ExperimentOut,
    measured: list[MetricOut],
    facts_of: Callable[..., AbstractContextManager["Facts"]],
    reader: gathering.Reader,
) -> dict[str, Any]:
    # The engine and its statistics are loaded by the first analysis, not by every start.
    from assay.analysis.bundle import to_json  # noqa: PLC0415
    from assay.analysis.experiment import observe_events, plan_of  # noqa: PLC0415
    from assay.analysis.record import concluded, write  # noqa: PLC0415
    from assay.sources.service import local_engine  # noqa: PLC0415

    engine = local_engine()
    plan = plan_of(experiment, measured, now=utc_now())
    with facts_of(engine, experiment=experiment.key, names=_event_names(measured)) as facts:
        rows = _of_phase(facts.table, experiment)
        tables, unread = _beside(engine, rows, plan, reader)
        record = observe_events(tables, plan, unread)
    return {"document": concluded(record).model_dump(mode="json"), "record": to_json(write(record))}


def _beside(
    engine: "Backend", rows: "Table", plan: "Plan", reader: gathering.Reader
) -> tuple[dict[str | None, "Table"], dict[str, str]]:
    """The events with the tables beside them, and what those said that could not be read."""
    from assay.analysis.fetched import as_local, span_of, with_exposures  # noqa: PLC0415 — as above

    exposures = anyio.from_thread.run(reader.exposures)
    rows = rows if exposures is None else with_exposures(rows, as_local(engine, exposures))
    if not plan.sources:
        return {None: rows}, {}
    found = anyio.from_thread.run(reader.sources, plan, span_of(rows))
    tables: dict[str | None, Table] = {None: rows}
    for key, brought in found.rows.items():
        try:
            tables[key] = as_local(engine, brought)
        except UnusableTable as error:
            found.unread[key] = f"table {key!r}: {error.message}"
    return tables, found.unread


def _of_phase(rows: "Table", experiment: ExperimentOut) -> "Table":
    """Without the exposures of earlier phases, whose arms another salt assigned."""
    if experiment.phase is None or experiment.phase.number == 1:
        return rows
    return rows.filter((rows["kind"] != "exposure") | (rows["at"] >= experiment.phase.started_at))
