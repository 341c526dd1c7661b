"""The doctor finds what was planted in the split, and rings for nothing else."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from assay.analysis.doctor import ALARM_ALPHA, Traffic, diagnose
from assay.analysis.methods import CauseKind
from assay_stats.calibration.acceptance import Kind, acceptance

from .mismatch_worlds import START, Plant, names, traffic

FAULTS = [Plant.BOTS, Plant.REDIRECT, Plant.LATE_DEPLOY]


def found_first(plants: int, seed: int) -> int:
    """Of so many faults, each with one day of traffic, those whose cause is ranked first."""
    rng = np.random.default_rng(seed)
    found = 0
    for place in range(plants):
        plant = FAULTS[place % len(FAULTS)]
        causes = diagnose(traffic(plant, rng)).causes
        found += bool(causes) and names(plant, causes[0])
    return found


def false_alarms(experiments: int, seed: int) -> int:
    """Of so many healthy experiments of three days each, looked at every hour, those that ever ring."""
    rng = np.random.default_rng(seed)
    return sum(
        diagnose(traffic(Plant.NOTHING, rng, per_day=4_000, hours=72)).alarm_at is not None
        for _ in range(experiments)
    )


def test_planted_faults_are_found_within_a_day_and_ranked_first() -> None:
    assert found_first(24, seed=7) >= 0.8 * 24


@pytest.mark.slow
def test_a_hundred_planted_faults_are_found_within_a_day_and_ranked_first() -> None:
    assert found_first(100, seed=1) >= 80


def test_healthy_experiments_do_not_ring() -> None:
    bounds = acceptance(Kind.AT_MOST, target=ALARM_ALPHA, slack=0, trials=100, false_alarm=1e-3)

    assert bounds.accept(false_alarms(100, seed=5) / 100)


@pytest.mark.slow
def test_a_thousand_healthy_experiments_do_not_ring_more_often_than_promised() -> None:
    bounds = acceptance(Kind.AT_MOST, target=ALARM_ALPHA, slack=0, trials=1_000, false_alarm=1e-3)

    assert bounds.accept(false_alarms(1_000, seed=6) / 1_000)


def test_a_version_that_breaks_on_the_third_day_is_named_with_the_hour_it_started() -> None:
    rng = np.random.default_rng(3)
    before, after = traffic(Plant.NOTHING, rng, hours=48), traffic(Plant.BROKEN_VERSION, rng)

    found = diagnose(_joined(before, after))

    cause = found.causes[0]
    assert names(Plant.BROKEN_VERSION, cause)
    assert cause.since is not None
    assert abs(cause.since - (START + timedelta(hours=48))) <= timedelta(hours=6)
    assert found.alarm_at is not None
    assert START + timedelta(hours=48) < found.alarm_at <= START + timedelta(hours=72)
    assert ("version", "4.2") in {(alarm.dimension, alarm.value) for alarm in found.segments}


def test_a_late_start_says_until_when() -> None:
    rng = np.random.default_rng(4)
    late = traffic(Plant.NOTHING, rng)
    late.counts[:5, 1] = 0
    for values in late.segments.values():
        for counts in values.values():
            counts[:5, 1] = 0

    cause = diagnose(late).causes[0]

    assert cause.kind is CauseKind.LATE_START
    assert cause.until == START + timedelta(hours=5)
    assert cause.sentence.startswith(
        "A late start: until 2026-03-02 05:00 UTC new has 0.00% of the units instead of 50.00%"
    )


def test_probabilities_of_causes_sum_to_one_and_fall() -> None:
    causes = diagnose(traffic(Plant.REDIRECT, np.random.default_rng(2))).causes

    chances = [cause.probability for cause in causes]
    assert sum(chances) == pytest.approx(1)
    assert chances == sorted(chances, reverse=True)


def test_a_rule_is_called_a_rule() -> None:
    rng = np.random.default_rng(8)
    world = traffic(Plant.BROKEN_VERSION, rng)

    renamed = replace(world, segments={"rule": world.segments["version"]})

    assert diagnose(renamed).causes[0].kind is CauseKind.RULE


def test_without_units_or_a_split_there_is_nothing_to_say() -> None:
    world = traffic(Plant.NOTHING, np.random.default_rng(1))

    assert diagnose(replace(world, weights=(1.0, 0.0))).p_value is None
    assert diagnose(replace(world, periods=(), counts=np.zeros((0, 2)), segments={})).p_value is None


def test_one_period_is_enough_for_a_diagnosis() -> None:
    rng = np.random.default_rng(9)
    day = traffic(Plant.BOTS, rng)
    total = {
        name: {value: found.sum(axis=0, keepdims=True) for value, found in values.items()}
        for name, values in day.segments.items()
    }

    found = diagnose(
        replace(day, periods=(START,), counts=day.counts.sum(axis=0, keepdims=True), segments=total)
    )

    assert names(Plant.BOTS, found.causes[0])


def _joined(first: Traffic, second: Traffic) -> Traffic:
    hours = len(first.periods) + len(second.periods)
    return replace(
        first,
        periods=tuple(START + timedelta(hours=hour) for hour in range(hours)),
        counts=np.concatenate([first.counts, second.counts]),
        segments={
            name: {
                value: np.concatenate([found, second.segments[name][value]])
                for value, found in values.items()
            }
            for name, values in first.segments.items()
        },
    )
