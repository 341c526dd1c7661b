"""Tables of experiments: what they are, their phases, what happened to them, and what is due.

Plans are stored as JSON, not JSONB: their digest is over numbers as they were written.
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from assay.shared.base_model import Base, Identified, Timestamped


class Experiment(Identified, Timestamped, Base):
    """An experiment: observed, when `state` is null, or planned here and assigned by a flag."""

    __tablename__ = "experiment"
    __table_args__ = (
        UniqueConstraint("project_id", "key"),
        CheckConstraint("state IN ('DRAFT', 'ACTIVE', 'PAUSED', 'COMPLETED')", name="state"),
        CheckConstraint("outcome IN ('SHIPPED', 'ROLLED_BACK', 'KEPT')", name="outcome"),
        CheckConstraint("(state IS NULL) = (plan IS NULL)", name="planned"),
        CheckConstraint("(state = 'COMPLETED') = (outcome IS NOT NULL)", name="completed"),
        CheckConstraint("ended_at >= started_at", name="order"),
        Index("ix_experiment_words", "words", postgresql_using="gin"),
        Index("ix_experiment_tags", "tags", postgresql_using="gin"),
    )

    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("project.id"))
    key: Mapped[str]
    name: Mapped[str]
    description: Mapped[str]
    arms: Mapped[list[Any]]
    control: Mapped[str]
    assignments: Mapped[dict[str, Any]]
    metrics: Mapped[list[Any]]
    known_effects: Mapped[dict[str, Any]]
    state: Mapped[str | None]
    version: Mapped[int]
    plan: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    tags: Mapped[list[Any]] = mapped_column(JSONB)
    learnings: Mapped[str]
    outcome: Mapped[str | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    words: Mapped[str] = mapped_column(TSVECTOR, deferred=True)


class Phase(Identified, Base):
    """One assignment of units to arms, from a frozen plan: it has its own salt and its own digest."""

    __tablename__ = "experiment_phase"
    __table_args__ = (
        UniqueConstraint("experiment_id", "number"),
        CheckConstraint("coverage > 0 AND coverage <= 1", name="coverage"),
        CheckConstraint("ended_at >= started_at", name="order"),
    )

    experiment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("experiment.id"))
    number: Mapped[int]
    salt: Mapped[str]
    coverage: Mapped[float]
    frozen: Mapped[dict[str, Any]] = mapped_column(JSON)
    plan_hash: Mapped[str]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Epoch(Identified, Base):
    """A stretch of a bandit's phase with one split; the next one says whether and why it moved."""

    __tablename__ = "bandit_epoch"
    __table_args__ = (UniqueConstraint("phase_id", "number"),)

    phase_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("experiment_phase.id"))
    number: Mapped[int]
    began_at: Mapped[datetime]
    weights: Mapped[dict[str, Any]] = mapped_column(JSON)
    moved: Mapped[bool]
    reason: Mapped[str]
    basis: Mapped[dict[str, Any]] = mapped_column(JSON)


class Entry(Identified, Base):
    """Something that happened to an experiment or was said about it; never changed."""

    __tablename__ = "experiment_entry"
    __table_args__ = (Index("ix_experiment_entry_experiment_id_id", "experiment_id", "id"),)

    experiment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("experiment.id"))
    kind: Mapped[str]
    actor: Mapped[str]
    at: Mapped[datetime]
    note: Mapped[str]
    body: Mapped[dict[str, Any]] = mapped_column(JSON)


class Due(Identified, Base):
    """Something that shall happen to an experiment at a time, once."""

    __tablename__ = "experiment_due"
    __table_args__ = (
        CheckConstraint("action IN ('start', 'cover', 'reweigh', 'stop')", name="action"),
        CheckConstraint("state IN ('WAITING', 'DONE', 'CANCELLED', 'FAILED')", name="state"),
        CheckConstraint("(action = 'cover') = (coverage IS NOT NULL)", name="coverage"),
        Index("ix_experiment_due_state_at", "state", "at"),
        Index("ix_experiment_due_experiment_id", "experiment_id"),
    )

    experiment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("experiment.id"))
    action: Mapped[str]
    at: Mapped[datetime]
    coverage: Mapped[float | None]
    state: Mapped[str]
    settled_at: Mapped[datetime | None]
    reason: Mapped[str]


class Template(Identified, Timestamped, Base):
    """A plan to begin from, by name."""

    __tablename__ = "experiment_template"
    __table_args__ = (UniqueConstraint("project_id", "key"),)

    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("project.id"))
    key: Mapped[str]
    description: Mapped[str]
    plan: Mapped[dict[str, Any]] = mapped_column(JSON)
