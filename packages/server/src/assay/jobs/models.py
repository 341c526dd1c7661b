"""Table of task runs."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from assay.shared.base_model import Base, Identified


class TaskRun(Identified, Base):
    """One piece of background work, from its request to its result."""

    __tablename__ = "task_run"
    __table_args__ = (
        CheckConstraint("state IN ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED')", name="state"),
        CheckConstraint("progress BETWEEN 0 AND 1", name="progress"),
        Index("ix_task_run_subject", "kind", "subject", "id"),
    )

    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    subject: Mapped[str]
    arguments: Mapped[dict[str, Any]]
    state: Mapped[str]
    attempts: Mapped[int]
    progress: Mapped[float]
    note: Mapped[str]
    error: Mapped[str | None]
    error_code: Mapped[str | None]
    result: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
