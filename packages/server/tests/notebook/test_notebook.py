"""Assay in a notebook: the digits of the page, as a document, as tables and as a picture."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import assay
from assay.analysis.bundle import load
from assay.analysis.file import FileRequest
from assay.analysis.file import analyze_file as analyzed
from assay.analysis.reproduce import reproduce
from assay.notebook.server import ServerRefused

SHOP = Path(__file__).parents[4] / "docs/guides/shop.csv"


@pytest.fixture(scope="module")
def result() -> assay.Result:
    return assay.analyze_file(
        SHOP,
        unit="visitor",
        arm="variant",
        control="old",
        metrics=["bought", "revenue"],
        caps={"revenue": 0.99},
    )


def test_the_digits_are_those_of_the_command_line(result: assay.Result) -> None:
    request = FileRequest(
        SHOP,
        unit="visitor",
        variant="variant",
        control="old",
        metrics=["bought", "revenue"],
        caps={"revenue": 0.99},
    )

    assert result.document == analyzed(request)


def test_a_result_is_a_table(result: assay.Result) -> None:
    rows = result.to_arrow().to_pylist()

    assert [row["metric"] for row in rows] == ["bought", "revenue", "revenue_capped"]
    assert rows[0]["difference"] == result.document.metrics[0].comparisons[0].difference.estimate
    assert list(result.to_pandas()["p_value"]) == [row["p_value"] for row in rows]


def test_a_result_shows_itself(result: assay.Result) -> None:
    html = result._repr_html_()  # pyright: ignore[reportPrivateUsage]  # the notebooks' protocol

    assert '<svg class="plot"' in html
    assert "<td>revenue</td>" in html
    assert repr(result).startswith("Result of old 289, new 311 units\nbought, new: ")


def test_names_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("u,arm,<b>x\n1,a,1\n2,a,3\n3,b,4\n4,b,6\n")

    result = assay.analyze_file(path, unit="u", arm="arm", control="a", metrics=["<b>x"])

    assert "<b>x" not in result._repr_html_()  # pyright: ignore[reportPrivateUsage]  # as above


def test_a_saved_result_is_reproduced(result: assay.Result, tmp_path: Path) -> None:
    result.save(tmp_path / "shop.zip")

    assert reproduce(load(tmp_path / "shop.zip")).difference is None


def test_a_server_that_is_away_is_one_sentence() -> None:
    with pytest.raises(ServerRefused, match=r"no Assay answers at http://127\.0\.0\.1:1 .* ASSAY_URL"):
        assay.connect("http://127.0.0.1:1").experiment("checkout").analyze()


def test_importing_assay_loads_nothing_heavy() -> None:
    code = (
        "import assay, sys; print(len({'ibis', 'duckdb', 'numpy', 'pyarrow', 'fastapi'} & set(sys.modules)))"
    )

    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "0"


def test_what_is_not_there_says_so() -> None:
    with pytest.raises(AttributeError, match="module 'assay' has no attribute 'nothing'"):
        getattr(assay, "nothing")  # noqa: B009 — a name the type check does not know


def test_the_guide_says_what_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(SHOP.parents[2])
    guide = (SHOP.parent / "notebook.md").read_text(encoding="utf-8")
    blocks = re.findall(r"<!-- run by tests -->\n```python\n(.+?)```", guide, re.DOTALL)
    assert len(blocks) == 2

    exec("\n".join(blocks).replace("shop.zip", str(tmp_path / "shop.zip")), {})  # noqa: S102 — our own page

    assert reproduce(load(tmp_path / "shop.zip")).difference is None
