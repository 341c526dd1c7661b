"""Table of the change log."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from assay.shared.base_model import Base, Identified


class AuditEntry(Identified, Base):
    """One change that was made; never changed itself.

    `subject` is the thing's place in the API below its project, such as `flags/checkout`.
    """

    __tablename__ = "audit_entry"
    # text_pattern_ops: the entries of a thing and of all below it are found by prefix, in any collation.
    __table_args__ = (
        Index(
            "ix_audit_entry_project_id_subject_id",
            "project_id",
            "subject",
            "id",
            postgresql_ops={"subject": "text_pattern_ops"},
        ),
    )

    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("project.id"))
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    note: Mapped[str]
    # JSON, not JSONB: the order of keys and the spelling of numbers belong to what was changed.
    changes: Mapped[list[Any]] = mapped_column(JSON)
