"""One interval per comparison, and everything else from it."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from assay.analysis.inference import Inference, Question, infer
from assay.analysis.methods import (
    AlwaysValid,
    Bayesian,
    Correction,
    Finding,
    Fixed,
    GroupSequential,
    Margin,
    Method,
    Reading,
    Role,
    SpendingRule,
)
from assay.analysis.readers import Look
from assay_stats.bayesian import BayesianEstimate
from assay_stats.margins import non_inferiority, relative_non_inferiority
from assay_stats.moments import Moments
from assay_stats.proportions import Counts, two_proportions
from assay_stats.results import Direction, Estimate
from assay_stats.sequential import GroupSequentialPlan, boundary
from assay_stats.undefined import Reason

from .factories import a_look, a_look_of, a_question, looks

WEEKLY = GroupSequential(looks=(0.25, 0.5, 0.75, 1.0))
METHODS: list[Method] = [Fixed(), GroupSequential(), WEEKLY, AlwaysValid(), Bayesian(prior_sd=0.05)]


def ask(question: Question, reading: Reading) -> Inference:
    (answer,) = infer([question], reading)
    return answer


def test_a_fixed_plan_at_its_end_says_what_welch_says() -> None:
    control, treatment = Moments.from_summary(60, 10.0, 9.0), Moments.from_summary(50, 12.0, 16.0)

    answer = ask(a_question(a_look_of(control, treatment)), Reading())

    assert answer.plain is not None
    assert answer.interval is not None
    assert (answer.interval.lower, answer.interval.upper) == (answer.plain.lower, answer.plain.upper)
    assert answer.p_value == answer.adjusted_p_value == answer.plain.p_value
    assert answer.finding is Finding.BETTER
    assert answer.has_crossed


def test_a_proportion_is_read_by_its_own_test() -> None:
    old, new = Counts(2, 40), Counts(11, 40)

    def score(level: float) -> Estimate:
        return two_proportions(old, new, level=level)

    look = a_look(exact=score)

    answer = ask(a_question(look), Reading(alpha=0.01))

    assert answer.interval is not None
    assert answer.interval.lower == two_proportions(old, new, level=0.99).lower


def test_a_fixed_plan_says_nothing_before_its_end() -> None:
    answer = ask(a_question(a_look(9.0)), Reading(is_final=False))

    assert answer.finding is Finding.EARLY
    assert (answer.interval, answer.p_value, answer.has_crossed) == (None, None, False)
    assert answer.plain is not None


def test_planned_looks_are_the_first_that_reach_their_share() -> None:
    taken = looks([1.0] * 9)  # 2,000 units a day, so 2,500 are reached on day 2, 5,000 on day 3
    reading = Reading(method=WEEKLY, planned_units=10_000, is_final=False)

    answers = [ask(a_question(*taken[:day]), reading).look for day in (1, 2, 3, 4, 5, 9)]

    assert answers == [None, taken[1], taken[2], taken[3], taken[4], taken[4]]


def test_a_group_sequential_look_is_held_against_its_boundary() -> None:
    plan = GroupSequentialPlan(level=0.95)
    critical = boundary(plan, [0.25, 0.5]).critical[-1]
    reading = Reading(method=GroupSequential(), planned_units=8_000, is_final=False)

    below = ask(a_question(*looks([0.0, critical - 0.01])), reading)
    above = ask(a_question(*looks([0.0, critical + 0.01])), reading)

    assert (below.finding, above.finding) == (Finding.OPEN, Finding.BETTER)
    assert below.p_value is not None
    assert above.p_value is not None
    assert below.p_value > 0.05 > above.p_value
    assert below.unbiased is None
    assert above.unbiased is not None


def test_a_boundary_once_crossed_stays_crossed() -> None:
    reading = Reading(method=GroupSequential(), planned_units=20_000, is_final=False)
    taken = looks([1.0, 9.0, 0.5])

    answer = ask(a_question(*taken), reading)

    assert answer.look is taken[1]
    assert answer.finding is Finding.BETTER


def test_the_last_look_of_a_design_that_ended_early_spends_what_is_left() -> None:
    taken = looks([0.0, 2.1])
    reading = Reading(method=GroupSequential(), planned_units=10_000)

    running = ask(a_question(*taken), Reading(method=reading.method, planned_units=10_000, is_final=False))
    ended = ask(a_question(*taken), reading)

    assert (running.finding, ended.finding) == (Finding.OPEN, Finding.BETTER)


def test_a_group_sequential_plan_of_unknown_size_waits_for_its_end() -> None:
    taken = looks([1.0, 3.0])

    running = ask(a_question(*taken), Reading(method=GroupSequential(), is_final=False))
    ended = ask(a_question(*taken), Reading(method=GroupSequential(looks=(0.5, 1.0))))

    assert running.finding is Finding.EARLY
    assert ended.look is taken[1]
    assert ended.finding is Finding.BETTER


@pytest.mark.parametrize("spending", SpendingRule)
def test_every_spending_holds_the_last_look_to_what_is_left(spending: SpendingRule) -> None:
    method = GroupSequential(spending=spending)

    answer = ask(a_question(*looks([0.5, 1.0])), Reading(method=method, planned_units=4_000))

    assert answer.interval is not None
    assert answer.plain is not None
    assert answer.interval.lower < answer.plain.lower


@pytest.mark.parametrize("method", [GroupSequential(), AlwaysValid(), Bayesian()])
def test_sequential_methods_wait_for_some_units(method: Method) -> None:
    reading = Reading(method=method, planned_units=1_000)

    assert ask(a_question(a_look(9.0, units=198)), reading).finding is Finding.EARLY
    assert ask(a_question(a_look(9.0, units=200)), reading).finding is Finding.BETTER


@pytest.mark.parametrize("method", METHODS)
def test_what_can_never_be_computed_says_why(method: Method) -> None:
    constant = Moments.from_summary(500, 1.0, 0.0)

    answer = ask(a_question(a_look_of(constant, constant)), Reading(method=method, planned_units=1_000))

    assert answer.finding is Finding.UNKNOWN
    assert answer.reason is Reason.ZERO_VARIANCE
    assert answer.p_value is None


def test_a_sceptical_prior_draws_the_effect_to_zero() -> None:
    look = a_look(4.0, 1.0)

    flat = ask(a_question(look), Reading(method=Bayesian()))
    sceptical = ask(a_question(look), Reading(method=Bayesian(prior_sd=0.01)))

    assert isinstance(flat.interval, BayesianEstimate)
    assert isinstance(sceptical.interval, BayesianEstimate)
    assert float(flat.interval.value) == pytest.approx(4.0)
    assert float(sceptical.interval.value) == pytest.approx(2.0)
    assert (flat.finding, sceptical.finding) == (Finding.BETTER, Finding.BETTER)
    assert flat.p_value is None


def test_goals_share_alpha_and_guardrails_do_not() -> None:
    look = a_look(2.1)  # p = 0.036
    questions = [
        a_question(look, metric="a", role=Role.GOAL),
        a_question(look, metric="b", role=Role.GOAL),
        a_question(look, metric="c", role=Role.GUARDRAIL),
    ]

    answers = infer(questions, Reading(correction=Correction.BONFERRONI))

    assert [answer.alpha for answer in answers] == [0.025, 0.025, 0.05]
    assert [answer.finding for answer in answers] == [Finding.OPEN, Finding.OPEN, Finding.BETTER]


def test_a_guardrail_within_its_margin_is_what_the_test_of_its_margin_says() -> None:
    control, treatment = Moments.from_summary(900, 200.0, 900.0), Moments.from_summary(900, 202.0, 900.0)
    direction = Direction.LOWER_IS_BETTER

    for margin in (3.0, 4.0, 5.0, 6.0):
        question = a_question(
            a_look_of(control, treatment), role=Role.GUARDRAIL, direction=direction, margin=Margin(margin)
        )
        tested = non_inferiority(control, treatment, margin=margin, direction=direction, level=0.975)

        answer = ask(question, Reading())

        assert answer.reserve is not None
        assert float(answer.reserve.lower) == pytest.approx(float(tested.lower) + margin)
        assert (answer.finding is Finding.WITHIN_MARGIN) == (tested.p_value < 0.025)


def test_the_error_of_the_control_enters_a_relative_margin() -> None:
    control, treatment = Moments.from_summary(900, 200.0, 9e4), Moments.from_summary(900, 195.0, 9e4)
    question = a_question(
        a_look_of(control, treatment), role=Role.GUARDRAIL, margin=Margin(0.2, is_relative=True)
    )
    tested = relative_non_inferiority(control, treatment, margin=0.2, level=0.975)

    answer = ask(question, Reading())

    assert answer.reserve is not None
    assert float(answer.reserve.lower) == pytest.approx(float(tested.lower))


def test_a_certain_loss_within_the_margin_is_within_the_margin() -> None:
    question = a_question(a_look(-4.0, 1.0), role=Role.GUARDRAIL, margin=Margin(10.0))

    answer = ask(question, Reading())

    assert answer.has_crossed
    assert answer.finding is Finding.WITHIN_MARGIN


statistics = st.lists(st.floats(-6, 6), min_size=1, max_size=6)
readings = st.builds(
    Reading,
    method=st.sampled_from([*METHODS, GroupSequential(spending=SpendingRule.POCOCK)]),
    alpha=st.sampled_from([0.01, 0.05, 0.1]),
    correction=st.sampled_from(Correction),
    planned_units=st.sampled_from([6_000.0, 10_000.0, 30_000.0]),
    is_final=st.booleans(),
)


@st.composite
def families(draw: st.DrawFn) -> list[Question]:
    size = draw(st.integers(1, 3))
    margins = st.sampled_from([None, Margin(1.0), Margin(0.02, is_relative=True)])
    return [
        a_question(
            *looks(draw(statistics)),
            metric=f"metric {place}",
            role=draw(st.sampled_from(Role)),
            direction=draw(st.sampled_from(Direction)),
            margin=draw(margins),
        )
        for place in range(size)
    ]


def _benefit(answer: Inference) -> tuple[float, float]:
    assert answer.interval is not None
    ends = sorted(
        float(end) * answer.question.direction.sign for end in (answer.interval.lower, answer.interval.upper)
    )
    return ends[0], ends[1]


@settings(deadline=None)
@given(families(), readings)
def test_no_word_and_no_p_value_disagrees_with_the_interval(
    questions: list[Question], reading: Reading
) -> None:
    for answer in infer(questions, reading):
        if answer.interval is None:
            assert answer.finding is Finding.EARLY
            assert answer.p_value is None
            continue
        low, high = _benefit(answer)
        if answer.finding is Finding.BETTER:
            assert low > 0
        if answer.finding is Finding.WORSE:
            assert high < 0
        if answer.finding is Finding.OPEN:
            assert low <= 0 <= high
        if answer.p_value is not None and abs(answer.p_value / answer.alpha - 1) > 1e-6:
            assert (answer.p_value < answer.alpha) == answer.has_crossed
            assert answer.adjusted_p_value is not None
            assert (answer.adjusted_p_value < reading.alpha) == answer.has_crossed
        assert answer.interval.lower <= answer.interval.value <= answer.interval.upper


@settings(deadline=None)
@given(statistics, readings)
def test_turning_a_metric_and_its_direction_changes_no_finding(
    path: Sequence[float], reading: Reading
) -> None:
    rising = ask(a_question(*looks(path)), reading)
    falling = ask(a_question(*looks([-z for z in path]), direction=Direction.LOWER_IS_BETTER), reading)

    assume(rising.p_value is None or abs(rising.p_value / rising.alpha - 1) > 1e-6)
    assert rising.finding is falling.finding
    assert rising.p_value == pytest.approx(falling.p_value, rel=1e-6) if rising.p_value else True


@settings(deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=2, max_size=5))
def test_later_looks_never_take_back_what_a_sequential_method_found(steps: list[float]) -> None:
    path = (np.cumsum(steps) / np.sqrt(np.arange(1, len(steps) + 1))).tolist()
    taken: tuple[Look, ...] = looks([2 * z for z in path])
    for method in (GroupSequential(), AlwaysValid()):
        reading = Reading(method=method, planned_units=20_000, is_final=False)
        crossed = [ask(a_question(*taken[: day + 1]), reading).has_crossed for day in range(len(taken))]
        assert crossed == sorted(crossed)


def test_a_plain_reading_is_kept_beside_every_other() -> None:
    answer = ask(
        a_question(*looks([1.0, 2.5])), Reading(method=AlwaysValid(), planned_units=10_000, is_final=False)
    )

    assert isinstance(answer.plain, Estimate)
    assert answer.interval is not None
    assert answer.plain.upper < answer.interval.upper
