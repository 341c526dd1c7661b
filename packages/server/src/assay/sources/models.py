"""Tables of connections, of tables to analyse, and of requests to stop a query."""

import uuid
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from assay.shared.base_model import Base, Identified, Timestamped


class Connection(Identified, Timestamped, Base):
    """Where tables stand; its definition refers to secrets and holds none."""

    __tablename__ = "source_connection"
    __table_args__ = (UniqueConstraint("project_id", "key"),)

    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("project.id"))
    key: Mapped[str]
    name: Mapped[str]
    description: Mapped[str]
    definition: Mapped[dict[str, Any]]


class SourceTable(Identified, Timestamped, Base):
    """A table to analyse and what its columns mean."""

    __tablename__ = "source_table"
    __table_args__ = (UniqueConstraint("project_id", "key"),)

    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("project.id"))
    connection_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("source_connection.id"), index=True)
    key: Mapped[str]
    name: Mapped[str]
    description: Mapped[str]
    relation: Mapped[dict[str, Any]]
    roles: Mapped[dict[str, Any]]


class Cancellation(Base):
    """Somebody asked for a query to be stopped; whoever runs it looks here."""

    __tablename__ = "source_cancellation"

    task_run_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("task_run.id", ondelete="CASCADE"), primary_key=True
    )
