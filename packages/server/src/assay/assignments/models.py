"""Tables of assignments: the experiments that keep them, and the first variant of each unit."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, PrimaryKeyConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from assay.shared.base_model import Base


class Assignment(Base):
    """The variant that a unit met first, under one version of an experiment; never changed.

    There is no foreign key to the environment, which would be checked for each row.
    """

    __tablename__ = "assignment"
    __table_args__ = (PrimaryKeyConstraint("environment_id", "experiment", "unit", "version"),)

    environment_id: Mapped[uuid.UUID]
    experiment: Mapped[str]
    unit: Mapped[str]
    version: Mapped[int]
    variant: Mapped[str]
    at: Mapped[datetime]


class KeepingExperiment(Base):
    """An experiment whose exposures settle assignments: of which version, since when, and to which arms.

    `unit_kind` names the assigned unit among an exposure's other units; null where it is the exposure's own.
    """

    __tablename__ = "assignment_experiment"
    __table_args__ = (
        PrimaryKeyConstraint("environment_id", "experiment"),
        CheckConstraint("ended_at >= since", name="order"),
    )

    environment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("environment.id"))
    experiment: Mapped[str]
    version: Mapped[int]
    arms: Mapped[list[Any]] = mapped_column(JSONB)
    unit_kind: Mapped[str | None]
    since: Mapped[datetime]
    ended_at: Mapped[datetime | None]
