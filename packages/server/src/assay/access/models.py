"""Tables of keys and of the server's own secrets."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from assay.shared.base_model import Base, Identified


class ApiKey(Identified, Base):
    """A key of an environment; of its token only the digest and the first characters are kept."""

    __tablename__ = "api_key"
    __table_args__ = (
        CheckConstraint("kind IN ('server', 'client')", name="kind"),
        Index("ix_api_key_environment_id_id", "environment_id", "id"),
    )

    environment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("environment.id"))
    kind: Mapped[str]
    name: Mapped[str]
    prefix: Mapped[str]
    digest: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]


class ServerSecret(Base):
    """Random bytes that all processes of one Assay share, by what they are for."""

    __tablename__ = "server_secret"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[bytes]
