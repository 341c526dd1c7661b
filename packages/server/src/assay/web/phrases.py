"""Short phrases the pages share."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_AGES = (
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time: for programs, for people in UTC, and how long ago."""

    iso: str
    text: str
    age: str


def moment(at: datetime, *, now: datetime) -> Moment:
    """A time as the pages show it."""
    return Moment(iso=at.isoformat(), text=utc(at), age=age(at, now=now))


def age(at: datetime, *, now: datetime) -> str:
    """How long ago, in the largest whole unit."""
    passed = now - at
    for unit, name in _AGES:
        if passed >= unit:
            return f"{counted(passed // unit, name)} ago"
    return "just now"


def utc(at: datetime) -> str:
    """A moment as people read it."""
    return f"{at.astimezone(UTC):%-d %B %Y, %H:%M} UTC"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
