"""Laws of an experiment's rule: shares, coverage, and what remains when it rests."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from assay.experiments import splitting
from assay.experiments.splitting import TOTAL, Assigned
from assay_engine import Context, Flag, FlagType, Rule, Ruleset, compile_ruleset, evaluate
from assay_engine.model import (
    Bucketing,
    Clause,
    Holdout,
    Layer,
    LayerSlice,
    Operator,
    Range,
    ServeVariant,
    Split,
    Variant,
)

NOW = datetime(2026, 11, 21, tzinfo=UTC)
NAMES = ("a", "b", "c", "d")
weights = st.lists(st.floats(0, 1e6), min_size=2, max_size=4).filter(lambda given: sum(given) > 0)
filled = st.floats(1e-6, 1)


def an_assignment(weights: list[float] | None = None, **parts: Any) -> Assigned:
    arms = list(zip(NAMES, weights or [1.0, 1.0], strict=False))
    return replace(Assigned("shorter", "Shorter", "salt", ("targetingKey",), arms, 1.0), **parts)


def a_flag(*rules: Rule) -> Flag:
    variants = tuple(Variant(name, name) for name in (*NAMES, "rest"))
    return Flag("form", FlagType.STRING, variants, rules=rules, fallthrough=ServeVariant("rest"))


def split_of(assigned: Assigned) -> Split:
    rule = splitting.running(assigned)
    assert isinstance(rule.serve, Split)
    return rule.serve


@given(weights, filled)
def test_ranges_touch_and_cover_the_line(given: list[float], part: float) -> None:
    ranges = split_of(an_assignment(given, filled=part)).ranges

    assert [each.low for each in ranges] == [0, *(each.high for each in ranges[:-1])]
    assert ranges[-1].high == TOTAL


@given(weights, filled)
def test_each_arm_has_its_weight_of_what_is_covered(given: list[float], part: float) -> None:
    ranges = split_of(an_assignment(given, filled=part)).ranges

    for name, weight in zip(NAMES, given, strict=False):
        width = sum(each.high - each.low for each in ranges if each.variant == name)
        assert abs(width - weight / sum(given) * part * TOTAL) <= 2


@given(weights, filled, filled)
def test_raising_the_coverage_moves_nobody(given: list[float], one: float, other: float) -> None:
    few, many = sorted((one, other))
    before = split_of(an_assignment(given, filled=few)).ranges
    after = split_of(an_assignment(given, filled=many)).ranges

    for each in before:
        if each.variant is not None and each.high > each.low:
            assert any(
                wide.variant == each.variant and wide.low <= each.low and each.high <= wide.high
                for wide in after
            )


@given(st.integers(0, 10_000), st.integers(0, 9_000), filled, st.booleans())
def test_at_rest_everybody_keeps_the_variant_and_nobody_is_exposed(
    held: int, low: int, part: float, only_for_pro: bool
) -> None:
    layer = Layer("l", Bucketing("layer"), (LayerSlice("shorter", low, low + 1_000),))
    holdout = Holdout("h", Bucketing("held", unit=("account",)), Range(0, held))
    condition = Clause(("plan",), Operator.EQUALS, ("pro",)) if only_for_pro else None
    assigned = an_assignment([1, 2, 1], filled=part, condition=condition, layer="l")
    parts: dict[str, Any] = {"layers": (layer,), "holdouts": (holdout,)}
    running = compile_ruleset(Ruleset((a_flag(splitting.running(assigned)),), **parts))
    resting = compile_ruleset(Ruleset((a_flag(splitting.resting(assigned, layer, [holdout])),), **parts))

    for number in range(200):
        plan = "pro" if number % 3 else "free"
        attributes = {"plan": plan, **({"account": f"a{number % 17}"} if number % 5 else {})}
        context = Context.of(f"u{number}", attributes)
        before = evaluate(running, "form", context, now=NOW)
        after = evaluate(resting, "form", context, now=NOW)
        assert after.variant == before.variant
        assert not after.is_exposure


def test_a_new_rule_stands_below_all_or_above_the_one_named() -> None:
    flag = a_flag(Rule("x", ServeVariant("a")), Rule("y", ServeVariant("b")))
    rule = splitting.running(an_assignment())

    below = splitting.with_rule(flag, rule, above=None)
    above = splitting.with_rule(flag, rule, above="y")

    assert [each.id for each in below.rules] == ["x", "y", "experiment:shorter"]
    assert [each.id for each in above.rules] == ["x", "experiment:shorter", "y"]


def test_a_rule_that_is_there_keeps_its_place() -> None:
    rule = splitting.running(an_assignment())
    flag = splitting.with_rule(a_flag(rule, Rule("x", ServeVariant("a"))), rule, above=None)

    shipped = splitting.with_rule(flag, splitting.shipped(an_assignment(), "b", everyone=False), above=None)

    assert [each.id for each in shipped.rules] == ["experiment:shorter", "x"]
    assert shipped.rules[0].serve == ServeVariant("b")
    assert splitting.without_rule(shipped, "shorter").rules == (Rule("x", ServeVariant("a")),)
