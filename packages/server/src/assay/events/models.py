"""Table of events as they were acknowledged."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from assay.shared.base_model import Base


class Event(Base):
    """An exposure or a metric event, once per `event_id` and environment.

    `name` is the event's name, or the experiment's key for an exposure, so that one index serves analysis.
    """

    __tablename__ = "event"
    __table_args__ = (
        PrimaryKeyConstraint("environment_id", "event_id"),
        Index("ix_event_environment_id_kind_name", "environment_id", "kind", "name"),
    )

    environment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("environment.id"))
    event_id: Mapped[str]
    kind: Mapped[str]
    name: Mapped[str]
    unit: Mapped[str]
    at: Mapped[datetime]
    received_at: Mapped[datetime]
    variant: Mapped[str | None]
    value: Mapped[float | None]
    properties: Mapped[dict[str, Any] | None]
