"""The background work of this domain."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.from_thread
import anyio.to_thread

from assay.analysis import gathering, guarding, service
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
        folder = events.derived_folder(settings, place.id) / experiment.key
        result = await anyio.to_thread.run_sync(_analyze, experiment, measured, facts, reader, folder)
        await guarding.act_on(database, project, experiment, result["document"]["halts"])
        return result

    return {service.KIND: results}


def _event_names(measured: list[MetricOut]) -> list[str]:
    own = [metric.definition for metric in measured if metric.source is None]
    return sorted({name for definition in own for name in event_names(definition)})


def _analyze(
    experiment: ExperimentOut,
    measured: list[MetricOut],
    facts_of: Callable[..., AbstractContextManager["Facts"]],
    reader: gathering.Reader,
    folder: Path,
) -> dict[str, Any]:
    # The engine and its statistics are loaded by the first analysis, not by every start.
    from assay.analysis.bundle import to_json  # noqa: PLC0415
    from assay.analysis.days import Kept, observe_days  # noqa: PLC0415
    from assay.analysis.experiment import observe_events, plan_of  # noqa: PLC0415
    from assay.analysis.record import concluded, write  # noqa: PLC0415
    from assay.sources.service import local_engine  # noqa: PLC0415

    engine, now = local_engine(keeps_order=False), utc_now()
    plan = plan_of(experiment, measured, now=now)
    kept = Kept(folder, partial(_of_phase, experiment=experiment), _phase(experiment))
    with facts_of(engine, experiment=experiment.key, names=_event_names(measured)) as facts:
        is_whole = reader.places.exposed is None and not plan.sources
        record = observe_days(engine, facts, plan, kept, now=now) if is_whole else None
        if record is None:
            tables, unread = _beside(engine, kept.counting(facts.table), plan, reader)
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


def _phase(experiment: ExperimentOut) -> str:
    """Names the phase: a later one counts other exposures."""
    if experiment.phase is None or experiment.phase.number == 1:
        return "1"
    return f"{experiment.phase.number}-{experiment.phase.started_at:%Y%m%dT%H%M%S%f}"


def _of_phase(rows: "Table", experiment: ExperimentOut) -> "Table":
    """Without the exposures of earlier phases, whose arms another salt assigned."""
    if experiment.phase is None or experiment.phase.number == 1:
        return rows
    return rows.filter((rows["kind"] != "exposure") | (rows["at"] >= experiment.phase.started_at))
