"""The decision rule: every verdict, its sentence, its error rates."""

import numpy as np
import pytest
from scipy.special import ndtr

from assay_stats import (
    Direction,
    Goal,
    Guardrail,
    Moments,
    QualityCheck,
    Reason,
    Risks,
    Verdict,
    decide,
    non_inferiority,
    welch,
)


def a_goal(better: float = 0.5, worse: float = 0.5, name: str = "revenue") -> Goal:
    return Goal(name=name, better=better, worse=worse)


def a_guardrail(acceptable: float = 0.001, worse: float = 0.5, name: str = "latency") -> Guardrail:
    return Guardrail(name=name, acceptable=acceptable, worse=worse)


def a_check(p_value: float = 0.5) -> QualityCheck:
    return QualityCheck(name="sample ratio", p_value=p_value)


def test_a_better_goal_and_safe_guardrails_ship() -> None:
    decision = decide([a_goal(better=0.01)], [a_guardrail()], [a_check()], is_final=False)

    assert decision.verdict is Verdict.SHIP
    assert decision.sentence == "Ship: revenue improved and nothing got worse beyond its margin."


def test_before_the_end_missing_evidence_keeps_the_experiment_going() -> None:
    decision = decide([a_goal()], [a_guardrail(acceptable=0.2)], is_final=False)

    assert decision.verdict is Verdict.KEEP_GOING
    assert decision.sentence == (
        "Keep going: no goal has improved and latency could still be worse than the margin so far."
    )


def test_at_the_end_missing_evidence_does_not_ship() -> None:
    decision = decide([a_goal()], [a_guardrail()], is_final=True)

    assert decision.verdict is Verdict.DO_NOT_SHIP
    assert decision.sentence == "Do not ship: the planned sample is in and no goal has improved."


def test_a_deterioration_does_not_ship_whatever_improved() -> None:
    decision = decide([a_goal(better=1e-9)], [a_guardrail(worse=1e-4)], is_final=False)

    assert decision.verdict is Verdict.DO_NOT_SHIP
    assert decision.sentence == "Do not ship: latency got worse."


def test_a_broken_experiment_cannot_say_whatever_its_numbers() -> None:
    decision = decide([a_goal(better=1e-9)], [a_guardrail(worse=1e-9)], [a_check(1e-6)], is_final=True)

    assert decision.verdict is Verdict.CANNOT_SAY
    assert decision.sentence == "Cannot say: sample ratio failed, so no number here can be trusted."


@pytest.mark.parametrize("is_final", [False, True])
def test_a_metric_without_evidence_cannot_say(is_final: bool) -> None:
    blind = Guardrail(name="errors", acceptable=np.nan, worse=np.nan, reason=Reason.ZERO_VARIANCE)

    decision = decide([a_goal(better=0.001)], [blind], is_final=is_final)

    assert decision.verdict is Verdict.CANNOT_SAY
    assert "errors could not be computed (the metric varies in neither variant" in decision.sentence


def test_a_check_without_evidence_cannot_say() -> None:
    blind = QualityCheck(name="sample ratio", p_value=np.nan, reason=Reason.NO_INFORMATION)

    assert decide([a_goal(better=0.001)], [], [blind], is_final=True).verdict is Verdict.CANNOT_SAY


def test_goals_share_alpha_and_guardrails_do_not() -> None:
    goals = [a_goal(name="a", better=0.03), a_goal(name="b")]

    decision = decide(goals, [a_guardrail(acceptable=0.04), a_guardrail(acceptable=0.04)], is_final=False)

    assert (decision.goal_alpha, decision.guardrail_alpha) == (0.025, 0.05)
    assert (decision.improved, decision.unproven) == ((), ())
    assert decision.verdict is Verdict.KEEP_GOING


def test_deterioration_shares_its_alpha_over_all_metrics_and_quality_over_checks() -> None:
    decision = decide([a_goal(worse=0.004)], [a_guardrail(worse=0.006)], [a_check(0.006)] * 2, is_final=False)

    assert decision.deterioration_alpha == 0.005
    assert decision.deteriorated == ("revenue",)
    assert decision.quality_alpha == 0.005
    assert decision.failed_checks == ()


def test_guardrails_alone_ship_when_all_are_safe() -> None:
    decision = decide([], [a_guardrail()], is_final=True)

    assert decision.verdict is Verdict.SHIP
    assert decision.sentence == "Ship: nothing got worse beyond its margin."


def test_a_list_of_names_reads_like_a_sentence() -> None:
    goals = [a_goal(name=name, better=1e-6) for name in ("a", "b", "c")]

    assert decide(goals, is_final=True).sentence.startswith("Ship: a, b and c improved and")


def test_a_decision_about_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one goal or guardrail"):
        decide([], is_final=True)


def test_each_test_is_planned_for_more_power_than_the_decision() -> None:
    # Union bound: 1 - 0.8 = 0.2 less 0.01 and 0.01 of alarms, over one goal and two guardrails.
    assert Risks().per_test_power(n_guardrails=2) == pytest.approx(1 - 0.18 / 3)


def test_alarms_that_leave_no_room_for_power_are_refused() -> None:
    with pytest.raises(ValueError, match=r"leave no room for a power of 0\.99"):
        Risks(power=0.99).per_test_power(n_guardrails=1)


def test_a_risk_is_a_share() -> None:
    with pytest.raises(ValueError, match="alpha must lie strictly between 0 and 1"):
        Risks(alpha=5)


def test_evidence_comes_from_benefits() -> None:
    slow, fast = Moments.from_summary(500, 210.0, 900.0), Moments.from_summary(500, 200.0, 900.0)
    benefit = welch(slow, fast).as_benefit(Direction.LOWER_IS_BETTER)

    goal = Goal.from_benefit("latency", benefit)

    assert goal.better == pytest.approx(benefit.p_value / 2)
    assert goal.better + goal.worse == pytest.approx(1)


def test_a_guardrail_joins_its_margin_and_its_deterioration() -> None:
    arms = Moments.from_summary(500, 200.0, 900.0), Moments.from_summary(500, 201.0, 900.0)
    direction = Direction.LOWER_IS_BETTER
    margin = non_inferiority(*arms, margin=5.0, direction=direction)

    guardrail = Guardrail.from_benefit("latency", welch(*arms).as_benefit(direction), margin)

    assert guardrail.acceptable == margin.p_value < 0.05
    assert 0.2 < guardrail.worse < 0.4


def test_a_benefit_is_judged_against_zero() -> None:
    arms = Moments.from_summary(500, 200.0, 900.0), Moments.from_summary(500, 201.0, 900.0)

    with pytest.raises(ValueError, match="judged against 0"):
        Goal.from_benefit("latency", welch(*arms, null=1.0))


def test_the_rule_ships_a_null_change_no_more_often_than_alpha() -> None:
    rng = np.random.default_rng(4)
    runs = 4_000
    better: list[list[float]] = ndtr(rng.normal(size=(runs, 2))).tolist()
    acceptable: list[float] = ndtr(rng.normal(size=runs) - 3.0).tolist()

    shipped = sum(
        decide(
            [a_goal(better=p, worse=1 - p, name=name) for name, p in zip("ab", goals, strict=True)],
            [a_guardrail(acceptable=rail)],
            is_final=True,
        ).verdict
        is Verdict.SHIP
        for goals, rail in zip(better, acceptable, strict=True)
    )

    assert 0.03 < shipped / runs < 0.05 + 4 * np.sqrt(0.05 * 0.95 / runs)
