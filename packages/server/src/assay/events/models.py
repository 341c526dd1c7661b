"""Tables of events: the buffer that acknowledges, what was refused, and what is known of the lake."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    SmallInteger,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from assay.shared.base_model import Base, Identified

_NOTHING = text("0")


class Event(Base):
    """An exposure or a metric event that is not sealed yet, once per `event_id` and environment.

    `name` is the event's name, or the experiment's key for an exposure. Each of the two slots is a partition
    of its own: one is written while the other is sealed and then emptied as a whole. There is no foreign key
    to the environment, which would be checked for each row; the row of `event_tally` has one. Likewise there
    is no index but the key's, and `units` and `properties` are the JSON texts that analysis will read: rows
    that stay for minutes and are read as a whole are not worth parsing and indexing.
    """

    __tablename__ = "event"
    __table_args__ = (
        PrimaryKeyConstraint("slot", "environment_id", "event_id"),
        {"postgresql_partition_by": "LIST (slot)"},
    )

    slot: Mapped[int] = mapped_column(SmallInteger)
    environment_id: Mapped[uuid.UUID]
    event_id: Mapped[str]
    kind: Mapped[str]
    name: Mapped[str]
    unit: Mapped[str]
    units: Mapped[str | None]
    at: Mapped[datetime]
    received_at: Mapped[datetime]
    variant: Mapped[str | None]
    value: Mapped[float | None]
    properties: Mapped[str | None]


class EventBuffer(Base):
    """The one row that says which slot is written to, and the number of the one that was closed last.

    The number is given when a slot is closed and never again, so that a database restored from a backup
    cannot take other rows for those that the lake has sealed under it.
    """

    __tablename__ = "event_buffer"
    __table_args__ = (
        CheckConstraint("id = 1", name="single"),
        CheckConstraint("slot IN (0, 1)", name="slot"),
    )

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    slot: Mapped[int] = mapped_column(SmallInteger)
    generation: Mapped[int] = mapped_column(BigInteger)
    rotated_at: Mapped[datetime]
    error: Mapped[str | None]
    error_at: Mapped[datetime | None]


class EventTally(Base):
    """What became of the events of an environment, counted in the transactions that did it."""

    __tablename__ = "event_tally"

    environment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("environment.id"), primary_key=True)
    accepted: Mapped[int] = mapped_column(BigInteger, server_default=_NOTHING)
    repeated: Mapped[int] = mapped_column(BigInteger, server_default=_NOTHING)
    rejected: Mapped[int] = mapped_column(BigInteger, server_default=_NOTHING)
    ahead: Mapped[int] = mapped_column(BigInteger, server_default=_NOTHING)
    max_ahead_seconds: Mapped[float] = mapped_column(server_default=_NOTHING)
    sealed: Mapped[int] = mapped_column(BigInteger, server_default=_NOTHING)
    sealed_repeated: Mapped[int] = mapped_column(BigInteger, server_default=_NOTHING)


class RejectedEvent(Identified, Base):
    """An item that was refused, as it came; `cut` when only the beginning of it is kept."""

    __tablename__ = "event_rejected"
    __table_args__ = (Index("ix_event_rejected_environment_id_id", "environment_id", "id"),)

    environment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("environment.id"))
    received_at: Mapped[datetime]
    event_id: Mapped[str | None]
    reason: Mapped[str]
    body: Mapped[str]
    cut: Mapped[bool] = mapped_column(server_default=text("false"))


class LakeTable(Base):
    """The version of an environment's Delta table that belongs to what is in the buffer now."""

    __tablename__ = "lake_table"

    environment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("environment.id"), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    generation: Mapped[int] = mapped_column(BigInteger)
    rows: Mapped[int] = mapped_column(BigInteger)
    files: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    sealed_at: Mapped[datetime]


class RecentUnit(Base):
    """A unit among the newest sealed exposures, with the properties that came last."""

    __tablename__ = "event_recent"

    environment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("environment.id"), primary_key=True)
    unit: Mapped[str] = mapped_column(primary_key=True)
    received_at: Mapped[datetime]
    properties: Mapped[dict[str, Any] | None]
