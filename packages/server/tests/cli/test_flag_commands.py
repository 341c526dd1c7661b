"""What the flag commands decide before they ask a running Assay."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.cli.commands.flag import InvalidFlagOption, change_line, context_of, rollout, share_of
from assay_engine import Context, compile_ruleset, evaluate
from assay_engine.model import Ruleset
from assay_engine.parsing import flag_from_json

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VARIANTS = {"old": "a", "new": "b"}


@pytest.mark.parametrize(
    ("text", "points"), [("20%", 2_000), ("0", 0), ("100%", 10_000), ("0.01%", 1), (" 33.33% ", 3_333)]
)
def test_a_share_is_read_in_basis_points(text: str, points: int) -> None:
    assert share_of(text) == points


@pytest.mark.parametrize("text", ["", "%", "half", "-1%", "100.01%", "0.001%", "nan", "inf%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(InvalidFlagOption, match="is not a share"):
        share_of(text)


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 1_000))
def test_whoever_is_in_a_rollout_stays_in_when_it_is_raised(one: int, other: int, unit: int) -> None:
    low, high = sorted((one, other))
    first = rollout(None, key="checkout", share=low, on="new", off="old")
    raised = rollout(first, key="renamed", share=high, on="new", off="old")

    assert (served(first, unit), served(raised, unit)) != ("new", "old")


def test_a_raised_rollout_keeps_the_units_it_counts_by() -> None:
    before = {"split": {"salt": "s", "unit": "company"}}

    raised = rollout(before, key="checkout", share=1, on="on", off="off")["split"]

    assert (raised["salt"], raised["unit"]) == ("s", "company")


def test_a_context_comes_from_pairs_and_json() -> None:
    context = context_of("u1", ["plan=pro", "age=42", "tags=[1]", "query=a=b"], '{"plan": "free", "x": null}')

    assert context == {
        "plan": "pro",
        "x": None,
        "age": 42,
        "tags": [1],
        "query": "a=b",
        "targetingKey": "u1",
    }


def test_a_difference_is_a_line() -> None:
    change = {"kind": "changed", "path": ["rules", "[x]"], "before": "é", "after": [1]}

    assert change_line(change) == r'[yellow]~[/] rules.\[x]  "é" → [1]'


def served(fallthrough: dict[str, Any], unit: int) -> str | None:
    """What a unit gets by a fallthrough."""
    written = {"key": "f", "type": "string", "variants": VARIANTS, "fallthrough": fallthrough}
    compiled = compile_ruleset(Ruleset(flags=(flag_from_json(written),)))
    return evaluate(compiled, "f", Context.of(f"user-{unit}"), now=NOW).variant
