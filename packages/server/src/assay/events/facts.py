"""Events for analysis: what is sealed and what is not, each once, as one table of the caller's engine."""

import hashlib
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
from ibis.backends.duckdb import Backend
from ibis.expr.types import Table

from assay.core.config import Settings
from assay.events import reading
from assay.events.lake import scanning, table
from assay.events.lake.moving import REPEAT_DAYS
from assay.events.lake.place import Place, place_of
from assay.events.lake.table import DataFile

VISIBLE = ("event_id", "kind", "name", "unit", "units", "at", "received_at", "variant", "value", "properties")
_FRESH, _SEALED, _NEAR, _REPEATED = "fresh_events", "sealed_events", "near_events", "repeated_events"
_FIND_REPEATED = f"""
    CREATE OR REPLACE TEMP TABLE {_REPEATED} AS
    SELECT DISTINCT fresh.event_id
    FROM {_FRESH} AS fresh JOIN {_NEAR} AS near
      ON fresh.event_id = near.event_id AND abs(date_diff('day', near.day, fresh.day)) <= {REPEAT_DAYS}
"""  # noqa: S608 — put together from our own constants


@dataclass(frozen=True, slots=True)
class Facts:
    """Events to analyse.

    Attributes:
        table: Columns `event_id, kind, name, unit, units, at, received_at, variant, value, properties`;
            `units` and `properties` are JSON texts or null.
        version: Identifies the data: the same version of the same question is the same rows.
        between: The same for other days: from one moment on and before another, either end open.
        marks: Of each day (UTC) with events of the environment: the same mark is the same events.
    """

    table: Table
    version: str
    between: Callable[[datetime | None, datetime | None], Table]
    marks: Mapping[date, str]


@contextmanager
def facts(
    settings: Settings,
    url: str,
    engine: Backend,
    *,
    environment_id: uuid.UUID,
    experiment: str,
    names: Sequence[str],
    beside: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
) -> Generator[Facts, None, None]:
    """The exposures of an experiment and the named events of its environment, until the block ends.

    Args:
        engine: Where the table is made; it reads the lake's files when it is asked.
        beside: Other experiments whose exposures are wanted too.
        since: Only events from this moment on, whose days are then not read.
        until: Only events before this moment, likewise.
    """
    place = place_of(settings, environment_id)
    with reading.connected(url, settings.database_schema) as cursor:
        reading.hold_files(cursor, environment_id)
        experiments = [experiment, *beside]
        snapshot = reading.snapshot(cursor, environment_id, experiments=experiments, names=names)
        sealed = [] if snapshot.version is None else _files(place, snapshot.version)
        fresh = _fresh(engine, place, sealed, snapshot.rows)

        def between(since: datetime | None, until: datetime | None) -> Table:
            rows = _wanted(_union(engine, place, sealed, fresh, since, until), experiments, names)
            return _between(rows, since, until).select(*VISIBLE)

        marks = _marks(sealed, snapshot.rows)
        yield Facts(between(since, until), _version(snapshot), between, marks)


def _files(place: Place, version: int) -> list[DataFile]:
    known = table.find(place, version=version)
    return [] if known is None else table.files(known)


def _fresh(engine: Backend, place: Place, sealed: Sequence[DataFile], rows: pa.Table) -> Table:
    """The unsealed rows that the files do not have."""
    engine.con.register(_FRESH, rows)
    fresh = engine.table(_FRESH)
    if near := _near(sealed, rows):
        scanning.view(engine.con, _NEAR, place, near)
        engine.con.execute(_FIND_REPEATED).fetchall()
        fresh = fresh.anti_join(engine.table(_REPEATED), "event_id")
    return fresh


def _union(
    engine: Backend,
    place: Place,
    sealed: Sequence[DataFile],
    fresh: Table,
    since: datetime | None,
    until: datetime | None,
) -> Table:
    first = date.min if since is None else since.astimezone(UTC).date()
    last = date.max if until is None else until.astimezone(UTC).date()
    chosen = [file for file in sealed if first <= file.day <= last]
    if not chosen:
        return fresh
    # Of one name for each span: an expression made from it may be computed after the next one is asked for.
    name = f"{_SEALED}_{first:%Y%m%d}_{last:%Y%m%d}"
    scanning.view(engine.con, name, place, chosen)
    return engine.table(name).select(*VISIBLE).union(fresh.select(*VISIBLE))


def _near(sealed: Sequence[DataFile], fresh: pa.Table) -> list[DataFile]:
    """The files that can hold an event of the fresh rows already."""
    days: set[date] = set(fresh["day"].unique().to_pylist())
    around = {day + timedelta(days=off) for day in days for off in range(-REPEAT_DAYS, REPEAT_DAYS + 1)}
    return [file for file in sealed if file.day in around]


def _wanted(rows: Table, experiments: Sequence[str], names: Sequence[str]) -> Table:
    exposures = (rows["kind"] == "exposure") & rows["name"].isin(list(experiments))
    events = (rows["kind"] == "event") & rows["name"].isin(list(names))
    return rows.filter(exposures | events) if names else rows.filter(exposures)


def _between(rows: Table, since: datetime | None, until: datetime | None) -> Table:
    if since is not None:
        rows = rows.filter(rows["at"] >= since)
    return rows if until is None else rows.filter(rows["at"] < until)


def _marks(sealed: Sequence[DataFile], fresh: pa.Table) -> dict[date, str]:
    """A digest per day over the files that have its events and the identifiers that wait beside them."""
    names: dict[date, list[str]] = {}
    for file in sealed:
        names.setdefault(file.day, []).append(file.path)
    for day, identifier in zip(fresh["day"].to_pylist(), fresh["event_id"].to_pylist(), strict=True):
        names.setdefault(day, []).append(identifier)
    return {
        day: hashlib.blake2b("\0".join(sorted(found)).encode(), digest_size=16).hexdigest()
        for day, found in names.items()
    }


def _version(snapshot: reading.Snapshot) -> str:
    # The identifiers say it all: whatever comes later under one of them is a repeat.
    digest = hashlib.blake2b(digest_size=16)
    for identifier in sorted(snapshot.rows["event_id"].to_pylist()):
        digest.update(identifier.encode() + b"\0")
    return f"{'-' if snapshot.version is None else snapshot.version}:{digest.hexdigest()}"
