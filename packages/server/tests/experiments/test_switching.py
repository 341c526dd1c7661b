"""What a plan may say of clusters and windows, and what it becomes in a flag."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from assay.experiments import splitting, switching
from assay.experiments.checks import Level, assignment
from assay.experiments.plan import Plan, Switchback
from assay.experiments.splitting import Assigned
from assay_engine import Context, Evaluation, Flag, FlagType, Ruleset, compile_ruleset, evaluate
from assay_engine.model import Split, Sticky, Variant, Windows

START = datetime(2026, 5, 4, 9, 30, 17, tzinfo=UTC)
HOURLY = Windows(60, datetime(2026, 5, 4, 9, 30, tzinfo=UTC), 2)


def a_plan(**parts: Any) -> Plan:
    return Plan.model_validate({"flag": "f", **parts})


def assigned(filled: float = 1.0, **parts: Any) -> Assigned:
    return Assigned("e", "E", "salt", ("city",), [("a", 1.0), ("b", 1.0)], filled, **parts)


def answer(rule_of: Assigned, city: str, at: datetime, *, rests: bool = False) -> Evaluation:
    rule = splitting.resting(rule_of, None, []) if rests else splitting.running(rule_of)
    variants = (Variant("a", "A"), Variant("b", "B"))
    flag = Flag("f", FlagType.STRING, variants, rules=(rule,))
    ruleset = compile_ruleset(Ruleset(flags=(flag,)))
    return evaluate(ruleset, "f", Context.of("rider", {"city": city}), now=at)


@pytest.mark.parametrize(
    ("weights", "block"), [([1, 1], 2), ([1, 1, 1], 3), ([3, 1], 4), ([0.2, 0.3, 0.5], 10), ([0.99, 0.01], 1)]
)
def test_a_block_is_the_fewest_windows_with_exact_shares(weights: list[float], block: int) -> None:
    assert switching.block_of(weights) == block


def test_windows_begin_at_the_minute_of_the_start_or_where_the_plan_says() -> None:
    hourly = Switchback.model_validate({"window_minutes": 60})
    shifted = Switchback.model_validate(
        {"window_minutes": 60, "balanced": False, "anchor": datetime(2026, 5, 1, tzinfo=UTC)}
    )

    assert switching.windows_of(hourly, [1, 1], at=START) == HOURLY
    assert switching.windows_of(shifted, [1, 1], at=START) == Windows(60, datetime(2026, 5, 1, tzinfo=UTC), 1)
    assert switching.from_json(switching.to_json(HOURLY)) == HOURLY


@given(st.integers(-500, 500), st.floats(0.01, 1), st.floats(0.01, 1))
def test_raising_the_coverage_of_a_switchback_moves_no_window(hour: int, first: float, second: float) -> None:
    low, high = sorted((first, second))
    at = START + timedelta(hours=hour)
    before, after = (answer(assigned(share, windows=HOURLY), "Berlin", at) for share in (low, high))

    assert before.variant is None or before.variant == after.variant


@given(st.integers(0, 500))
def test_a_paused_switchback_goes_on_switching_and_exposes_nobody(hour: int) -> None:
    at = START + timedelta(hours=hour)
    running = answer(assigned(windows=HOURLY), "Berlin", at)
    resting = answer(assigned(windows=HOURLY), "Berlin", at, rests=True)

    assert (resting.variant, resting.is_exposure) == (running.variant, False)
    assert running.is_exposure


def test_a_paused_sticky_split_asks_for_the_assignments_of_its_experiment() -> None:
    rule = splitting.resting(assigned(sticky=Sticky(3, 1)), None, [])

    assert isinstance(rule.serve, Split)
    assert (rule.serve.experiment, rule.serve.sticky) == (None, Sticky(3, 1, "e"))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"sticky": True, "switchback": {"window_minutes": 60}}, "cannot be `sticky`"),
        (
            {"analysis_unit": "user", "unit": "city", "switchback": {"window_minutes": 60}},
            "leave `analysis_unit`",
        ),
        ({"analysis_unit": "targetingKey"}, "`analysis_unit` is `unit` itself"),
        ({"switchback": {"window_minutes": 60, "burn_in_minutes": 60}}, "leaves nothing of windows of 60"),
        ({"switchback": {"window_minutes": 4}}, "greater than or equal to 5"),
    ],
)
def test_plans_that_make_no_sense_are_refused(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        a_plan(**parts)


@pytest.mark.parametrize(
    ("parts", "level", "sentence"),
    [
        ({"sticky": True}, Level.OK, "keep the arm of their first exposure"),
        (
            {"unit": "company", "analysis_unit": "targetingKey"},
            Level.OK,
            "Whole units of company are assigned",
        ),
        ({"switchback": {"window_minutes": 60}}, Level.WARNING, "without a duration nobody knows"),
        ({"switchback": {"window_minutes": 1440}, "duration_days": 7}, Level.WARNING, "in 7 windows"),
        ({"switchback": {"window_minutes": 60}, "duration_days": 7}, Level.WARNING, "No burn-in is planned"),
        (
            {"switchback": {"window_minutes": 60, "burn_in_minutes": 5}, "duration_days": 7},
            Level.OK,
            "in 168 windows of 60 minutes",
        ),
    ],
)
def test_readiness_says_how_units_are_assigned(parts: dict[str, Any], level: Level, sentence: str) -> None:
    (check,) = assignment(a_plan(**parts))

    assert check.level is level
    assert sentence in check.sentence


def test_a_plain_plan_says_nothing_of_it_and_its_frozen_form_stays_as_it_was() -> None:
    plan = a_plan()

    assert list(assignment(plan)) == []
    assert {"sticky", "switchback", "analysis_unit"}.isdisjoint(plan.model_dump(mode="json"))
