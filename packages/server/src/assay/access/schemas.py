"""What the API takes and gives about keys."""

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import Field

from assay.access.keys import KeyKind
from assay.shared.schema import Incoming, Name, Outgoing


class KeyCreate(Incoming):
    """A new key."""

    kind: Annotated[
        KeyKind, Field(strict=False, description="`server` sees rules; `client` sees only what flags answer.")
    ]
    name: Name


class KeyOut(Outgoing):
    """A key, without its token."""

    id: uuid.UUID
    kind: KeyKind
    name: str
    prefix: str = Field(description="How the token begins.")
    created_at: datetime
    last_used_at: datetime | None = Field(description="Within a minute; null when it never was.")


class KeyMade(KeyOut):
    """A key with its token, which is shown this once."""

    token: str = Field(description="Keep it now: it cannot be shown again.")
