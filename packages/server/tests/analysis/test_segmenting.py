"""Results cut by dimensions: by those that units have, and with errors as the assignment asks for."""

from collections.abc import Iterator
from pathlib import Path

import ibis

from assay.analysis.document import Document
from assay.analysis.experiment import Options, watch_events
from assay.analysis.file import FileRequest, analyze_file
from assay.analysis.plan import Dimension
from assay.sources.service import local_engine

from .measuring import Row, a_metric, a_plan, event, exposure, table_of

SPENT = a_metric("spent", kind="mean", event="order")


def told(rows: Iterator[Row], *dimensions: str) -> Document:
    options = Options(segments=[Dimension(each) for each in dimensions], has_looks=False)
    table = local_engine().create_table("events", ibis.memtable(table_of(rows)), temp=True)
    return watch_events({None: table}, a_plan(SPENT, options=options))


def a_shop(**properties: str) -> Iterator[Row]:
    for number in range(300):
        yield exposure(f"u{number}", "ab"[number % 2], 0.0, **properties)
        yield event("order", f"u{number}", 1.0, float(number % 7))


def test_a_property_that_no_exposure_has_is_named_with_those_there_are() -> None:
    document = told(a_shop(country="de", browser="ff"), "contry", "country")

    (sentence,) = document.uncut
    assert sentence == (
        "No unit has a value of 'contry', so the result cannot be cut by it; "
        "exposures carry browser, country."
    )
    assert "no unit has a value of it" in (document.heterogeneity[0].problem or "")
    assert "fewer than two segments" in (document.heterogeneity[1].problem or "")


def test_exposures_without_properties_say_so() -> None:
    (sentence,) = told(a_shop(), "country").uncut

    assert sentence.endswith("; exposures carry no properties.")


def test_a_column_without_a_value_is_named(tmp_path: Path) -> None:
    file = tmp_path / "shop.csv"
    file.write_text("unit,arm,spent,country\n1,a,1,\n2,a,2,\n3,b,3,\n4,b,4,\n", encoding="utf-8")
    asked = FileRequest(
        path=file, unit="unit", variant="arm", control="a", metrics=["spent"], segments=["country"]
    )

    assert analyze_file(asked).uncut == [
        "No unit has a value of 'country', so the result cannot be cut by it."
    ]
