"""Alembic's entry: runs on the connection that `assay.migrations` opened."""

from typing import Any

from alembic import context

import assay.events.models
import assay.experiments.models
import assay.jobs.models
import assay.metrics.models
import assay.projects.models  # noqa: F401 — imported so that the metadata is complete
from assay.shared.base_model import Base


def _ours(_object: Any, name: str | None, kind: str, reflected: bool, _compare_to: Any) -> bool:  # noqa: ANN401 — Alembic's signature
    # The queue's own objects come from its SQL file and are not in our metadata.
    return not (kind in {"table", "index"} and reflected and (name or "").startswith("procrastinate_"))


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
