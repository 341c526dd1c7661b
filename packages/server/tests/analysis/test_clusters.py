"""Whole clusters assigned, and clusters that switch: the right units, the right errors, and no others."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import ibis
import numpy as np
import pytest

from assay.analysis.document import Document
from assay.analysis.experiment import observe_events
from assay.analysis.methods import AlwaysValid, GroupSequential, Reading
from assay.analysis.plan import Clustering, Dimension, Plan, Switching
from assay.analysis.record import concluded, read, write
from assay.sources.service import local_engine
from assay_stats import ClusterTotals, Estimate, clustered_difference

from .measuring import START, Row, a_metric, a_plan, after, event, exposure, result, table_of

COMPANIES = Clustering("company")
HOURLY = Clustering("city", Switching(60, START, block=2, burn_in_minutes=10))
SPENT = a_metric("spent", kind="mean", event="order")
BASKET = a_metric(
    "basket",
    kind="ratio",
    numerator={"event": "order"},
    denominator={"event": "order", "aggregate": "count"},
)


def of(row: Row, kind: str, name: str) -> Row:
    return {**row, "units": json.dumps({kind: name})}


def told(rows: Iterable[Row], plan: Plan) -> Document:
    """The result with the doctor's look, as a server computes it."""
    table = local_engine().create_table("events", ibis.memtable(table_of(rows)), temp=True)
    record = observe_events({None: table}, plan)
    document = concluded(record)
    assert concluded(read(write(record))) == document
    return document


def companies(seed: int = 1, count: int = 12) -> Iterator[tuple[str, str, str, float]]:
    """Company, user, arm and spending, alike within companies; company by company an arm."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        taste = rng.normal(10, 3)
        for user in range(3 + number % 5):
            arm = ("a", "b")[number % 2]
            yield f"c{number}", f"c{number}u{user}", arm, round(float(taste + rng.normal()), 2)


def company_rows(seed: int = 1) -> Iterator[Row]:
    for number, (company, user, arm, spent) in enumerate(companies(seed)):
        yield of(exposure(user, arm, number % 50), "company", company)
        yield event("order", user, number % 50 + 1.0, spent)


def totals(cells: Mapping[tuple[str, str], list[float]]) -> list[ClusterTotals]:
    """Both arms over the same clusters, from a number per unit by cluster and arm."""
    names = sorted({name for name, _ in cells})
    return [
        ClusterTotals(
            [len(cells.get((name, arm), [])) for name in names],
            [sum(cells.get((name, arm), [])) for name in names],
        )
        for arm in ("a", "b")
    ]


def by_company(seed: int = 1) -> list[ClusterTotals]:
    cells: dict[tuple[str, str], list[float]] = {}
    for company, _, arm, spent in companies(seed):
        cells.setdefault((company, arm), []).append(spent)
    return totals(cells)


def assert_is(document: Document, metric: str, expected: Estimate) -> None:
    found = result(document, metric).comparisons[0]
    assert found.difference.method == "cluster_cr2"
    assert found.difference.estimate == pytest.approx(expected.value, rel=1e-9)
    assert found.difference.low == pytest.approx(expected.lower, rel=1e-9)
    assert found.p_value == pytest.approx(expected.p_value, rel=1e-9)
    assert found.claim is not None
    assert found.claim.low == found.difference.low


def test_users_of_assigned_companies_have_errors_robust_to_companies() -> None:
    document = told(company_rows(), replace(a_plan(SPENT, BASKET), clustering=COMPANIES))

    expected = clustered_difference(*by_company())
    assert_is(document, "spent", expected)
    assert_is(document, "basket", expected)
    naive = result(told(company_rows(), a_plan(SPENT)), "spent").comparisons[0]
    assert naive.p_value is not None
    assert naive.p_value < expected.p_value / 2


def test_a_document_says_what_was_assigned_and_which_errors_it_has() -> None:
    document = told(company_rows(), replace(a_plan(SPENT), clustering=COMPANIES))

    assert document.clusters is not None
    assert (document.clusters.assigned, document.clusters.error_unit) == ("company", "company")
    assert document.clusters.counts == {"a": 6, "b": 6}
    assert [arm.units for arm in document.arms] == [28, 29]
    assert document.sample_ratio.p_value == 1.0
    assert "only 6 of them (company)" in document.clusters.notes[-1]


def test_the_looks_of_clusters_end_in_the_result() -> None:
    document = told(company_rows(), replace(a_plan(SPENT), clustering=COMPANIES))
    found = result(document, "spent").comparisons[0]

    assert len(found.looks) == 3
    assert found.looks[-1].estimate == pytest.approx(found.difference.estimate, rel=1e-9)
    assert found.looks[0].standard_error != found.looks[-1].standard_error


def test_a_user_without_a_company_is_left_out_and_counted() -> None:
    rows = [*company_rows(), exposure("stranger", "a")]
    document = told(rows, replace(a_plan(SPENT), clustering=COMPANIES))

    assert (document.excluded.without_cluster, sum(arm.units for arm in document.arms)) == (1, 57)


def test_a_quantile_of_clusters_says_why_there_is_none() -> None:
    median = a_metric("median", kind="quantile", event="order", quantile=0.5)
    document = told(company_rows(), replace(a_plan(median, SPENT), clustering=COMPANIES))

    failure = result(document, "median").failure
    assert failure is not None
    assert "no error that is robust to clusters" in failure.sentence
    assert result(document, "spent").failure is None


@pytest.mark.parametrize("method", [AlwaysValid(), GroupSequential(looks=(0.5, 1.0))])
def test_a_sequential_reading_waits_for_twenty_clusters_in_each_arm(method: Any) -> None:
    plan = replace(
        a_plan(SPENT), clustering=COMPANIES, reading=Reading(method, is_final=False, minimum_units=5)
    )
    claim = result(told(company_rows(), plan), "spent").comparisons[0].claim

    assert claim is not None
    assert (claim.finding, claim.low) == ("early", None)


def test_segments_of_clusters_have_their_own_errors() -> None:
    rows = [
        {**row, "properties": '{"os": "ios"}'} if row["kind"] == "exposure" else row for row in company_rows()
    ]
    plan = replace(a_plan(SPENT), clustering=COMPANIES, segments=(Dimension("os"),))
    document = told(rows, plan)

    whole = result(document, "spent").comparisons[0]
    (segment,) = document.segments
    assert segment.metrics[0].comparisons[0].difference == whole.difference


def cities(count: int, hours: int = 12, seed: int = 3) -> Iterator[tuple[str, int, str, float]]:
    """City, window, arm and orders; either arm first in each pair of windows."""
    rng = np.random.default_rng(seed)
    for city in range(count):
        for pair in range(hours // 2):
            arms = ["a", "b"] if rng.random() < 0.5 else ["b", "a"]
            for position, arm in enumerate(arms):
                yield f"city{city}", 2 * pair + position, arm, round(float(rng.normal(20 + city, 2)), 2)


def city_rows(count: int) -> Iterator[Row]:
    for city, window, arm, orders in cities(count):
        # Asked all the time; what happens in the first ten minutes does not count.
        for minutes in (1, 12, 40):
            yield exposure(city, arm, window + minutes / 60)
        yield of(event("order", f"rider{window}", window + 5 / 60, 1_000.0), "city", city)
        yield of(event("order", f"rider{window}", window + 10 / 60, orders - 5.0), "city", city)
        yield event("order", city, window + 59.99 / 60, 5.0)


def by_owner(count: int, owner: int) -> list[ClusterTotals]:
    cells: dict[tuple[str, str], list[float]] = {}
    for city, window, arm, orders in cities(count):
        name = city if owner else f"{city}@{window // 2}"
        cells.setdefault((name, arm), []).append(orders)
    return totals(cells)


@pytest.mark.parametrize(
    ("count", "error_unit"), [(7, "city"), (2, "block of windows"), (1, "block of windows")]
)
def test_a_switchback_compares_windows_with_errors_of_cities_or_of_blocks(
    count: int, error_unit: str
) -> None:
    document = told(city_rows(count), replace(a_plan(SPENT), clustering=HOURLY))

    assert_is(document, "spent", clustered_difference(*by_owner(count, error_unit == "city")))
    assert document.clusters is not None
    assert (document.clusters.error_unit, document.clusters.window_minutes) == (error_unit, 60)
    assert [arm.units for arm in document.arms] == [6 * count, 6 * count]
    assert document.excluded.in_several_arms == 0
    assert "The first 10 minutes of each window are left out" in document.clusters.notes[1]


def test_a_window_that_is_not_over_is_not_read_yet() -> None:
    until = START + timedelta(hours=7.5)
    assert HOURLY.switching is not None
    clustering = Clustering("city", replace(HOURLY.switching, until=until))
    document = told(city_rows(2), replace(a_plan(SPENT), clustering=clustering))

    assert sum(arm.units for arm in document.arms) == 14


def test_exposures_told_late_fall_into_the_burn_in() -> None:
    late = [exposure(city, arm, window + 1 + 3 / 60) for city, window, arm, _ in cities(2) if window < 11]
    document = told([*city_rows(2), *late], replace(a_plan(SPENT), clustering=HOURLY))

    assert document.excluded.in_several_arms == 0
    assert sum(arm.units for arm in document.arms) == 24


def test_windows_before_the_anchor_are_windows_too() -> None:
    switching = Switching(60, after(6), block=2, burn_in_minutes=10)
    document = told(city_rows(2), replace(a_plan(SPENT), clustering=Clustering("city", switching)))

    assert_is(document, "spent", clustered_difference(*by_owner(2, owner=False)))
