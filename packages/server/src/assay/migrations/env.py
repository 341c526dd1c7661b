"""Alembic's entry: runs on the connection that `assay.migrations` opened."""

from typing import Any

from alembic import context

from assay.access import models as access
from assay.analysis import models as analysis
from assay.assignments import models as assignments
from assay.audit import models as audit
from assay.events import models as events
from assay.experiments import models as experiments
from assay.flags import models as flags
from assay.jobs import models as jobs
from assay.metrics import models as metrics
from assay.projects import models as projects
from assay.shared.base_model import Base
from assay.sources import models as sources

# A table is known once its module is imported; naming them makes that visible.
DOMAINS = (projects, jobs, metrics, experiments, events, audit, flags, access, sources, analysis, assignments)


# Partitions are made by their migration; the models know the table they are parts of.
PARTITIONS = {"event_0", "event_1"}


def _ours(_object: Any, name: str | None, kind: str, reflected: bool, _compare_to: Any) -> bool:  # noqa: ANN401 — Alembic's signature
    if not reflected or kind not in {"table", "index"}:
        return True
    # The queue's own objects come from its SQL file and are not in our metadata.
    return name not in PARTITIONS and not (name or "").startswith("procrastinate_")


def _run() -> None:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Base.metadata,
        include_object=_ours,
        compare_server_default=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


_run()
