"""The background work of this domain."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from assay.analysis import guarding, service
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

if TYPE_CHECKING:
    from ibis.expr.types import Table

    from assay.events.facts import Facts


def handlers(settings: Settings, database: Database, url: str) -> Mapping[str, Handler]:
    """The tasks this domain can run."""

    async def results(task: Task) -> dict[str, Any]:
        project, key = task.arguments["project"], task.arguments["experiment"]
        async with database.reading(isolation="REPEATABLE READ") as tx:
            experiment = await experiments.get(tx, project, key)
            measured = await metrics.require_all(tx, project, experiment.metrics)
            place = await projects.get_environment(tx, project, experiment.assignments.environment)
        await task.report(0.1, "reading events")
        facts = partial(events.facts, settings, url, environment_id=place.id)
        result = await anyio.to_thread.run_sync(_analyze, experiment, measured, facts)
        await guarding.act_on(database, project, experiment, result["document"]["halts"])
        return result

    return {service.KIND: results}


def _event_names(measured: list[MetricOut]) -> list[str]:
    return sorted({name for metric in measured for name in event_names(metric.definition)})


def _analyze(
    experiment: ExperimentOut,
    measured: list[MetricOut],
    facts_of: Callable[..., AbstractContextManager["Facts"]],
) -> dict[str, Any]:
    # The engine and its statistics are loaded by the first analysis, not by every start.
    from assay.analysis.bundle import to_json  # noqa: PLC0415
    from assay.analysis.experiment import observe_events, plan_of  # noqa: PLC0415
    from assay.analysis.record import concluded, write  # noqa: PLC0415
    from assay.sources.service import local_engine  # noqa: PLC0415

    engine = local_engine()
    with facts_of(engine, experiment=experiment.key, names=_event_names(measured)) as facts:
        rows = _of_phase(facts.table, experiment)
        record = observe_events({None: rows}, plan_of(experiment, measured, now=utc_now()))
    return {"document": concluded(record).model_dump(mode="json"), "record": to_json(write(record))}


def _of_phase(rows: "Table", experiment: ExperimentOut) -> "Table":
    """Without the exposures of earlier phases, whose arms another salt assigned."""
    if experiment.phase is None or experiment.phase.number == 1:
        return rows
    return rows.filter((rows["kind"] != "exposure") | (rows["at"] >= experiment.phase.started_at))
