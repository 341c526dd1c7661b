"""What the page of an experiment says, from plain values."""

from datetime import timedelta

import pytest

from assay.analysis.document import Clusters, Document, Excluded
from assay.jobs.lifecycle import TaskState
from assay.jobs.schemas import TaskOut
from assay.web.experiment_page import ExperimentPage, experiment_page
from assay.web.phrases import age
from assay.web.results import Results

from .factories import (
    NOW,
    a_comparison,
    a_document,
    a_metric,
    a_metric_result,
    a_result,
    a_sample_ratio,
    a_task,
    an_estimate,
    an_experiment,
    undefined,
)


def page(document: Document | None = None, newest: TaskOut | None = None, **parts: object) -> ExperimentPage:
    experiment = an_experiment(**parts)
    metrics = [a_metric(key) for key in experiment.metrics]
    result = None if document is None else a_result(document)
    return experiment_page("shop", experiment, metrics, result=result, newest=newest, now=NOW)


def results(document: Document | None = None, **parts: object) -> Results:
    found = page(document or a_document(), None, **parts).results
    assert found is not None
    return found


def test_an_experiment_without_results_says_what_would_be_computed() -> None:
    made = page()

    assert (made.results, made.running, made.failed) == (None, None, None)
    assert (made.arms, made.control, made.metrics) == (["Old", "New"], "Old", ["Revenue"])


def test_arms_stand_with_their_share_and_the_planned_one() -> None:
    old, new = results().arms

    assert (old.label, old.is_control, old.units, old.share, old.planned) == (
        "Old", True, 1000, "49.75%", "50.00%",
    )  # fmt: skip
    assert not new.is_control


@pytest.mark.parametrize(
    ("window_minutes", "sentence"),
    [
        (None, "Assigned as a whole, by arm (city): Old 6, New 5. The split is tested on these."),
        (60, "Seen in each arm (city): Old 6, New 5. The split is tested on their windows."),
    ],
)
def test_the_split_is_tested_on_what_was_assigned(window_minutes: int | None, sentence: str) -> None:
    clusters = Clusters(
        assigned="city", window_minutes=window_minutes, error_unit="city", counts={"A": 6, "B": 5}, notes=[]
    )

    assert results(a_document(clusters=clusters)).assignment == [sentence]


def test_a_broken_split_is_an_alarm() -> None:
    split = results(a_document(sample_ratio=a_sample_ratio(0.0086))).split

    assert split.suspicious
    assert "(p = 0.0086)" in split.sentence


def test_units_in_an_arm_of_weight_zero_are_an_alarm_without_a_p() -> None:
    split = results(a_document(sample_ratio=a_sample_ratio(None, suspicious=True))).split

    assert "(an arm of weight 0 has units)" in split.sentence


def test_a_split_that_cannot_be_tested_says_why() -> None:
    ratio = a_sample_ratio(None, undefined=undefined("fewer than two variants have a weight").undefined)

    assert results(a_document(sample_ratio=ratio)).split.sentence == (
        "Whether the split is as planned cannot be computed, because fewer than two variants have a weight."
    )


def test_what_was_left_out_is_counted_by_reason() -> None:
    excluded = Excluded(in_several_arms=1, without_unit=2_000, without_arm=0, unknown_arms={"mars": 3})

    assert results(a_document(excluded=excluded)).excluded == [
        "1 unit was seen in several arms",
        "2,000 rows name no unit",
        "3 units are in arm “mars”, which the experiment does not have",
    ]


def test_a_comparison_speaks_of_arms_by_their_names() -> None:
    (comparison,) = results().metrics[0].comparisons

    assert comparison.label == "New against Old"
    assert comparison.verdict.sentence.startswith("The interval excludes 0: New is higher by 1.000")


def test_exact_numbers_stand_behind_the_rounded_ones() -> None:
    difference = an_estimate(1 / 3, 2 / 3)

    (card,) = results(a_document(a_metric_result(a_comparison(difference)))).metrics

    shown = card.comparisons[0].difference.range
    assert (shown.low.value, shown.low.text) == (1 / 3, "+0.333")


def test_the_lift_is_drawn_with_its_known_effect_as_a_share_of_the_control() -> None:
    made = results(known_effects={"revenue": [{"arm": "B", "difference": 1.0}]})

    assert made.plot is not None
    assert made.plot.rows[0].mark is not None
    assert made.plot.rows[0].mark.x_known == made.plot.rows[0].mark.x_estimate


@pytest.mark.parametrize(
    ("effect", "sentence"),
    [(1.0, "the interval covers it"), (1.5, "the interval covers it"), (1.6, "the interval misses it")],
)
def test_a_known_effect_is_held_against_the_interval_of_the_difference(effect: float, sentence: str) -> None:
    made = results(known_effects={"revenue": [{"arm": "B", "difference": effect}]})

    known = made.metrics[0].comparisons[0].known
    assert known is not None
    assert known.sentence == sentence


def test_a_known_effect_of_another_arm_is_not_shown() -> None:
    made = results(known_effects={"revenue": [{"arm": "A", "difference": 1.0}]})

    assert made.metrics[0].comparisons[0].known is None


def test_a_known_effect_has_no_place_on_the_lifts_of_a_control_at_zero() -> None:
    document = a_document(a_metric_result(control=0.0))

    made = results(document, known_effects={"revenue": [{"arm": "B", "difference": 1.0}]})

    assert made.plot is not None
    assert not made.plot.has_known


def test_results_say_which_definitions_changed_since() -> None:
    document = a_document(a_metric_result(metric="revenue"), a_metric_result(metric="visits"))
    experiment = an_experiment(metrics=["revenue", "orders"])
    metrics = [a_metric("revenue", version=2), a_metric("orders")]

    made = experiment_page("shop", experiment, metrics, result=a_result(document), newest=None, now=NOW)

    assert made.results is not None
    assert made.results.outdated == [
        "Orders is not in these results yet",
        "Visits is no longer a metric of the experiment",
        "Revenue was computed by version 1 of its definition, which now has version 2",
    ]


def test_results_by_the_definitions_of_now_are_not_outdated() -> None:
    assert results().outdated == []


def test_an_arm_that_the_experiment_does_not_name_is_called_by_its_key() -> None:
    document = a_document(a_metric_result(a_comparison(arm="C")))

    assert results(document).metrics[0].comparisons[0].label == "C against Old"


def test_a_run_under_way_shows_how_far_it_is() -> None:
    task = a_task(TaskState.PROCESSING, progress=0.5, note="computing", finished_at=None)

    running = page(newest=task).running
    assert running is not None
    assert (running.progress, running.note, running.hint) == (0.5, "computing", None)


def test_a_run_that_nobody_takes_up_asks_for_a_worker() -> None:
    task = a_task(TaskState.PENDING, created_at=NOW - timedelta(minutes=1), finished_at=None)

    running = page(newest=task).running
    assert running is not None
    assert running.hint is not None
    assert "No worker" in running.hint


def test_a_failed_run_stands_beside_the_results_before_it() -> None:
    made = page(a_document(), a_task(TaskState.FAILED, error="no environment 'mars'"))

    assert made.results is not None
    assert made.failed is not None
    assert (made.failed.error, made.failed.at.age) == ("no environment 'mars'", "5 minutes ago")


def test_times_are_given_in_utc_with_their_age() -> None:
    computed = results().computed

    assert (computed.iso, computed.text, computed.age) == (
        "2026-11-20T11:55:00+00:00",
        "20 November 2026, 11:55 UTC",
        "5 minutes ago",
    )


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=23, minutes=59), "23 hours ago"),
        (timedelta(days=400), "400 days ago"),
        (timedelta(seconds=-5), "just now"),
    ],
)
def test_an_age_is_told_in_its_largest_whole_unit(passed: timedelta, words: str) -> None:
    assert age(NOW - passed, now=NOW) == words
