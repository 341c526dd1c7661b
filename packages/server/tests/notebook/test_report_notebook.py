"""The notebook of a report runs without a server and concludes every number again."""

import contextlib
import io
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import assay
from assay.analysis.bundle import to_json
from assay.analysis.report_notebook import bundle_of, notebook_of
from assay.analysis.reproduce import Reproduction
from assay.analysis.schemas import FrozenReportOut, RecordOut, ReportOut

SHOP = Path(__file__).parents[4] / "docs/guides/shop.csv"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def result() -> assay.Result:
    return assay.analyze_file(SHOP, unit="visitor", arm="variant", control="old", metrics=["bought"])


@pytest.fixture(scope="module")
def record(result: assay.Result) -> RecordOut:
    assert result.written is not None
    return RecordOut.model_validate(to_json(result.written))


def a_report(result: assay.Result, title: str = "Q4") -> FrozenReportOut:
    report = ReportOut(
        id=uuid.UUID(int=1), result=uuid.UUID(int=2), title=title, note="", made_by="ada", made_at=NOW,
        approved_by=None, approved_at=None,
    )  # fmt: skip
    return FrozenReportOut(report=report, document=result.document)


def test_the_cells_conclude_the_numbers_again(result: assay.Result, record: RecordOut) -> None:
    frozen = a_report(result)
    notebook = json.loads(notebook_of(frozen, bundle_of(frozen, record)))

    names, said = run(notebook)

    again: Reproduction = names["again"]
    assert (again.difference, again.content_hash) == (None, result.document.content_hash)
    assert f"{again.numbers:,} numbers concluded again" in said
    assert names["opened"].document == result.document


def test_a_changed_bundle_is_not_believed(result: assay.Result, record: RecordOut) -> None:
    first = result.document.metrics[0]
    changed = first.model_copy(update={"name": "Profit"})
    document = result.document.model_copy(update={"metrics": [changed, *result.document.metrics[1:]]})
    frozen = FrozenReportOut(report=a_report(result).report, document=document)

    with pytest.raises(AssertionError, match="Profit"):
        run(json.loads(notebook_of(frozen, bundle_of(frozen, record))))


def test_the_same_report_is_the_same_notebook(result: assay.Result, record: RecordOut) -> None:
    frozen = a_report(result)

    assert notebook_of(frozen, bundle_of(frozen, record)) == notebook_of(frozen, bundle_of(frozen, record))


def test_a_title_is_only_text(result: assay.Result, record: RecordOut) -> None:
    frozen = a_report(result, 'Q4\n\n# x <script>alert(1)</script> [a](http://b) """ + evil()')

    notebook = json.loads(notebook_of(frozen, bundle_of(frozen, record)))

    heading = "".join(notebook["cells"][0]["source"]).splitlines()[0]
    code = "".join("".join(cell["source"]) for cell in notebook["cells"][1:])
    assert r"\<script\>" in heading
    assert r"\[a\]\(http\:" in heading
    assert "evil" not in code


def run(notebook: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """What the code cells leave behind, one after the other, as a kernel runs them."""
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    names: dict[str, Any] = {}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), names)  # noqa: S102 — what a kernel does
    return names, said.getvalue()
