"""Tables of experiments and the metrics they are read by."""

import uuid
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from assay.shared.base_model import Base, Identified, Timestamped


class Experiment(Identified, Timestamped, Base):
    """An experiment whose units are assigned elsewhere and observed here."""

    __tablename__ = "experiment"
    __table_args__ = (UniqueConstraint("project_id", "key"),)

    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("project.id"))
    key: Mapped[str]
    name: Mapped[str]
    description: Mapped[str]
    arms: Mapped[list[Any]]
    control: Mapped[str]
    assignments: Mapped[dict[str, Any]]
    metrics: Mapped[list[Any]]
    known_effects: Mapped[dict[str, Any]]
