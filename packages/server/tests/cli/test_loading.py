"""Loading tables: columns found or named, rows identified, interrupted loads taken up again."""

import csv
import json
import os
import uuid
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from assay.cli import tables
from assay.cli.checkpoint import Checkpoint
from assay.cli.client import Client
from assay.cli.commands import events_load
from assay.cli.mapping import InvalidMapping, choose, event, require_an_event
from assay.core.config import Settings
from assay.core.database import Database
from assay.main import build_app
from support_app import borrowed, serving

ORDERS = [
    {"order_id": f"o{n}", "user_id": f"00{n}", "created_at": f"2026-11-0{n} 10:00:00", "amount": str(n * 1.5)}
    for n in range(1, 6)
]


def an_event(row: Mapping[str, object], *, number: int = 0, **given: str) -> dict[str, object]:
    columns = choose(list(row), given=given, constant={}, with_properties=True)
    return event(row, columns, file="orders.csv", number=number)


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_columns_with_usual_names_are_found() -> None:
    made = an_event(ORDERS[0], id="order_id")

    assert made == {
        "kind": "event", "id": "o1", "unit": "001", "at": datetime(2026, 11, 1, 10, tzinfo=UTC), "value": 1.5,
    }  # fmt: skip


def test_a_row_with_a_variant_is_an_exposure() -> None:
    made = an_event({"experiment": "gate", "variant": "a", "unit": "u", "at": "2026-11-01", "country": "DE"})

    assert made["kind"] == "exposure"
    assert made["properties"] == {"country": "DE"}


def test_what_the_user_says_goes_before_what_is_usual() -> None:
    columns = choose(
        ["id", "ts", "who", "device"],
        given={"unit": "who", "units.device": "device"},
        constant={"name": "view"},
        with_properties=False,
    )

    made = event({"id": 7, "ts": 0, "who": 5, "device": "d"}, columns, file="f", number=0)

    assert made == {
        "kind": "event", "id": "7", "name": "view", "unit": "5", "units": {"device": "d"},
        "at": datetime(1970, 1, 1, tzinfo=UTC),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "message"), [({"unt": "who"}, "no part 'unt'"), ({"unit": "whom"}, "no column 'whom'")]
)
def test_a_mapping_to_nothing_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidMapping, match=message):
        choose(["who"], given=given, constant={}, with_properties=True)


def test_a_table_that_holds_no_event_is_refused_before_its_rows() -> None:
    table = ["who", "happened", "user_id"]
    columns = choose(table, given={}, constant={}, with_properties=True)

    with pytest.raises(InvalidMapping, match="with --map at=COLUMN when, with --map name=COLUMN"):
        require_an_event(table, columns)


NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-11-01T12:00:00Z", NOON),
        ("2026-11-01 13:00:00+01:00", NOON),
        ("2026-11-01 12:00", NOON),
        (NOON.replace(tzinfo=None), NOON),
        (NOON.timestamp(), NOON),
        (str(int(NOON.timestamp() * 1000)), NOON),
        (date(2026, 11, 1), NOON.replace(hour=0)),
        ("yesterday", "yesterday"),
        ("1e300", "1e300"),
        ("nan", "nan"),
    ],
)
def test_times_are_read_however_they_are_written(value: object, moment: object) -> None:
    assert an_event({"unit": "u", "at": value})["at"] == moment


def test_rows_without_identifiers_are_told_apart_and_known_again() -> None:
    row = {"unit": "u", "at": "2026-11-01"}

    first, again, equal = (an_event(row, number=number)["id"] for number in (0, 0, 1))

    assert first == again != equal


def test_all_kinds_of_files_hold_the_same_rows(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", ORDERS)
    pq.write_table(pa.Table.from_pylist(ORDERS), tmp_path / "a.parquet")
    (tmp_path / "a.ndjson").write_text("\n".join(map(json.dumps, ORDERS)) + "\n\n", encoding="utf-8")

    for name in ("a.csv", "a.parquet", "a.ndjson"):
        assert list(tables.rows(tmp_path / name)) == ORDERS
        assert tables.header(tmp_path / name) == list(ORDERS[0])
        assert tables.length(tmp_path / name) == len(ORDERS)


def test_globs_and_names_mean_each_file_once(tmp_path: Path) -> None:
    files = [write_csv(tmp_path / f"{name}.csv", ORDERS) for name in "ba"]

    assert tables.find([str(tmp_path / "*.csv"), str(files[0])]) == sorted(files)
    with pytest.raises(tables.UnreadableTable, match="no file"):
        tables.find([str(tmp_path / "*.parquet")])


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.ndjson", b"{}\n{"), ("a.ndjson", b"5\n"), ("a.csv", b"a\n\xff\n"), ("a.parquet", b"PAR1")],
)
def test_a_damaged_file_is_one_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(tables.UnreadableTable, match=name):
        list(tables.rows(tmp_path / name))


def test_batches_acknowledged_out_of_order_count_once_all_before_them_are(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "a.csv", ORDERS)
    checkpoint = Checkpoint(tmp_path, file, {})

    checkpoint.acknowledged(2, 4)
    before = Checkpoint(tmp_path, file, {}).rows
    checkpoint.acknowledged(0, 2)

    assert (before, Checkpoint(tmp_path, file, {}).rows) == (0, 4)
    assert Checkpoint(tmp_path, file, {"url": "elsewhere"}).rows == 0
    os.utime(file, (0, 0))
    assert Checkpoint(tmp_path, file, {}).rows == 0


class Cut(Exception):
    """The load of a test that is interrupted."""


class Interrupted(Checkpoint):
    """A checkpoint that ends the load at the third acknowledgement, before it is noted."""

    answers = 0

    def acknowledged(self, first: int, end: int) -> None:
        self.answers += 1
        if self.answers == 3:
            raise Cut
        super().acknowledged(first, end)


@pytest.mark.anyio
async def test_an_interrupted_load_goes_on_and_neither_loses_nor_doubles(
    settings: Settings, committing_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_load, "BATCH_ROWS", 2)
    name = uuid.uuid4().hex
    rows = [{"user_id": f"u{n}", "created_at": "2026-11-01", "amount": "1.5"} for n in range(15)]
    file = write_csv(tmp_path / f"{name}.csv", rows)
    columns = choose(list(rows[0]), given={}, constant={"name": name}, with_properties=False)
    order = events_load.Load([], {}, {"name": name}, False, False, "default", "production", "")
    outcome = events_load.Outcome(Counter(), [])
    async with serving(build_app(settings, lambda: borrowed(committing_database))) as http:
        client = Client(http)
        with pytest.raises(Cut):
            await events_load.load_file(
                client,
                order,
                file,
                columns,
                Interrupted(tmp_path, file, {}),
                events_load.Outcome(Counter(), []),
            )
        await events_load.load_file(client, order, file, columns, Checkpoint(tmp_path, file, {}), outcome)

    async with committing_database.reading() as tx:
        stored = await tx.scalar(text("SELECT count(*) FROM event WHERE name = :name"), {"name": name})
    assert stored == len(rows)
    # Answers may come in any order, so perhaps nothing may be skipped yet; but no row is left out.
    assert outcome.skipped + outcome.verdicts.total() == len(rows)
    assert outcome.verdicts["rejected"] == 0
    assert outcome.verdicts["repeated"] >= 1
