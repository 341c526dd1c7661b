"""What a running experiment shows besides its claims."""

import numpy as np
import pytest

from assay.analysis.inference import infer
from assay.analysis.methods import (
    AlwaysValid,
    Bayesian,
    Fixed,
    GroupSequential,
    Margin,
    Method,
    Reading,
    Role,
)
from assay.analysis.watching import course, days_left, double_exposure, doubt, guardrail_alarms
from assay_stats.frequentist import delta_lift
from assay_stats.power import mean_sample_size

from .factories import a_look, a_question, looks

READING = Reading(planned_units=20_000, is_final=False)


def test_the_band_of_the_course_is_wider_than_a_fixed_interval_and_starts_with_enough_units() -> None:
    taken = (a_look(1.0, units=150), *looks([1.0, 2.0]))

    first, *rest = course(a_question(*taken), READING)

    assert first.estimate == 1.0
    assert (first.low, first.high) == (None, None)
    for point, look in zip(rest, taken[1:], strict=True):
        plain = look.plain(0.95)
        assert point.low is not None
        assert point.low < float(plain.lower)


def test_days_to_the_plan_follow_the_pace() -> None:
    question = a_question(a_look(units=5_000))

    assert days_left(question, READING, units_per_day=1_000).to_plan == 15
    assert days_left(question, READING, units_per_day=0).to_plan is None
    assert days_left(a_question(), READING, units_per_day=10).to_plan is None


@pytest.mark.parametrize("method", [Fixed(), GroupSequential(), AlwaysValid(), Bayesian()])
def test_days_to_power_come_from_the_noise_seen_so_far(method: Method) -> None:
    reading = Reading(method=method, planned_units=20_000, is_final=False)
    question = a_question(a_look(units=4_000, error=1.0), smallest_lift=0.02)

    left = days_left(question, reading, units_per_day=500).to_power

    # A standard error of 1 with 2,000 units per arm is a variance of 1,000 per unit.
    needed = mean_sample_size(2.0, variance_control=1_000.0, variance_treatment=1_000.0).total
    assert left is not None
    assert left >= np.ceil((needed - 4_000) / 500)
    assert left < 60


def test_an_effect_that_was_not_planned_has_no_days_to_power() -> None:
    assert days_left(a_question(a_look()), READING, units_per_day=10).to_power is None


def test_a_guardrail_that_has_certainly_got_worse_raises_an_alarm_whatever_the_plan_reads() -> None:
    questions = [
        a_question(a_look(-9.0), metric="worse", role=Role.GUARDRAIL),
        a_question(a_look(-3.0), metric="perhaps", role=Role.GUARDRAIL),
        a_question(a_look(-9.0), metric="tolerated", role=Role.GUARDRAIL, margin=Margin(20.0)),
        a_question(a_look(-9.0), metric="goal", role=Role.GOAL),
    ]

    assert [found.question.metric for found in guardrail_alarms(questions, READING)] == ["worse"]


def test_an_incredible_lift_is_doubted() -> None:
    def doubts(effect: float, **more: float) -> str | None:
        look = a_look(effect)
        (answer,) = infer([a_question(look, **more)], Reading())
        return doubt(answer, delta_lift(look.control, look.treatment))

    assert doubts(10.0) is None
    assert doubts(40.0) is not None
    assert doubts(-40.0) is not None
    sentence = doubts(10.0, smallest_lift=0.01)
    assert sentence is not None
    assert "beyond what was to be expected (5.00%)" in sentence


def test_many_units_in_several_arms_put_assignment_in_doubt() -> None:
    assert double_exposure(9, 991) is None
    assert double_exposure(0, 0) is None
    sentence = double_exposure(30, 970)
    assert sentence is not None
    assert sentence.startswith("3.00% of the units")
