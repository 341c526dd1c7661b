"""Files as tables: what cannot be read says so in one sentence."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.sources.errors import UnknownColumn, UnreadableTable, UnusableColumn
from assay.sources.service import local_engine, open_file, require_columns, require_measurable


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_csv_types_are_recognised(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", b"unit,seen,value\n1,TRUE,2.5\n2,FALSE,NULL\n")

    schema = open_file(local_engine(), file).schema()

    assert schema["seen"].is_boolean()
    assert schema["value"].is_floating()


def test_parquet_is_read_in_place(tmp_path: Path) -> None:
    pq.write_table(pa.table({"unit": [1, 2], "value": [1.0, None]}), tmp_path / "a.parquet")

    assert open_file(local_engine(), tmp_path / "a.parquet").count().to_pyarrow().as_py() == 2


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", b"", "'a.csv' is empty"),
        ("a.csv", b"unit,arm,value\n", "has a header but no rows"),
        ("a.xlsx", b"PK", "neither CSV nor Parquet"),
        ("a.parquet", b"not parquet at all", "cannot be read"),
        ("a.csv", "unit,arm\n1,caf\xe9\n".encode("latin-1"), "is not UTF-8 text"),
        ("a.csv", b"unit,arm,value\n1,a,1\n2,a\n3,b,4\n", "a row has more or fewer fields than the header"),
        ("a.csv", b'unit,arm,value\n1,a,1\n2,"a,5\n3,b,4\n', "a quote is not closed"),
        ("a.csv", b"unit,arm,value\r\n1,a,1\n2,a,5\r\n3,b,4\n", "line ends are mixed"),
        (
            "a.csv",
            b"unit,note\n1," + b"x" * 3_000_000 + b"\n2,y\n",
            "on Line: 1; Maximum line size",
        ),
    ],
)
def test_an_unreadable_file_says_why(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    file = write(tmp_path / name, content)

    with pytest.raises(UnreadableTable, match=sentence):
        open_file(local_engine(), file)


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (b"unit,value,value", "'a.csv' has the column 'value' twice; give every column a name of its own"),
        (b'unit,"value",value', "the column 'value' twice"),
        (b"unit;Value;value", "the column both 'Value' and 'value'"),
    ],
)
def test_a_column_that_is_there_twice_is_refused(tmp_path: Path, header: bytes, sentence: str) -> None:
    separator = b";" if b";" in header else b","
    file = write(tmp_path / "a.csv", header + b"\n" + separator.join([b"1", b"2", b"3"]) + b"\n")

    with pytest.raises(UnreadableTable, match=sentence):
        open_file(local_engine(), file)


def test_a_parquet_file_with_a_column_twice_is_refused(tmp_path: Path) -> None:
    columns = [pa.array([1]), pa.array([2]), pa.array([3])]
    pq.write_table(pa.table(columns, names=["unit", "value", "value"]), tmp_path / "a.parquet")

    with pytest.raises(UnreadableTable, match="the column 'value' twice"):
        open_file(local_engine(), tmp_path / "a.parquet")


def test_columns_that_only_look_renamed_are_read(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", b"unit,value,value_1,value_2\n1,2,3,4\n")

    assert open_file(local_engine(), file).columns == ("unit", "value", "value_1", "value_2")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(UnreadableTable, match=r"no file '/nowhere/a\.csv'"):
        open_file(local_engine(), Path("/nowhere/a.csv"))


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()

    with pytest.raises(UnreadableTable, match="is a folder"):
        open_file(local_engine(), tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("name", "other"), [("a*.csv", "ab.csv"), ("a?.csv", "ab.csv"), ("[ab].csv", "a.csv")]
)
def test_a_name_that_looks_like_a_pattern_is_one_file(tmp_path: Path, name: str, other: str) -> None:
    write(tmp_path / other, b"unit,value\n1,99\n")
    file = write(tmp_path / name, b"unit,value\n2,1\n")

    assert open_file(local_engine(), file).to_pyarrow().to_pylist() == [{"unit": 2, "value": 1}]


def test_a_parquet_name_that_looks_like_a_pattern_is_one_file(tmp_path: Path) -> None:
    for name, value in (("a*.parquet", 1), ("ab.parquet", 99)):
        pq.write_table(pa.table({"value": [value]}), tmp_path / name)

    rows = open_file(local_engine(), tmp_path / "a*.parquet").to_pyarrow()

    assert rows["value"].to_pylist() == [1]


def test_names_are_read_as_they_are_written(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", b"unit,arm,value\n1e5,1.1,1\n100000,1.10,2\n")

    rows = open_file(local_engine(), file, as_text=["unit", "arm"]).to_pyarrow()

    assert rows["unit"].to_pylist() == ["1e5", "100000"]
    assert rows["arm"].to_pylist() == ["1.1", "1.10"]


def test_an_unknown_column_lists_the_known_ones(tmp_path: Path) -> None:
    table = open_file(local_engine(), write(tmp_path / "a.csv", b"unit,arm\n1,a\n"))

    with pytest.raises(UnknownColumn, match="no column 'revenue'; the table has unit, arm"):
        require_columns(table, ["revenue"])


def test_a_number_as_text_is_shown(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", b'unit,value\n1,1.5\n2,"12,5"\n3,2\n')

    with pytest.raises(UnusableColumn, match="'12,5' is not a number"):
        require_measurable(open_file(local_engine(), file), "value")


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_column_without_values_says_so(tmp_path: Path, name: str) -> None:
    write(tmp_path / "a.csv", b"unit,value\n1,\n2,NULL\n")
    pq.write_table(pa.table({"unit": [1, 2], "value": [None, None]}), tmp_path / "a.parquet")

    with pytest.raises(UnusableColumn, match="column 'value' has no value in any row"):
        require_measurable(open_file(local_engine(), tmp_path / name), "value")


def test_a_date_is_not_measured(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", b"unit,day\n1,2026-01-01\n2,2026-01-02\n")

    with pytest.raises(UnusableColumn, match="not numbers"):
        require_measurable(open_file(local_engine(), file), "day")


def test_the_engine_loads_nothing_from_outside() -> None:
    settings = local_engine().con.execute(
        "SELECT name, value FROM duckdb_settings() WHERE name LIKE 'auto%known_extensions'"
    )

    assert {value for _, value in settings.fetchall()} == {"false"}
