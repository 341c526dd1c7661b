"""Strict bases for what comes in over HTTP and what goes out."""

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints


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

Instant = Annotated[AwareDatetime, Field(strict=False)]
"""A moment with its offset, ISO 8601."""
