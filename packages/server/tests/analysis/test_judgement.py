"""The decision follows from the intervals, and its one sentence says why."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.analysis.inference import Question, infer
from assay.analysis.judgement import Judgement, Split, judge
from assay.analysis.methods import AlwaysValid, Finding, Fixed, GroupSequential, Margin, Method, Reading, Role
from assay_stats.decision import Verdict
from assay_stats.moments import Moments
from assay_stats.results import Direction

from .factories import a_look, a_look_of, a_question

SOUND = Split(0.4)
AT_THE_END = Reading()


def decided(*questions: Question, split: Split = SOUND, reading: Reading = AT_THE_END) -> Judgement:
    return judge(infer(questions, reading), split, reading, control="old")


def a_goal(effect: float, **more: object) -> Question:
    return a_question(a_look(effect), role=Role.GOAL, **more)


def a_rail(effect: float, margin: float | None = 3.0) -> Question:
    return a_question(
        a_look(effect),
        name="Latency",
        role=Role.GUARDRAIL,
        margin=None if margin is None else Margin(margin),
    )


def test_arms_are_called_by_their_names_where_they_have_one() -> None:
    answers = infer([a_goal(-3.0)], AT_THE_END)
    named = judge(answers, SOUND, AT_THE_END, control="old", names={"old": "The short form"})
    (arm,) = {answer.question.arm for answer in answers}

    assert named.sentence.startswith("Keep The short form: ")
    assert f" with {arm}" in named.sentence


def test_a_better_goal_and_safe_guardrails_ship() -> None:
    found = decided(a_goal(3.0), a_rail(0.0))

    assert found.verdict is Verdict.SHIP
    assert found.sentence == (
        "Ship new: Revenue rose by 3 (+1.04 to +4.96) and no guardrail is worse than its margin."
    )


def test_a_worse_goal_does_not_ship() -> None:
    found = decided(a_goal(-3.0))

    assert found.verdict is Verdict.DO_NOT_SHIP
    assert found.sentence == "Keep old: Revenue fell by 3 (−4.96 to −1.04) with new."


def test_shares_are_told_in_points() -> None:
    control, treatment = Moments.from_counts(10_000, 2_000), Moments.from_counts(10_000, 1_800)
    look = a_look_of(control, treatment)

    found = decided(a_question(look, role=Role.GOAL, is_share=True))

    assert found.sentence == "Keep old: Revenue fell by 2.00 points (−3.09 to −0.91) with new."


def test_a_guardrail_that_could_still_be_worse_does_not_ship() -> None:
    found = decided(a_goal(3.0), a_rail(-1.5))

    assert found.verdict is Verdict.DO_NOT_SHIP
    assert "Latency could still be worse than the margin" in found.sentence


def test_a_guardrail_without_a_margin_only_must_not_have_got_worse() -> None:
    assert decided(a_goal(3.0), a_rail(-1.5, margin=None)).verdict is Verdict.SHIP
    assert decided(a_goal(3.0), a_rail(-2.5, margin=None)).verdict is Verdict.DO_NOT_SHIP


def test_a_suspicious_split_is_said_beside_the_decision() -> None:
    found = decided(a_goal(-3.0), split=Split(0.0086))

    assert found.verdict is Verdict.DO_NOT_SHIP
    assert found.sentence == (
        "Keep old: Revenue fell by 3 (−4.96 to −1.04) with new; but the split of the units is suspicious "
        "(p = 0.0086), so find its cause before you trust any number."
    )


def test_a_broken_split_takes_every_number_back() -> None:
    found = decided(a_goal(9.0), split=Split(1e-5))

    assert found.verdict is Verdict.CANNOT_SAY
    assert found.sentence == (
        "Cannot say: the units are not split as the weights say (p = 1.0e-05), so no number here can be "
        "trusted before its cause is found."
    )


def test_a_split_that_cannot_be_checked_cannot_say() -> None:
    assert decided(a_goal(9.0), split=Split(None, "one arm")).verdict is Verdict.CANNOT_SAY


def test_units_in_a_closed_arm_are_suspicious() -> None:
    found = decided(a_goal(3.0), split=Split(0.9, misplaced=12))

    assert found.sentence.endswith(
        "; but an arm of weight 0 has 12 units, so find its cause before you trust any number."
    )


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        (Fixed(), "read once, at its end"),
        (GroupSequential(looks=(0.5, 1.0)), "the first look is planned at 50 % of the planned units"),
        (AlwaysValid(), "fewer than 100 units"),
    ],
)
def test_before_the_first_reading_the_experiment_goes_on(method: Method, reason: str) -> None:
    reading = Reading(method=method, planned_units=1_000, is_final=False)

    found = decided(a_question(a_look(9.0, units=80), role=Role.GOAL), reading=reading)

    assert found.verdict is Verdict.KEEP_GOING
    assert reason in found.sentence


def test_secondary_metrics_decide_nothing() -> None:
    assert decided(a_question(a_look(9.0))).verdict is None
    assert decided(a_goal(0.0), a_question(a_look(-9.0))).sentence == (
        "Keep old: with all the data there are, Revenue is not shown to be better with new (−1.96 to +1.96)."
    )


def test_a_loss_says_what_was_gained_beside_it() -> None:
    dearer = a_question(a_look(3.0), name="Cost", role=Role.GOAL, direction=Direction.LOWER_IS_BETTER)

    assert decided(a_goal(3.0), dearer).sentence == (
        "Keep old: Cost, where lower is better, rose by 3 (+1.04 to +4.96) with new, even though Revenue "
        "rose by 3 (+1.04 to +4.96)."
    )


def test_a_worse_guardrail_is_called_one() -> None:
    assert decided(a_goal(0.0), a_rail(-4.0)).sentence == (
        "Keep old: the guardrail Latency fell by 4 (−5.96 to −2.04) with new."
    )


def test_nothing_found_on_many_metrics_counts_them() -> None:
    assert decided(a_goal(0.0), a_goal(0.1)).sentence == (
        "Keep old: with all the data there are, none of 2 goal metrics is shown to be better with new."
    )


def test_everything_better_is_one_sentence() -> None:
    assert decided(a_goal(3.0), a_goal(4.0)).sentence == (
        "Ship new: Revenue rose by 3 (+1.04 to +4.96), Revenue rose by 4 (+2.04 to +5.96) and "
        "nothing got worse."
    )


def test_a_goal_that_is_better_waits_for_its_guardrail() -> None:
    assert decided(a_goal(3.0), a_rail(-1.5)).sentence == (
        "Keep old: Revenue rose by 3 (+1.04 to +4.96) with new, but Latency could still be worse than "
        "the margin."
    )


def test_what_cannot_be_computed_says_why() -> None:
    one_unit = Moments(1, 5.0, 0.0)

    assert decided(a_question(a_look_of(one_unit, one_unit), role=Role.GOAL)).sentence == (
        "Cannot say: Revenue could not be computed, because a variant has fewer than two units, so its "
        "variance is unknown."
    )


def test_without_units_there_is_nothing_to_compare() -> None:
    nobody = Moments.empty()
    question = a_question(a_look_of(nobody, nobody), role=Role.GOAL)

    assert decided(question, split=Split(None, "no information has been gathered yet")).sentence == (
        "Cannot say: an arm has no units yet, so there is nothing to compare."
    )


@settings(deadline=None)
@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=3),
    st.lists(st.floats(-5, 5), max_size=2),
    st.booleans(),
)
def test_a_decision_never_disagrees_with_the_findings(
    goals: list[float], rails: list[float], is_final: bool
) -> None:
    reading = Reading(method=AlwaysValid(), planned_units=10_000, is_final=is_final)
    answers = infer([*map(a_goal, goals), *map(a_rail, rails)], reading)
    findings = [answer.finding for answer in answers]

    found = judge(answers, SOUND, reading, control="old")

    if Finding.WORSE in findings:
        assert found.verdict is Verdict.DO_NOT_SHIP
    elif found.verdict is Verdict.SHIP:
        assert Finding.BETTER in findings[: len(goals)]
        assert set(findings[len(goals) :]) <= {Finding.BETTER, Finding.WITHIN_MARGIN}
    else:
        assert found.verdict is (Verdict.DO_NOT_SHIP if is_final else Verdict.KEEP_GOING)
