"""Identifiers: time-ordered for rows, plain words for what people name."""

import uuid
from typing import Annotated

from pydantic import StringConstraints, TypeAdapter, ValidationError
from uuid_utils.compat import uuid7

KEY_PATTERN = r"^[a-z0-9][a-z0-9_.-]*$"
Key = Annotated[str, StringConstraints(pattern=KEY_PATTERN, min_length=1, max_length=64)]
"""What people call a thing inside URLs and code: lower case, digits, `_`, `.`, `-`."""

ExperimentName = Annotated[
    str,
    StringConstraints(
        pattern=r"^(holdout:[a-z0-9][a-z0-9_.-]*:)?[a-z0-9][a-z0-9_.-]*$", min_length=1, max_length=200
    ),
]
"""What has results: an experiment by its key, or `holdout:ENVIRONMENT:KEY`, which no key can be."""

_KEY: TypeAdapter[str] = TypeAdapter(Key)


def is_key(text: str) -> bool:
    """Whether a text may be a key."""
    try:
        _KEY.validate_python(text)
    except ValidationError:
        return False
    return True


def new_id() -> uuid.UUID:
    """A fresh identifier whose order is the order of creation (RFC 9562, version 7)."""
    return uuid7()
