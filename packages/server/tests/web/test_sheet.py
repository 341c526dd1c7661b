"""Reports as files: all forms say the same, and what people wrote stays text in each."""

import re
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from assay.analysis.document import Decided
from assay.analysis.errors import NoRecord, NoSubject
from assay.analysis.holdout_schemas import BesideOut, SumOut, UnderOut
from assay.analysis.schemas import FrozenReportOut, ReportOut, Subject
from assay.web import report_forms
from assay.web.report_forms import Form, digest_of, written
from assay.web.sheet import sheet
from assay.web.sheet_page import page_of
from assay.web.typesetting import NotTypeset, typeset

from .factories import (
    NOW,
    a_comparison,
    a_document,
    a_metric_result,
    a_result,
    a_sample_ratio,
    an_experiment,
    undefined,
)

HOSTILE = (
    '#panic("no") #read("/etc/passwd") *b* $x$ `c` @ref <l> \\ // [x] <script>alert(1)</script> {{ 7 * 7 }}'
)


def a_report(*, title: str = "Q4", approved: bool = True, **parts: object) -> FrozenReportOut:
    at = NOW if approved else None
    report = ReportOut(
        id=uuid.UUID(int=1),
        result=uuid.UUID(int=2),
        title=title,
        note=title,
        made_by="ada",
        made_at=NOW,
        approved_by="grace" if approved else None,
        approved_at=at,
    )
    experiment = an_experiment(name=title, description=title)
    document = a_document(**parts) if parts else a_document(a_metric_result(), content_hash="c" * 64)
    return FrozenReportOut(
        report=report, document=document, subject=Subject(experiment=experiment, task=a_result().task)
    )


@pytest.mark.parametrize("form", [Form.HTML, Form.PDF, Form.PNG])
def test_the_same_report_gives_the_same_bytes(form: Form) -> None:
    first = written(a_report(), None, form)
    report_forms._KEPT._files.clear()  # pyright: ignore[reportPrivateUsage]  # made anew, not remembered

    assert written(a_report(), None, form) == first


@pytest.mark.parametrize("form", Form)
def test_an_approval_makes_another_file(form: Form) -> None:
    assert digest_of(a_report(), form) != digest_of(a_report(approved=False), form)


@pytest.mark.parametrize("form", ["pdf", "png"])
def test_what_people_wrote_is_never_markup_on_pages(form: str) -> None:
    report = a_report(title=HOSTILE, decisions=[Decided(arm="B", verdict="ship", sentence=HOSTILE)])

    assert typeset(sheet(report), "pdf" if form == "pdf" else "png")


def test_what_people_wrote_is_never_markup_in_html() -> None:
    page = page_of(sheet(a_report(title=HOSTILE)))

    assert "<script" not in page
    assert "{{ 7 * 7 }}" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_html_asks_nobody_for_anything() -> None:
    page = page_of(sheet(a_report()))

    assert not re.search(r"(src|href|url|@import|http)\s*[=(:]", page.partition("</style>")[2])
    assert "url(" not in page
    assert "default-src &#39;none&#39;" in page


def test_a_sheet_says_what_was_decided_by_whom_and_on_which_plan() -> None:
    phase: dict[str, Any] = {
        "number": 1, "salt": "s", "coverage": 1.0, "plan_hash": "a" * 64, "frozen": {},
        "started_at": NOW - timedelta(days=14), "ended_at": None,
    }  # fmt: skip
    plan = {"hypothesis": "Five fields are enough.", "goals": [{"metric": "revenue"}]}
    document = a_document(
        a_metric_result(),
        content_hash="c" * 64,
        decisions=[Decided(arm="B", verdict="ship", sentence="Ship: revenue got better.")],
    )
    subject = Subject(experiment=an_experiment(state="ACTIVE", plan=plan, phase=phase), task=a_result().task)
    frozen = a_report().model_copy(update={"document": document, "subject": subject})

    page = page_of(sheet(frozen))

    for said in (
        "Five fields are enough.",
        "Ship: revenue got better.",
        "Approved by grace on 20 November 2026, 12:00 UTC",
        "a" * 64,
        "c" * 64,
        "The units are split as the weights say (p = 0.5000).",
        "+10.00%",
    ):
        assert said in page


@pytest.mark.parametrize("form", ["pdf", "png"])
def test_pages_of_a_holdout_list_what_had_run_under_it(form: str) -> None:
    under = UnderOut(
        key="page", name=HOSTILE, state="ACTIVE", outcome=None, shipped=None, started_at=NOW, ended_at=None,
        effects=[],
    )  # fmt: skip
    added = SumOut(metric="spent", experiments=[], lift=None, low=None, high=None, sentence=HOSTILE)
    frozen = a_report()
    assert frozen.subject is not None
    beside = BesideOut(experiments=[under], sums=[added])
    subject = frozen.subject.model_copy(update={"beside": beside})
    found = sheet(frozen.model_copy(update={"subject": subject}))

    assert (found.under[0].outcome, found.under[0].ended) == ("active", "running")
    assert found.beside == [f"spent: {HOSTILE}"]
    assert typeset(found, "pdf" if form == "pdf" else "png")


def test_a_suspicious_split_is_said_before_any_number() -> None:
    page = page_of(sheet(a_report(sample_ratio=a_sample_ratio(0.0001))))

    assert page.index("Do not trust these results yet.") < page.index("Metrics: lift")


def test_what_cannot_be_drawn_is_said() -> None:
    broken = a_comparison(undefined(), undefined())
    report = a_report().model_copy(update={"document": a_document(a_metric_result(broken))})

    assert "cannot be drawn" in page_of(sheet(report))
    assert typeset(sheet(report), "pdf")


def test_a_picture_has_an_end_and_a_pdf_has_pages() -> None:
    metrics = [a_metric_result(metric=f"metric_{number}") for number in range(400)]
    report = a_report().model_copy(update={"document": a_document(*metrics)})

    pdf, png = typeset(sheet(report), "pdf"), typeset(sheet(report), "png")

    assert pages_of(pdf) > 15
    assert 1000 < int.from_bytes(png[20:24], "big") < 6000


def pages_of(pdf: bytes) -> int:
    counts = [int(found) for found in re.findall(rb"/Count (\d+)", pdf)]
    return max(counts)


def test_a_refusal_of_the_compiler_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "sheet.typ"
    broken.write_text("#panic(sys.inputs.form)")
    monkeypatch.setattr("assay.web.typesetting.TEMPLATE", broken)

    with pytest.raises(NotTypeset, match="cannot be set as PDF"):
        typeset(sheet(a_report()), "pdf")


def test_old_reports_say_what_they_lack() -> None:
    old = a_report().model_copy(update={"subject": None})

    with pytest.raises(NoSubject, match="report its result again"):
        written(old, None, Form.PDF)
    with pytest.raises(NoRecord, match="report a new analysis"):
        written(a_report(), None, Form.NOTEBOOK)


def test_files_are_kept_up_to_a_number_of_bytes() -> None:
    kept = report_forms._Kept(10)  # pyright: ignore[reportPrivateUsage]  # small enough to fill

    for key in ("a", "b", "a", "c"):
        kept.keep(key, b"1234")

    assert [key for key in "abc" if kept.get(key) is not None] == ["a", "c"]
    kept.keep("huge", b"x" * 100)
    assert kept.get("huge") is None
    assert [key for key in "abc" if kept.get(key) is not None] == []
