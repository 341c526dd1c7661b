"""Cursor pagination: every list is walked by its time-ordered identifier."""

import base64
import binascii
import uuid
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar, TypeVarTuple

from pydantic import Field
from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute

from assay.shared.errors import Invalid
from assay.shared.schema import Outgoing

DEFAULT_LIMIT = 50
MAX_LIMIT = 500

Row = TypeVar("Row", bound="HasId")
Item = TypeVar("Item")
Columns = TypeVarTuple("Columns")


class HasId(Protocol):
    """Anything with a time-ordered identifier."""

    @property
    def id(self) -> Any:  # noqa: ANN401 — an ORM attribute on the class, a UUID on the row
        """The identifier the list is ordered by."""
        ...


class Page(Outgoing, Generic[Item]):
    """A slice of a list; `next_cursor` is null on the last one."""

    items: list[Item]
    next_cursor: str | None = Field(description="Give this back as `cursor` to read on; null at the end.")


class InvalidCursor(Invalid):
    """A cursor that this server did not give out."""

    code = "invalid_cursor"


def after(
    statement: Select[*Columns], column: InstrumentedAttribute[uuid.UUID], *, cursor: str | None, limit: int
) -> Select[*Columns]:
    """The statement that reads one row more than the page, so that its end is known."""
    if cursor is not None:
        statement = statement.where(column > _decode(cursor))
    return statement.order_by(column).limit(limit + 1)


def before(
    statement: Select[*Columns], column: InstrumentedAttribute[uuid.UUID], *, cursor: str | None, limit: int
) -> Select[*Columns]:
    """As `after`, but from the newest backwards."""
    if cursor is not None:
        statement = statement.where(column < _decode(cursor))
    return statement.order_by(column.desc()).limit(limit + 1)


def split(rows: Sequence[Row], *, limit: int) -> tuple[Sequence[Row], str | None]:
    """The rows of the page and the cursor of the next one, from what `after` or `before` read."""
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], _encode(rows[limit - 1].id)


def _encode(identifier: uuid.UUID) -> str:
    return base64.urlsafe_b64encode(identifier.bytes).decode().rstrip("=")


def _decode(cursor: str) -> uuid.UUID:
    try:
        return uuid.UUID(bytes=base64.b64decode(cursor + "==", altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor(
            f"cursor {cursor!r} is not one of ours; start without a cursor", value=cursor
        ) from error
