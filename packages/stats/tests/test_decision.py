"""The decision rule: every verdict, its sentence, its error rates."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from assay_stats import (
    Alternative,
    Direction,
    Estimate,
    Goal,
    GroupSequentialPlan,
    Guardrail,
    Moments,
    QualityCheck,
    Reason,
    Risks,
    Verdict,
    decide,
    mixture_sprt,
    non_inferiority,
    repeated_estimate,
    running,
    stagewise_estimate,
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


p_values = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1e-9, 0.004, 0.03, 0.5, 1.0]))
sound_checks = st.lists(st.builds(a_check, st.floats(0.02, 1)), max_size=2)


@st.composite
def estimates(draw: st.DrawFn) -> Estimate:
    """A difference by Welch or by a sequence, wherever it lies, at the level of a one-sided test of 0.05."""
    value, error = draw(st.floats(-6, 6)), draw(st.floats(0.1, 3))
    arms = Moments(1_000, 0.0, 999.0 * 500 * error**2), Moments(1_000, value, 999.0 * 500 * error**2)
    if draw(st.booleans()):
        return welch(*arms, level=0.90)
    return mixture_sprt(value, error, mixture_variance=1.0, level=0.90)


@given(estimates(), st.sampled_from(Direction), st.booleans())
def test_a_verdict_about_one_goal_is_what_its_interval_says(
    estimate: Estimate, direction: Direction, is_final: bool
) -> None:
    benefit = estimate.as_benefit(direction)

    decision = decide([Goal.from_benefit("revenue", benefit)], is_final=is_final)

    if decision.improved:
        assert benefit.lower > -1e-9
        assert decision.verdict is Verdict.SHIP
    if decision.deteriorated:
        assert benefit.upper < 1e-9
        assert decision.verdict is Verdict.DO_NOT_SHIP
    if benefit.lower <= 0 <= benefit.upper:
        assert decision.verdict is (Verdict.DO_NOT_SHIP if is_final else Verdict.KEEP_GOING)


@given(
    st.lists(st.builds(a_goal, p_values, p_values), max_size=3),
    st.lists(st.builds(a_guardrail, p_values, p_values), min_size=1, max_size=3),
    st.lists(st.builds(a_check, p_values), max_size=3),
    st.booleans(),
)
def test_the_verdict_follows_from_the_findings_and_the_sentence_names_them(
    goals: list[Goal], guardrails: list[Guardrail], checks: list[QualityCheck], is_final: bool
) -> None:
    decision = decide(goals, guardrails, checks, is_final=is_final)

    lacking = (bool(goals) and not decision.improved) or bool(decision.unproven)
    waiting = Verdict.DO_NOT_SHIP if is_final else Verdict.KEEP_GOING
    expected, named = (
        (Verdict.CANNOT_SAY, decision.failed_checks)
        if decision.failed_checks
        else (Verdict.DO_NOT_SHIP, decision.deteriorated)
        if decision.deteriorated
        else (waiting, decision.unproven)
        if lacking
        else (Verdict.SHIP, decision.improved)
    )
    assert decision.verdict is expected
    assert all(name in decision.sentence for name in named)
    assert decision.sentence.lower().startswith(decision.verdict.value.replace("_", " "))


@given(p_values, p_values, p_values, st.floats(0, 0.009), st.booleans(), sound_checks)
def test_a_failed_check_cannot_say_whatever_else_was_found(
    better: float, worse: float, acceptable: float, failed: float, is_final: bool, sound: list[QualityCheck]
) -> None:
    checks = [*sound, a_check(failed / (len(sound) + 1))]

    decision = decide([a_goal(better, worse)], [a_guardrail(acceptable, worse)], checks, is_final=is_final)

    assert decision.verdict is Verdict.CANNOT_SAY
    assert "sample ratio failed" in decision.sentence


@given(p_values, p_values, st.booleans())
def test_a_check_that_could_not_be_computed_cannot_say_even_beside_a_deterioration(
    better: float, worse: float, is_final: bool
) -> None:
    blind = QualityCheck(name="sample ratio", p_value=np.nan, reason=Reason.NO_INFORMATION)

    assert decide([a_goal(better, worse)], [], [blind], is_final=is_final).verdict is Verdict.CANNOT_SAY


@given(st.floats(0, 1), st.floats(0, 1), p_values, p_values)
def test_more_evidence_for_a_goal_never_takes_back_shipping(
    first: float, second: float, acceptable: float, worse: float
) -> None:
    weaker, stronger = max(first, second), min(first, second)
    ships = [
        decide([a_goal(better, 0.5)], [a_guardrail(acceptable, worse)], is_final=True).verdict is Verdict.SHIP
        for better in (weaker, stronger)
    ]

    assert ships != [True, False]


def test_a_goal_takes_the_p_value_of_a_sequence_and_not_of_its_statistic() -> None:
    peeked = mixture_sprt(2.2, 1.0, mixture_variance=1.0)

    goal = Goal.from_benefit("revenue", peeked)

    assert peeked.p_value > 0.05
    assert goal.better == 1
    assert Goal.from_benefit("revenue", mixture_sprt(5.0, 1.0, mixture_variance=1.0)).better < 0.005


def test_a_goal_takes_half_of_a_repeated_or_stagewise_p_value() -> None:
    plan, fractions = GroupSequentialPlan(), [0.5, 0.75]

    for ended in (
        repeated_estimate(2.5, 1.0, plan=plan, fractions=fractions),
        stagewise_estimate(2.5, 1.0, plan=plan, fractions=fractions),
    ):
        assert Goal.from_benefit("revenue", ended).better == ended.p_value / 2
        assert Goal.from_benefit("revenue", ended).worse == 1 - ended.p_value / 2


def test_looks_that_contradict_each_other_cannot_say() -> None:
    looks = running(mixture_sprt([5.0, 0.0, -5.0], 1.0, mixture_variance=2.0))
    last = replace(
        mixture_sprt(-5.0, 1.0, mixture_variance=2.0),
        lower=looks.lower[-1],
        upper=looks.upper[-1],
        reason_codes=looks.reason_codes[-1],
    )

    decision = decide([Goal.from_benefit("revenue", last)], is_final=False)

    assert decision.verdict is Verdict.CANNOT_SAY
    assert "no single value lies in the intervals of all looks" in decision.sentence


def test_a_sequence_that_looked_at_one_side_cannot_judge_the_other() -> None:
    upwards = mixture_sprt(3.0, 1.0, mixture_variance=1.0, alternative=Alternative.GREATER)
    plan = GroupSequentialPlan(alternative=Alternative.GREATER)

    with pytest.raises(ValueError, match="only looked for values greater"):
        Goal.from_benefit("revenue", upwards)
    with pytest.raises(ValueError, match="only looks for values greater"):
        Goal.from_benefit("revenue", repeated_estimate(3.0, 1.0, plan=plan, fractions=[0.5]))


def test_one_sided_p_values_of_a_fixed_test_are_its_own_and_its_complement() -> None:
    arms = Moments.from_summary(50, 10.0, 9.0), Moments.from_summary(60, 11.0, 9.0)
    upwards = welch(*arms, alternative=Alternative.GREATER)

    assert upwards.p_value_towards(Alternative.GREATER) == upwards.p_value
    assert welch(*arms).p_value_towards(Alternative.GREATER) == pytest.approx(upwards.p_value, rel=1e-12)
    assert upwards.p_value_towards(Alternative.LESS) == 1 - upwards.p_value
    with pytest.raises(ValueError, match="ask for one side"):
        upwards.p_value_towards(Alternative.TWO_SIDED)


def test_a_margin_is_judged_by_a_one_sided_test() -> None:
    arms = Moments.from_summary(500, 200.0, 900.0), Moments.from_summary(500, 201.0, 900.0)

    with pytest.raises(ValueError, match="margin of latency needs a one-sided test"):
        Guardrail.from_benefit("latency", welch(*arms), welch(*arms))


@pytest.mark.parametrize("wrong", [np.nan, -0.1, 5.0])
def test_evidence_that_is_no_p_value_and_has_no_reason_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="better of revenue must be a p-value"):
        a_goal(better=wrong)
    with pytest.raises(ValueError, match="acceptable of latency"):
        a_guardrail(acceptable=wrong)
    with pytest.raises(ValueError, match="p_value of sample ratio"):
        a_check(wrong)
