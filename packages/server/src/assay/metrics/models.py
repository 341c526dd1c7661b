"""Table of metric definitions."""

import uuid
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from assay.shared.base_model import Base, Identified, Timestamped


class Metric(Identified, Timestamped, Base):
    """A definition of what is measured; every change of it raises its version."""

    __tablename__ = "metric"
    __table_args__ = (
        UniqueConstraint("project_id", "key"),
        Index("ix_metric_tags", "tags", postgresql_using="gin"),
    )

    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("project.id"))
    key: Mapped[str]
    name: Mapped[str]
    description: Mapped[str]
    direction: Mapped[str]
    definition: Mapped[dict[str, Any]]
    margin: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    owner: Mapped[str]
    tags: Mapped[list[Any]] = mapped_column(JSONB)
    source: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1)
