"""Joins the routers of the domains under `/api/v1`."""

from fastapi import APIRouter

from assay.access.router import router as access
from assay.analysis.archive_routes import router as archive
from assay.analysis.holdout_routes import router as holdout_results
from assay.analysis.planning_routes import router as planning
from assay.analysis.preview_routes import router as metric_previews
from assay.analysis.report_routes import router as reports
from assay.analysis.router import router as results
from assay.api.problems import RESPONSES
from assay.evaluation.preview_routes import router as previews
from assay.evaluation.router import router as evaluation
from assay.events.environment_routes import router as environment_events
from assay.events.otlp_routes import router as otlp
from assay.events.rejected_routes import router as rejected_events
from assay.events.router import router as events
from assay.experiments.router import router as experiments
from assay.flags.router import router as flags
from assay.metrics.router import router as metrics
from assay.projects.router import router as projects
from assay.sources.router import router as sources

router = APIRouter(prefix="/api/v1", responses=RESPONSES)
FLAGS = (flags, previews, evaluation)
ANALYSIS = (
    metrics, metric_previews, experiments, planning, results, holdout_results, reports, archive, sources,
)  # fmt: skip
# Events first: routes are compared one after the other, which for a batch would cost a sixth of all its work.
for domain in (events, projects, access, *FLAGS, *ANALYSIS):
    router.include_router(domain)
for part_of_events in (rejected_events, environment_events, otlp):
    router.include_router(part_of_events)
