"""How the events of an experiment came in: how many, how late, and when the last one."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ibis.expr.types import Table

from assay.analysis.collected import Arrived
from assay.analysis.conditions import SECONDS_PER_DAY
from assay.analysis.reading import records

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def arrived(events: Table) -> list[Arrived]:
    """What came in, by kind and name.

    Args:
        events: Columns `kind`, `name`, `at` and `received_at`, which is null where nobody kept it.
    """
    # Engines differ in whether these are whole numbers.
    at, received = (events[name].epoch_seconds().cast("int64") for name in ("at", "received_at"))
    found = events.group_by("kind", "name").aggregate(
        events=events.count(),
        late=(received - at > SECONDS_PER_DAY).sum().fill_null(0),
        last_at=at.max(),
        received_at=received.max(),
    )
    return sorted((_arrived(row) for row in records(found)), key=lambda each: (each.kind, each.name))


def _arrived(row: Mapping[str, Any]) -> Arrived:
    return Arrived(
        kind=row["kind"],
        name=row["name"],
        events=row["events"],
        late=row["late"],
        last_at=_moment(row["last_at"]),
        received_at=_moment(row["received_at"]),
    )


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else EPOCH + timedelta(seconds=seconds)
