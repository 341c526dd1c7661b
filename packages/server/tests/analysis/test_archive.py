"""The archive: past effects one by one and together, and what they say of the next experiment."""

import math
from typing import Any

import httpx2
import numpy as np
import pytest

from assay.analysis import archive
from assay.analysis.document import Document
from assay.analysis.effects import effects_of, prior_of, rate, together, win_rate
from assay.analysis.experiment import Options
from assay.analysis.methods import AlwaysValid, Finding
from assay.core.clock import utc_now
from assay.core.database import Database

from .measuring import a_metric, analyze, event, exposure

pytestmark = pytest.mark.anyio
ROOT = "/api/v1/projects/default"
LIFTS = [0.02, -0.01, 0.05, 0.00, 0.08, 0.01, -0.03]
ERRORS = [0.02, 0.015, 0.03, 0.01, 0.04, 0.02, 0.02]


def a_document(*, orders: int = 30, options: Options | None = None) -> Document:
    rows = [exposure(f"{arm}{number}", arm) for arm in "ab" for number in range(100)]
    rows += [event("order", f"a{number}", 1.0) for number in range(30)]
    rows += [event("order", f"b{number}", 1.0) for number in range(orders)]
    return analyze(rows, a_metric("orders", kind="proportion", event="order"), options=options)


async def observed(client: httpx2.AsyncClient, database: Database, key: str, **parts: Any) -> None:
    """An observed experiment with a result in the archive."""
    document = a_document(orders=parts.pop("orders", 30), options=parts.pop("options", None))
    body = {
        "key": key, "name": key, "arms": [{"key": "a"}, {"key": "b"}], "control": "a", "metrics": ["orders"],
    }  # fmt: skip
    made = await client.post(f"{ROOT}/experiments", json=body | parts)
    assert made.status_code == 201, made.text
    async with database.writing() as tx:
        await archive.keep(tx, "default", key, document, now=utc_now())


async def with_metric(client: httpx2.AsyncClient) -> None:
    body = {"key": "orders", "name": "Orders", "definition": {"kind": "proportion", "event": "order"}}
    assert (await client.post(f"{ROOT}/metrics", json=body)).status_code == 201


def test_effects_together_are_those_of_statsmodels() -> None:
    found = together(LIFTS, ERRORS)
    oracle: Any = pytest.importorskip(
        "statsmodels.stats.meta_analysis", reason="statsmodels is not installed"
    )
    known = oracle.combine_effects(np.array(LIFTS), np.array(ERRORS) ** 2, method_re="dl")

    assert found is not None
    assert found.pooled == pytest.approx(known.mean_effect_re, rel=1e-12)
    assert found.spread**2 == pytest.approx(known.tau2, rel=1e-12)
    assert found.pooled_error == pytest.approx(known.sd_eff_w_re, rel=1e-12)
    assert found.i_squared == pytest.approx(max(known.i2, 0.0), rel=1e-12)


def test_the_largest_effect_is_believed_least() -> None:
    found = together(LIFTS, ERRORS)

    assert found is not None
    drawn = [lift - shrunk.lift for lift, shrunk in zip(LIFTS, found.shrunk, strict=True)]
    assert max(drawn) == drawn[LIFTS.index(max(LIFTS))]
    assert all(shrunk.low < shrunk.lift < shrunk.high for shrunk in found.shrunk)


def test_a_prior_needs_five_effects_and_holds_both_uncertainties() -> None:
    found = together(LIFTS, ERRORS)

    assert found is not None
    assert together(LIFTS[:1], ERRORS[:1]) is None
    assert prior_of(found, 4) is None
    prior = prior_of(found, 7)
    assert prior is not None
    assert prior.standard_deviation == pytest.approx(math.hypot(found.spread, found.pooled_error))


def test_a_prior_from_the_past_covers_new_effects() -> None:
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(400):
        truths = rng.normal(0.01, 0.03, 31)
        errors = rng.uniform(0.01, 0.03, 30)
        prior = prior_of(together(list(rng.normal(truths[:30], errors)), list(errors)), 30)
        assert prior is not None
        covered += abs(truths[30] - prior.mean) < 1.96 * prior.standard_deviation

    # 95 % to within what 30 effects leave open; 400 trials err by 1.1 points.
    assert 0.88 < covered / 400 < 0.98


def test_a_win_rate_counts_what_was_judged() -> None:
    found = win_rate([Finding.BETTER, Finding.OPEN, Finding.WORSE, Finding.EARLY, Finding.UNKNOWN])

    assert found is not None
    assert found == rate(1, 3)
    # Wilson (1927) for 1 of 3: R `prop.test(1, 3, correct = FALSE)`.
    assert (found.low, found.high) == pytest.approx((0.06149194, 0.7923404), rel=1e-6)
    assert win_rate([Finding.EARLY]) is None


def test_an_effect_keeps_the_error_of_its_lift() -> None:
    document = a_document(orders=45)
    lift = document.metrics[0].comparisons[0].lift

    (effect,) = effects_of(document)

    assert effect.lift == lift.estimate
    assert effect.error is not None
    assert lift.low is not None
    assert effect.lift is not None
    assert effect.lift - 1.959964 * effect.error == pytest.approx(lift.low, rel=1e-6)


async def test_an_effect_is_shown_with_the_interval_that_its_plan_claims(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await with_metric(client)
    sequential = Options(method=AlwaysValid())
    await observed(client, database, "once", orders=45)
    await observed(client, database, "watched", orders=45, options=sequential)
    claim = a_document(orders=45, options=sequential).metrics[0].comparisons[0].claim

    past = (await client.get(f"{ROOT}/archive/metrics/orders")).json()
    listed = (await client.get(f"{ROOT}/archive")).json()["items"]
    page = (await client.get("/projects/default/archive")).text

    once, watched = sorted(past["effects"], key=lambda each: each["experiment"])
    assert claim is not None
    assert claim.lift is not None
    assert (once["method"], watched["method"]) == ("fixed", "always_valid")
    assert (watched["low"], watched["high"]) == (claim.lift.low, claim.lift.high)
    assert watched["low"] < once["low"] < once["high"] < watched["high"]
    assert listed[0]["effects"][0]["low"] == claim.lift.low
    assert once["shrunk"] == pytest.approx(watched["shrunk"])
    assert page.count("confidence sequence") == 1


async def test_past_effects_are_read_together(client: httpx2.AsyncClient, database: Database) -> None:
    await with_metric(client)
    for number, orders in enumerate([25, 30, 33, 38, 60]):
        await observed(client, database, f"e{number}", orders=orders)
    await observed(client, database, "trial", orders=90, tags=["aa"])

    past = (await client.get(f"{ROOT}/archive/metrics/orders")).json()
    summary = (await client.get(f"{ROOT}/archive/summary")).json()

    assert [each["experiment"] for each in past["effects"]] == [f"e{number}" for number in range(5)]
    assert past["win_rate"]["trials"] == 5
    assert past["win_rate"]["wins"] == 1
    assert past["effects"][4]["shrunk"] < past["effects"][4]["lift"]
    assert past["prior"]["standard_deviation"] > 0
    assert past["sentence"].startswith("On average +")
    assert summary["metrics"][0]["together"] == past["together"]
    assert (summary["experiments"], summary["shipped"]) == (5, None)


async def test_a_metric_without_results_has_no_effects_and_an_unknown_one_is_an_error(
    client: httpx2.AsyncClient,
) -> None:
    await with_metric(client)

    known = await client.get(f"{ROOT}/archive/metrics/orders")
    unknown = await client.get(f"{ROOT}/archive/metrics/order")

    assert (known.status_code, known.json()["effects"]) == (200, [])
    assert (unknown.status_code, unknown.json()["code"]) == (404, "metric_not_found")
    assert unknown.json()["detail"].startswith("project 'default' has no metric 'order'; ")


async def test_the_archive_is_searched(client: httpx2.AsyncClient, database: Database) -> None:
    await with_metric(client)
    await observed(client, database, "form", description="A shorter form", tags=["checkout"])
    await observed(client, database, "price", orders=60)

    async def found(**query: str) -> list[str]:
        answer = await client.get(f"{ROOT}/archive", params=query)
        assert answer.status_code == 200, answer.text
        return [each["key"] for each in answer.json()["items"]]

    assert await found() == ["price", "form"]
    assert await found(search="short") == ["form"]
    assert await found(search="!?") == []
    assert await found(tag="checkout") == ["form"]
    assert await found(metric="orders") == ["price", "form"]
    assert await found(metric="other") == []
    assert await found(outcome="SHIPPED") == []
    assert await found(until="2020-01-01T00:00:00Z") == []
    first = (await client.get(f"{ROOT}/archive", params={"limit": 1})).json()
    assert await found(cursor=first["next_cursor"]) == ["form"]
    assert first["items"][0]["effects"][0]["finding"] == "better"


@pytest.mark.parametrize("moment", ["0.5", "1700000000", "2026-01-31", "2026-01-31T08:00:00"])
async def test_a_moment_is_a_date_with_its_offset(client: httpx2.AsyncClient, moment: str) -> None:
    answer = await client.get(f"{ROOT}/archive", params={"until": moment})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


async def test_a_new_result_replaces_what_the_old_one_found(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await with_metric(client)
    await observed(client, database, "e", orders=60)
    async with database.writing() as tx:
        await archive.keep(tx, "default", "e", a_document(orders=20), now=utc_now())

    past = (await client.get(f"{ROOT}/archive/metrics/orders")).json()

    assert [each["lift"] < 0 for each in past["effects"]] == [True]
    assert past["together"] is None
    assert past["sentence"].startswith("1 measured so far")
