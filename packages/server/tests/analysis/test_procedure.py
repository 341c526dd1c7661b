"""Group-sequential experiments with daily looks hold what they promise, through the whole inference."""

import numpy as np
import pytest

from assay.analysis.inference import Question, infer
from assay.analysis.judgement import Split, judge
from assay.analysis.methods import GroupSequential, Reading, Role
from assay.analysis.readers import Look, reader
from assay_stats.calibration.acceptance import Kind, acceptance
from assay_stats.decision import Verdict
from assay_stats.moments import Moments
from assay_stats.power import GroupSequentialTest, mean_sample_size

from .factories import a_look_of, a_question

DAYS = 10
EFFECT, SD = 1.0, 10.0
FRACTIONS = tuple((day + 1) / DAYS for day in range(DAYS))
PER_ARM_AND_DAY = int(
    np.ceil(
        mean_sample_size(
            EFFECT,
            variance_control=SD**2,
            variance_treatment=SD**2,
            power=0.8,
            procedure=GroupSequentialTest(fractions=FRACTIONS),
        ).control
        / DAYS
    )
)
PLANNED = 2.0 * PER_ARM_AND_DAY * DAYS


def days_of(effect: float, rng: np.random.Generator) -> tuple[Look, ...]:
    """Cumulative daily moments of two normal arms."""
    arms = Moments.empty(), Moments.empty()
    taken: list[Look] = []
    for day in range(1, DAYS + 1):
        new = (Moments.from_values(rng.normal(mean, SD, PER_ARM_AND_DAY)) for mean in (20.0, 20.0 + effect))
        arms = tuple(before + today for before, today in zip(arms, new, strict=True))
        taken.append(a_look_of(*arms, day=day))
    return tuple(taken)


def reading_on(day: int) -> Reading:
    return Reading(method=GroupSequential(), planned_units=PLANNED, is_final=day == DAYS)


def stopped(taken: tuple[Look, ...]) -> tuple[Question, Reading]:
    """What is known on the day when the experiment crosses its boundary, or on its last."""
    crossings = reader(taken, reading_on(DAYS)).crossings(0.05)
    day = crossings.index(True) + 1 if any(crossings) else DAYS
    return a_question(*taken[:day], role=Role.GOAL), reading_on(day)


def shares(effect: float, seeds: int) -> tuple[float, float, float]:
    """Of so many experiments: found something, shipped, and estimated too high once they had ended."""
    found = shipped = high = 0
    for seed in range(seeds):
        question, reading = stopped(days_of(effect, np.random.default_rng([seed, int(effect)])))
        (answer,) = answers = infer([question], reading)
        found += answer.has_crossed
        shipped += judge(answers, Split(0.5), reading, control="old").verdict is Verdict.SHIP
        assert answer.unbiased is not None
        high += float(answer.unbiased.value) > effect
    return found / seeds, shipped / seeds, high / seeds


def check(seeds: int) -> None:
    def within(share: float, target: float, slack: float) -> bool:
        return acceptance(Kind.EQUAL, target=target, slack=slack, trials=seeds, false_alarm=2e-4).accept(
            share
        )

    false_findings, falsely_shipped, _ = shares(0.0, seeds)
    power, shipped, high = shares(EFFECT, seeds)

    assert within(false_findings, 0.05, 0.002)
    assert within(falsely_shipped, 0.025, 0.002)
    assert within(power, 0.8, 0.005)
    assert power - 0.01 <= shipped <= power
    assert within(high, 0.5, 0.01)


def test_daily_looks_hold_the_promised_error_rate_and_power() -> None:
    check(seeds=20)


@pytest.mark.slow
def test_daily_looks_of_500_experiments_hold_the_promised_error_rate_and_power() -> None:
    check(seeds=500)
