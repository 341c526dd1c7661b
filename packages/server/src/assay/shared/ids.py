"""Identifiers: time-ordered for rows, plain words for what people name."""

import uuid
from typing import Annotated

from pydantic import StringConstraints
from uuid_utils.compat import uuid7

Key = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]*$", min_length=1, max_length=64)]
"""What people call a thing inside URLs and code: lower case, digits, `_`, `.`, `-`."""


def new_id() -> uuid.UUID:
    """A fresh identifier whose order is the order of creation (RFC 9562, version 7)."""
    return uuid7()
