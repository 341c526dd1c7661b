"""Tables of reports, and of who read which result."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from assay.shared.base_model import Base, Identified


class Look(Identified, Base):
    """Somebody read a result, for the first time."""

    __tablename__ = "result_look"
    __table_args__ = (
        UniqueConstraint("result", "actor"),
        Index("ix_result_look_experiment_id_id", "experiment_id", "id"),
    )

    experiment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("experiment.id", ondelete="CASCADE"))
    # Without a foreign key: what was looked at is known longer than the run.
    result: Mapped[uuid.UUID]
    actor: Mapped[str]
    at: Mapped[datetime]
    is_exploratory: Mapped[bool]
    is_early: Mapped[bool]


class Report(Identified, Base):
    """A finished analysis as it was when somebody put a title to it; only its approval is added later."""

    __tablename__ = "report"
    __table_args__ = (
        CheckConstraint("(approved_by IS NULL) = (approved_at IS NULL)", name="approved"),
        Index("ix_report_experiment_id_id", "experiment_id", "id"),
    )

    experiment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("experiment.id", ondelete="CASCADE"))
    # Without a foreign key: a report outlives the run it was made from.
    result: Mapped[uuid.UUID]
    title: Mapped[str]
    note: Mapped[str]
    document: Mapped[dict[str, Any]] = mapped_column(JSON, deferred=True)
    record: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
    # The experiment and the run as they were; null for reports of versions that did not keep them.
    subject: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
    made_by: Mapped[str]
    made_at: Mapped[datetime]
    approved_by: Mapped[str | None]
    approved_at: Mapped[datetime | None]


class ShareLink(Identified, Base):
    """A way to read one approved report without a key; of its token only the digest is kept."""

    __tablename__ = "share_link"
    __table_args__ = (Index("ix_share_link_report_id_id", "report_id", "id"),)

    report_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("report.id", ondelete="CASCADE"))
    name: Mapped[str]
    prefix: Mapped[str]
    digest: Mapped[bytes] = mapped_column(unique=True)
    made_by: Mapped[str]
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class PastEffect(Base):
    """What the newest result of an experiment found on one metric in one arm."""

    __tablename__ = "past_effect"
    __table_args__ = (Index("ix_past_effect_project_id_metric", "project_id", "metric"),)

    experiment_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("experiment.id", ondelete="CASCADE"), primary_key=True
    )
    metric: Mapped[str] = mapped_column(primary_key=True)
    arm: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("project.id"))
    role: Mapped[str]
    direction: Mapped[str]
    finding: Mapped[str]
    lift: Mapped[float | None]
    low: Mapped[float | None]
    high: Mapped[float | None]
    error: Mapped[float | None]
    level: Mapped[float]
    # How the plan read it; null before it allows a reading, and of effects that were kept before this was.
    method: Mapped[str | None]
    claimed_lift: Mapped[float | None]
    claimed_low: Mapped[float | None]
    claimed_high: Mapped[float | None]
    computed_at: Mapped[datetime]
