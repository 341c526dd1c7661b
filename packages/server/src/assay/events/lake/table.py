"""An environment's Delta table: its columns, its files, and changing which files it consists of."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema, Transaction
from deltalake.exceptions import TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from assay.events.buffer import Size
from assay.events.lake.place import Place, log_files, make_durable

SEAL, SEALED_ROWS = "assay-seal", "assay-sealed-rows"
DAY = "day"
COLUMNS = pa.schema(
    [
        ("event_id", pa.string()),
        ("kind", pa.string()),
        ("name", pa.string()),
        ("unit", pa.string()),
        ("units", pa.string()),
        ("at", pa.timestamp("us", "UTC")),
        ("received_at", pa.timestamp("us", "UTC")),
        ("variant", pa.string()),
        ("value", pa.float64()),
        ("properties", pa.string()),
    ]
)
"""What a file holds; the day is in its path."""
_WHOLE = pa.schema([*COLUMNS, pa.field(DAY, pa.date32())])
# Checkpoints are made when nobody waits, and old log entries are kept: they are small and tell what happened.
_NO_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of the table.

    Attributes:
        path: Relative to the table's folder.
        day: The UTC day of its rows.
        statistics: Smallest and largest values, as Delta's protocol writes them.
    """

    path: str
    day: date
    rows: int
    size: int
    statistics: Mapping[str, Any] = field(default_factory=dict[str, Any], compare=False)


def find(place: Place, *, version: int | None = None) -> DeltaTable | None:
    """The table at a version, or as it is now; None when there is none yet."""
    try:
        return DeltaTable(place.url, version=version)
    except TableNotFoundError:
        return None


def ensure(place: Place) -> DeltaTable:
    """The table, made when it is missing."""
    if (table := find(place)) is not None:
        return table
    DeltaTable.create(place.url, Schema.from_arrow(_WHOLE), mode="ignore", partition_by=[DAY])
    sync_log(place)
    return DeltaTable(place.url)


def files(table: DeltaTable, *, first: date | None = None, last: date | None = None) -> list[DataFile]:
    """The files with rows of the days from `first` to `last`, both included, oldest day first."""
    actions = pa.table(table.get_add_actions(flatten=True)).select(
        ["path", f"partition.{DAY}", "num_records", "size_bytes"]
    )
    found = [DataFile(*row.values()) for row in actions.to_pylist()]
    chosen = [file for file in found if (first or date.min) <= file.day <= (last or date.max)]
    return sorted(chosen, key=lambda file: (file.day, file.path))


def size(table: DeltaTable) -> Size:
    """How large the table is."""
    known = files(table)
    return Size(
        version=table.version(),
        rows=sum(file.rows for file in known),
        files=len(known),
        bytes=sum(file.size for file in known),
    )


def sealed_generation(table: DeltaTable) -> int:
    """The newest generation of the buffer that the table holds, 0 for none."""
    return table.transaction_version(SEAL) or 0


def sealed_rows(table: DeltaTable) -> int:
    """How many rows the newest generation has added."""
    return table.transaction_version(SEALED_ROWS) or 0


def replace_files(
    table: DeltaTable,
    *,
    added: Iterable[DataFile] = (),
    removed: Iterable[DataFile] = (),
    generation: int | None = None,
    at: datetime,
) -> None:
    """Commits which files come and which go, all or nothing.

    Args:
        table: As it was when the change was decided.
        generation: The generation of the buffer that `added` seals.
    Raises:
        deltalake.exceptions.CommitFailedError: Somebody else has changed the table since; nothing is changed.
    """
    moment = int(at.timestamp() * 1000)
    new = list(added)
    actions: list[AddAction | RemoveAction] = [
        *(_removal(file, moment) for file in removed),
        *(_addition(file, moment, is_new=generation is not None) for file in new),
    ]
    table.create_write_transaction(
        actions,
        "append",
        Schema.from_arrow(_WHOLE),
        partition_by=[DAY],
        # No second try on top of what somebody else did: two sealers would each add the same rows.
        commit_properties=CommitProperties(app_transactions=_marks(generation, new), max_commit_retries=0),
        post_commithook_properties=_NO_HOOKS,
    )


def checkpoint(place: Place, table: DeltaTable) -> None:
    """Sums the log up, so that opening the table does not read all of it, and drops entries of last month."""
    table.create_checkpoint()
    sync_log(place)
    table.cleanup_metadata()


def sweep(table: DeltaTable, *, older_than_hours: int) -> int:
    """Deletes files that no longer belong to the table, or never did; returns how many."""
    # Also what was written and never committed, because its writer was killed.
    deleted = table.vacuum(
        retention_hours=older_than_hours,
        enforce_retention_duration=False,
        dry_run=False,
        full=True,
        post_commithook_properties=_NO_HOOKS,
    )
    return len(deleted)


def sync_log(place: Place) -> None:
    """Returns once the table's log is on the disk."""
    if place.is_local:
        make_durable(place, log_files(place))


def _marks(generation: int | None, added: Sequence[DataFile]) -> list[Transaction]:
    if generation is None:
        return []
    return [Transaction(SEAL, generation), Transaction(SEALED_ROWS, sum(file.rows for file in added))]


def _addition(file: DataFile, moment: int, *, is_new: bool) -> AddAction:
    values: dict[str, str | None] = {DAY: file.day.isoformat()}
    return AddAction(
        path=file.path,
        size=file.size,
        partition_values=values,
        modification_time=moment,
        data_change=is_new,
        stats=json.dumps({"numRecords": file.rows, **file.statistics}),
    )


def _removal(file: DataFile, moment: int) -> RemoveAction:
    values: dict[str, str | None] = {DAY: file.day.isoformat()}
    return RemoveAction(file.path, False, moment, file.size, values)
