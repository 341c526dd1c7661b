"""Tables of flags, of what environments serve, and of how often.

Documents are in the engine's wire form and stored as JSON, not JSONB: JSONB would reorder variants and
write 1e300 as an integer of 301 digits.
"""

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from assay.shared.base_model import Base, Identified, Timestamped


class FlagRow(Identified, Timestamped, Base):
    """What a flag is in every environment; environments serve the copy that they published."""

    __tablename__ = "flag"
    __table_args__ = (
        UniqueConstraint("project_id", "key"),
        Index("ix_flag_words", "words", postgresql_using="gin"),
        Index("ix_flag_tags", "tags", postgresql_using="gin"),
    )

    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("project.id"))
    key: Mapped[str]
    type: Mapped[str]
    variants: Mapped[dict[str, Any]] = mapped_column(JSON)
    attached: Mapped[dict[str, Any]] = mapped_column("metadata", JSON)
    description: Mapped[str]
    owner: Mapped[str]
    tags: Mapped[list[Any]] = mapped_column(JSONB)
    words: Mapped[str] = mapped_column(TSVECTOR, deferred=True)
    version: Mapped[int]
    archived_at: Mapped[datetime | None]


class FlagRevision(Identified, Base):
    """What one environment served of a flag from one moment on; never changed."""

    __tablename__ = "flag_revision"
    __table_args__ = (UniqueConstraint("flag_id", "environment_id", "number"),)

    flag_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("flag.id"))
    environment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("environment.id"))
    number: Mapped[int]
    environment_revision: Mapped[int]
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    action: Mapped[str]
    actor: Mapped[str]
    note: Mapped[str]
    at: Mapped[datetime]


class FlagState(Base):
    """A flag in one environment: the revision it serves and the draft of the next."""

    __tablename__ = "flag_state"
    __table_args__ = (
        PrimaryKeyConstraint("flag_id", "environment_id"),
        Index("ix_flag_state_environment_id", "environment_id"),
    )

    flag_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("flag.id"))
    environment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("environment.id"))
    version: Mapped[int]
    revision_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("flag_revision.id"))
    draft: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    drafted_by: Mapped[str | None]
    drafted_at: Mapped[datetime | None]


class RulesetPart(Timestamped, Base):
    """A segment, layer or holdout of an environment: what is served of it and the draft of the next."""

    __tablename__ = "ruleset_part"
    __table_args__ = (PrimaryKeyConstraint("environment_id", "kind", "key"),)

    environment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("environment.id"))
    kind: Mapped[str]
    key: Mapped[str]
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    description: Mapped[str]
    version: Mapped[int]
    number: Mapped[int]
    draft: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    drafted_by: Mapped[str | None]
    drafted_at: Mapped[datetime | None]


class PartRevision(Identified, Base):
    """What one environment served of a segment, layer or holdout from one moment on; never changed."""

    __tablename__ = "part_revision"
    __table_args__ = (
        UniqueConstraint("environment_id", "kind", "key", "number"),
        ForeignKeyConstraint(
            ["environment_id", "kind", "key"],
            ["ruleset_part.environment_id", "ruleset_part.kind", "ruleset_part.key"],
        ),
    )

    environment_id: Mapped[uuid.UUID]
    kind: Mapped[str]
    key: Mapped[str]
    number: Mapped[int]
    environment_revision: Mapped[int]
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    action: Mapped[str]
    actor: Mapped[str]
    note: Mapped[str]
    at: Mapped[datetime]


class FlagEvaluations(Base):
    """How often a variant was served on a day, and when last; by key, as those who serve know no more."""

    __tablename__ = "flag_evaluations"
    __table_args__ = (PrimaryKeyConstraint("environment_id", "flag", "variant", "day"),)

    environment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("environment.id"))
    flag: Mapped[str]
    variant: Mapped[str]
    day: Mapped[date]
    count: Mapped[int] = mapped_column(BigInteger)
    last_at: Mapped[datetime]
