"""Tables of projects and environments."""

import uuid

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from assay.shared.base_model import Base, Identified, Timestamped


class Project(Identified, Timestamped, Base):
    """A product under one roof: its metrics, experiments and environments."""

    __tablename__ = "project"

    key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]


class Environment(Identified, Timestamped, Base):
    """A place where a project runs; every change of what it serves raises its revision."""

    __tablename__ = "environment"
    __table_args__ = (UniqueConstraint("project_id", "key"),)

    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("project.id"))
    key: Mapped[str]
    name: Mapped[str]
    revision: Mapped[int] = mapped_column(default=0)
