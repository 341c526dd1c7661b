"""Strict bases for what comes in over HTTP and what goes out."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

_DATE = re.compile(r"\d{4}-\d\d-\d\d")


class Incoming(BaseModel):
    """A request body: unknown fields are refused, `false` is not a number, `"1"` is not 1."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Outgoing(BaseModel):
    """A response body, built from the attributes of a domain value."""

    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)


def without_nul(text: str) -> str:
    """The text, which a row can hold.

    Raises:
        ValueError: It cannot.
    """
    # PostgreSQL cannot store U+0000 or lone surrogates; refusing here gives the sentence.
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must not contain NUL or unpaired surrogate characters")
    return text


Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(without_nul)]
"""A title people read."""

Text = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(without_nul)]
"""Free text."""


def written_as_date(value: object) -> object:
    """The value, if it is a moment or text that begins with a date.

    Raises:
        ValueError: It is anything else: a number would be read as seconds since 1970, or as milliseconds.
    """
    if isinstance(value, datetime) or (isinstance(value, str) and _DATE.match(value)):
        return value
    raise ValueError("must be a moment with its offset as in ISO 8601, such as 2026-01-31T08:00:00Z")


Instant = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(written_as_date)]
"""A moment with its offset, ISO 8601."""
