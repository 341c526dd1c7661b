"""The numbers of a result as a table say what the document says, in every format."""

import csv
import io
import json

import pyarrow.parquet as pq
import pytest

from assay.analysis.experiment import watch_events
from assay.analysis.numbers import Format, Row, rows_of, written

from .test_claims import a_plan, events


def test_every_format_holds_the_same_numbers() -> None:
    document = watch_events({None: events(1.5, days=2)}, a_plan())
    comparison = document.metrics[0].comparisons[0]

    rows = rows_of(document)

    (row,) = rows
    assert (row["metric"], row["arm"], row["segment"]) == ("spent", "new", None)
    assert row["difference_low"] == comparison.difference.low
    assert comparison.claim is not None
    assert row["claim_low"] == comparison.claim.low
    assert json.loads(written(rows, Format.JSON)) == rows
    assert pq.read_table(io.BytesIO(written(rows, Format.PARQUET))).to_pylist() == rows
    (line,) = csv.DictReader(io.StringIO(written(rows, Format.CSV).decode()))
    assert float(line["difference_low"]) == row["difference_low"]
    assert line["segment"] == ""


def test_a_result_without_metrics_is_an_empty_table() -> None:
    for form in Format:
        assert isinstance(written([], form), bytes)


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_text_in_csv_is_no_formula_and_a_number_stays_one(text: str) -> None:
    rows: list[Row] = [{"segment": text, "claim": -0.5}]

    (line,) = csv.DictReader(io.StringIO(written(rows, Format.CSV).decode(), newline=""))

    assert line == {"segment": f"'{text}", "claim": "-0.5"}
    assert json.loads(written(rows, Format.JSON)) == rows
