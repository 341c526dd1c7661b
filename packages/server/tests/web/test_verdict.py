"""A verdict says what its interval says."""

import io
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from assay.analysis.document import Claim, Comparison, Decided, Estimate
from assay.analysis.effects_over_time import change_of_interval, trend_of_interval
from assay.analysis.methods import Finding
from assay.cli.report import report
from assay.web.differing import TONES, WORDS
from assay.web.figures import PLAIN, POINTS, Scale
from assay.web.metric_card import ComparisonLine, metric_card
from assay.web.results import finished
from assay.web.verdict import Tone, Verdict, disagreement, verdict
from assay_stats.checks import as_floats
from assay_stats.sequential import AlwaysValidEstimate
from assay_stats.tails import Alternative
from assay_stats.undefined import DEFINED

from .factories import (
    NOW,
    a_comparison,
    a_document,
    a_metric_result,
    a_result,
    an_estimate,
    an_experiment,
    undefined,
)

ends = st.floats(-1e6, 1e6)


def judged(
    difference: Estimate, direction: Literal["increase", "decrease"] = "increase", scale: Scale = PLAIN
) -> Verdict:
    return verdict(difference, arm="New", control="Old", direction=direction, scale=scale)


@pytest.mark.parametrize(
    ("low", "high", "direction", "tone"),
    [
        (0.5, 1.5, "increase", Tone.BETTER),
        (0.5, 1.5, "decrease", Tone.WORSE),
        (-1.5, -0.5, "increase", Tone.WORSE),
        (-1.5, -0.5, "decrease", Tone.BETTER),
        (-0.5, 0.5, "increase", Tone.OPEN),
        (0.0, 1.0, "increase", Tone.OPEN),
        (-1.0, 0.0, "decrease", Tone.OPEN),
        (None, 1.0, "increase", Tone.OPEN),
        (0.5, None, "increase", Tone.BETTER),
    ],
)
def test_the_interval_and_the_wanted_direction_decide(
    low: float | None, high: float | None, direction: Literal["increase", "decrease"], tone: Tone
) -> None:
    assert judged(an_estimate(low, high), direction).tone is tone


@settings(deadline=None)
@given(ends, ends)
def test_a_finding_is_settled_exactly_when_the_interval_excludes_zero(first: float, second: float) -> None:
    low, high = min(first, second), max(first, second)

    tone = judged(an_estimate(low, high)).tone

    assert (tone in {Tone.BETTER, Tone.WORSE}) == (not low <= 0 <= high)


@settings(deadline=None)
@given(ends, ends)
def test_the_other_direction_turns_better_into_worse(first: float, second: float) -> None:
    difference = an_estimate(min(first, second), max(first, second))
    mirrored = {Tone.BETTER: Tone.WORSE, Tone.WORSE: Tone.BETTER, Tone.OPEN: Tone.OPEN}

    assert judged(difference, "decrease").tone is mirrored[judged(difference, "increase").tone]


def test_a_settled_sentence_gives_the_size_and_its_range_nearest_first() -> None:
    assert judged(an_estimate(-0.01328, -0.00312), scale=POINTS).sentence == (
        "The interval excludes 0: New is lower by 0.820 percentage points (0.312 to 1.328), "
        "and lower is worse here."
    )


def test_an_open_sentence_says_what_remains_possible() -> None:
    assert judged(an_estimate(-0.0125, 0.0005), scale=POINTS).sentence == (
        "The interval includes 0: the data do not tell New from Old. "
        "Anything from −1.250 pp to +0.050 pp fits them."
    )


def test_an_undefined_difference_says_why() -> None:
    found = judged(undefined("a variant has no units"))

    assert (found.tone, found.sentence) == (
        Tone.UNKNOWN,
        "Cannot be computed, because a variant has no units.",
    )


def test_an_end_that_excludes_zero_by_a_hair_is_not_written_as_zero() -> None:
    assert "(1e−07 to 2.000)" in judged(an_estimate(1e-7, 2.0)).sentence


def test_a_lift_that_disagrees_about_zero_is_pointed_out() -> None:
    assert "includes 0" in str(disagreement(an_estimate(0.1, 1.0), an_estimate(-0.1, 1.0)))
    assert "excludes 0" in str(disagreement(an_estimate(-0.1, 1.0), an_estimate(0.1, 1.0)))


def test_a_lift_that_agrees_or_is_undefined_needs_no_word() -> None:
    assert disagreement(an_estimate(0.1, 1.0), an_estimate(0.01, 0.1)) is None
    assert disagreement(an_estimate(0.1, 1.0), undefined()) is None


def a_claim(low: float, high: float, finding: Finding, **parts: object) -> Claim:
    values: dict[str, object] = {
        "role": "goal", "method": "always_valid", "basis": "plain", "finding": finding, "sentence": "",
        "estimate": (low + high) / 2, "low": low, "high": high, "lift": an_estimate(low / 10, high / 10),
        "level": 0.95, "p_value": 0.01, "adjusted_p_value": 0.02, "day": None, "is_settled": True,
        "within_margin": None, "unbiased": None, "belief": None, "doubt": None, "days_to_plan": None,
        "days_to_power": None, "is_exploratory": False,
    }  # fmt: skip
    return Claim.model_validate(values | parts)


def card_of(comparison: Comparison) -> ComparisonLine:
    document = a_document(a_metric_result(comparison))
    return metric_card(document.metrics[0], document, an_experiment(), {"A": "Old", "B": "New"}).comparisons[
        0
    ]


@settings(deadline=None)
@given(ends, ends)
def test_every_word_of_a_card_follows_the_claimed_interval_and_not_the_plain_one(
    first: float, second: float
) -> None:
    low, high = min(first, second), max(first, second)
    found = Finding.BETTER if low > 0 else Finding.WORSE if high < 0 else Finding.OPEN

    shown = card_of(a_comparison(an_estimate(5.0, 6.0), claim=a_claim(low, high, found)))

    assert shown.verdict.tone.value == found.value
    assert (shown.difference.range.low.value, shown.difference.range.high.value) == (low, high)
    assert (shown.lift.range.low.value, shown.p_value.value) == (low / 10, 0.02)


def test_the_terminal_shows_the_claimed_interval_and_no_figure_before_its_time() -> None:
    claimed = a_comparison(an_estimate(5.0, 6.0), claim=a_claim(-1.0, 3.0, Finding.OPEN))
    early = a_comparison(claim=a_claim(1.0, 2.0, Finding.EARLY, lift=None, adjusted_p_value=None))

    assert "1 [-1, 3]" in in_terminal(claimed)
    assert "0.0200" in in_terminal(claimed)
    assert "[" not in in_terminal(early).partition("finding")[2]
    assert "the plan allows no reading yet" in in_terminal(early)


@pytest.mark.parametrize(
    ("verdict", "finding", "role", "tone"),
    [
        ("ship", Finding.BETTER, "goal", Tone.BETTER),
        ("do_not_ship", Finding.WORSE, "goal", Tone.WORSE),
        ("do_not_ship", Finding.OPEN, "goal", Tone.OPEN),
        ("do_not_ship", Finding.WORSE, "secondary", Tone.OPEN),
        ("cannot_say", Finding.WORSE, "goal", Tone.UNKNOWN),
    ],
)
def test_a_decision_looks_like_a_loss_only_where_an_interval_shows_one(
    verdict: str, finding: Finding, role: str, tone: Tone
) -> None:
    decided = Decided.model_validate({"arm": "B", "verdict": verdict, "sentence": "…"})
    comparison = a_comparison(claim=a_claim(-2.0, -1.0, finding, role=role))
    document = a_document(a_metric_result(comparison), decisions=[decided])

    shown = finished(a_result(document), an_experiment(), [], {}, now=NOW)

    assert [line.tone for line in shown.decisions] == [tone]


def in_terminal(comparison: Comparison) -> str:
    console = Console(width=200, file=io.StringIO())
    with console.capture() as captured:
        console.print(report(a_document(a_metric_result(comparison))))
    return captured.get()


def test_a_card_shows_no_figure_before_the_plan_allows_one() -> None:
    claim = a_claim(1.0, 2.0, Finding.EARLY).model_copy(
        update={"estimate": None, "low": None, "high": None, "lift": None, "adjusted_p_value": None}
    )

    shown = card_of(a_comparison(claim=claim))

    assert shown.verdict.tone is Tone.EARLY
    assert shown.difference.range.low.value is None
    assert shown.difference.problem == "the plan allows no reading yet"
    assert shown.p_value.value is None
    assert shown.fieller.range.estimate.value is None


def test_a_card_of_a_guardrail_within_its_margin_says_so() -> None:
    shown = card_of(a_comparison(claim=a_claim(-2.0, -1.0, Finding.WITHIN_MARGIN, role="guardrail")))

    assert shown.verdict.word == "Within its margin"
    assert (
        shown.verdict.sentence
        == "Whatever New changes, from −2.000 to −1.000, is better or a tolerable loss."
    )


def test_a_card_says_what_stands_beside_the_claim() -> None:
    claim = a_claim(
        1.0, 2.0, Finding.BETTER, level=0.975, doubt="Too large.", is_exploratory=True, days_to_plan=3,
        unbiased={"estimate": 1.25, "low": 1.0, "high": 1.5},
    )  # fmt: skip

    notes = card_of(a_comparison(claim=claim)).notes

    assert [note.partition(":")[0] for note in notes] == [
        "Too large.",
        "The interval covers with 97.5 %, as several comparisons share alpha.",
        "Without a claim, as one plain test of now",
        "Without the optimism of stopping early",
        "3 days are left to the planned units.",
        "Exploratory",
    ]


@settings(deadline=None)
@given(ends, ends)
def test_every_word_about_a_trend_or_another_experiment_follows_from_its_interval(
    first: float, second: float
) -> None:
    low, high = min(first, second), max(first, second)
    middle = as_floats((low + high) / 2)
    interval = AlwaysValidEstimate(
        value=middle, lower=as_floats(low), upper=as_floats(high), standard_error=as_floats(1.0),
        statistic=middle, p_value=as_floats(0.5), degrees_of_freedom=as_floats(np.inf),
        level=as_floats(0.99), null=as_floats(0.0), log_e_value=as_floats(0.0),
        alternative=Alternative.TWO_SIDED, method="", reason_codes=DEFINED,
    )  # fmt: skip
    excludes_zero = not low <= 0 <= high

    changed = change_of_interval(interval)
    trending = trend_of_interval(interval, mean_lift=1.0)

    assert (changed == "differs") == excludes_zero
    assert (trending != "steady") == excludes_zero
    assert (trending == "grows") == (low > 0)
    assert {TONES[changed], TONES[trending]} <= ({Tone.WORSE} if excludes_zero else {Tone.OPEN})
    assert {WORDS[changed], WORDS[trending]}.isdisjoint({"Not beyond chance"}) == excludes_zero
