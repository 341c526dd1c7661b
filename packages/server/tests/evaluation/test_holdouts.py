"""Holdouts from publication to result over HTTP: who met one, what came of all that ran under it."""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from assay.analysis.handlers import handlers
from assay.core.config import Settings
from assay.core.database import Database
from assay.evaluation.journal import holdout_exposures_of
from assay.evaluation.snapshots import build
from assay.jobs.worker import perform
from assay_engine import Context, compile_ruleset, evaluate, holdout_exposures, loads
from delivery_support import EVALUATE, Place, Served, a_flag, a_split, datafile

pytestmark = pytest.mark.anyio
NAME = "holdout:production:quarter"
EFFECT = 6.0
MATCH = {"If-Match": "*"}


def a_holdout(high: int, **more: Any) -> dict[str, Any]:
    return {"id": "quarter", "bucketing": {"salt": "q"}, "range": {"low": 0, "high": high}, **more}


async def exposures(place: Place) -> list[tuple[str, str, str]]:
    query = (
        "SELECT name, variant, unit FROM event WHERE environment_id = :id AND kind = 'exposure' "
        "AND name LIKE 'holdout:%'"
    )
    async with place.database.reading() as tx:
        rows = await tx.execute(text(query), {"id": place.environment_id})
        return sorted((name, variant, unit) for name, variant, unit in rows)


async def ask(served: Served, place: Place, flag: str, unit: str) -> dict[str, Any]:
    body = {"context": {"targetingKey": unit}}
    answer = await served.http.post(f"{EVALUATE}/{flag}", params=place.query, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_who_meets_a_holdout_is_exposed_to_it_once_a_day_on_its_side(
    served: Served, place: Place
) -> None:
    flags = [a_flag(key, fallthrough=a_split(key, experiment=key)) for key in ("one", "two")]
    await place.publish(*flags, a_flag("plain"), holdouts=[a_holdout(3_000)])
    told: dict[str, set[str]] = {}
    for flag in ("one", "two", "plain", "one"):
        for unit in map(str, range(40)):
            found = await ask(served, place, flag, unit)
            told.setdefault(unit, set()).add(str(found["metadata"].get("holdouts")))

    await served.delivery.journal.flush()

    written = await exposures(place)
    assert len(written) == 40
    assert {(name, unit) for name, _, unit in written} == {(NAME, str(unit)) for unit in range(40)}
    assert {variant for _, variant, _ in written} == {"held_out", "open"}
    assert told == {unit: {"None", f"quarter={variant}"} for _, variant, unit in written}


def test_in_process_and_over_http_a_unit_has_the_same_exposures() -> None:
    document = datafile(
        a_flag(fallthrough=a_split(experiment="colour")),
        environment="production",
        holdouts=[
            a_holdout(3_000),
            a_holdout(5_000) | {"id": "company", "bucketing": {"salt": "c", "unit": "org"}},
        ],
    )
    ruleset, now = compile_ruleset(document), datetime.now(UTC)
    snapshot = build(uuid.uuid4(), loads(document))
    for number in range(50):
        context = Context.of(f"u{number}", {"org": f"o{number % 5}"} if number % 2 else {})
        mine = holdout_exposures(ruleset.ruleset, evaluate(ruleset, "new_form", context, now=now), context)
        answer = snapshot.answer("new_form", context, now)
        theirs = list(holdout_exposures_of(snapshot.compiled.ruleset, answer, context, now))

        assert [(each.experiment, each.variant, each.unit) for each in mine] == [
            (each.experiment, each.variant, each.unit) for each in theirs
        ]
        assert "company" not in {each.holdout.id for each in mine} or number % 2


class Shop:
    """A project with two experiments under a holdout, and the visitors of its pages."""

    def __init__(self, served: Served, place: Place, settings: Settings, url: str) -> None:
        self.http, self.served, self.place = served.http, served, place
        self.root = f"/api/v1/projects/{place.project}"
        self.environment = f"{self.root}/environments/production"
        self.settings, self.url = settings, url
        self.sides: dict[str, str] = {}
        self.rng = Random(5)

    async def post(self, path: str, body: object, expected: int = 200) -> dict[str, Any]:
        answer = await self.http.post(path, json=body, headers=MATCH)
        assert answer.status_code == expected, answer.text
        await self.served.delivery.store.refresh()
        return answer.json()

    async def open(self, share: int) -> None:
        definition = {"kind": "mean", "event": "order"}
        await self.post(
            f"{self.root}/metrics", {"key": "spent", "name": "Spent", "definition": definition}, 201
        )
        await self.place.publish(
            *(a_flag(key, fallthrough={"variant": "off"}) for key in ("page", "basket")),
            holdouts=[a_holdout(share)],
        )
        for key in ("page", "basket"):
            plan = {"flag": key, "goals": [{"metric": "spent"}], "duration_days": 7}
            arms = [{"key": "off"}, {"key": "on"}]
            new = {"key": key, "name": key.title(), "arms": arms, "control": "off", "plan": plan}
            await self.post(f"{self.root}/experiments", new, 201)
            await self.post(f"{self.root}/experiments/{key}/start", {})

    async def visited(self, units: Iterable[int]) -> None:
        """Visitors ask for both flags and then buy, more where the new page is theirs."""
        orders: list[dict[str, Any]] = []
        for unit in (f"u{number}" for number in units):
            page = await ask(self.served, self.place, "page", unit)
            await ask(self.served, self.place, "basket", unit)
            if (side := page["metadata"].get("holdouts")) is not None:
                self.sides[unit] = side.partition("=")[2]
            at = (datetime.now(UTC) + timedelta(milliseconds=1)).isoformat()
            value = self.rng.gauss(20, 4) + EFFECT * page["value"]
            orders.append({"kind": "event", "name": "order", "unit": unit, "at": at, "value": value})
        await self.served.delivery.journal.flush()
        sent = await self.http.post("/api/v1/events", params=self.place.query, json=orders)
        assert (sent.status_code, sent.json()["rejected"]) == (202, 0), sent.text

    async def analysed(self, path: str) -> None:
        task = await self.post(path, None, 202)
        await perform(self.place.database, task["id"], handlers(self.settings, self.place.database, self.url))

    async def result(self) -> dict[str, Any]:
        results = f"{self.environment}/holdouts/quarter/results"
        await self.analysed(results)
        answer = await self.http.get(f"{results}/latest")
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def shop(
    served: Served, place: Place, settings: Settings, committing_database: Database, database_url: str
) -> Shop:
    assert place.database is committing_database
    return Shop(served, place, settings, database_url)


def units(found: dict[str, Any]) -> dict[str, int]:
    return {arm["arm"]: arm["units"] for arm in found["document"]["arms"]}


def comparison(found: dict[str, Any]) -> dict[str, Any]:
    return found["document"]["metrics"][0]["comparisons"][0]


async def shows(shop: Shop, *said: str) -> None:
    """Whether the project leads to a page of the holdout that says all this."""
    address = f"/projects/{shop.place.project}/experiments/{NAME}"
    project = await shop.http.get(f"/projects/{shop.place.project}")
    page = await shop.http.get(address)
    listed = await shop.http.get(f"{shop.root}/experiments")

    assert (project.status_code, page.status_code) == (200, 200), page.text
    assert address.replace(":", "%3A") in project.text or address in project.text
    assert [each for each in said if each not in page.text] == []
    assert [each["key"] for each in listed.json()["items"]] == ["page", "basket"]


async def test_nobody_makes_deletes_or_bends_what_a_holdout_is_analysed_as(shop: Shop) -> None:
    definition = {"kind": "mean", "event": "order"}
    metric = {"key": "spent", "name": "Spent", "definition": definition}
    await shop.post(f"{shop.root}/metrics", metric, 201)
    await shop.place.publish(
        a_flag(), holdouts=[a_holdout(0), a_holdout(10, experiments=[]) | {"id": "idle"}]
    )
    arms = {"arms": [{"key": "a"}, {"key": "b"}], "control": "a", "metrics": []}
    reading = {"metrics": ["spent"]}
    path = f"{shop.root}/experiments"

    stolen = await shop.http.post(path, json={"key": NAME, "name": "x", **arms})
    source = {"source": "holdout", "environment": "production", "holdout": "quarter", "reading": reading}
    forged = await shop.http.post(path, json={"key": "x", "name": "x", **arms, "assignments": source})
    nobody = await shop.http.put(f"{shop.environment}/holdouts/quarter/reading", json=reading)
    idle = await shop.http.put(f"{shop.environment}/holdouts/idle/reading", json=reading)
    assert [stolen.status_code, forged.status_code] == [422, 422]
    assert [each.json()["code"] for each in (nobody, idle)] == ["holdout_idle", "holdout_idle"]

    await shop.place.publish(holdouts=[a_holdout(2_000)])
    bad: list[dict[str, Any]] = [
        {"metrics": list[str]()},
        {**reading, "method": {"kind": "fixed"}},
        {"metrics": ["gone"]},
    ]
    for wrong in bad:
        refused = await shop.http.put(f"{shop.environment}/holdouts/quarter/reading", json=wrong)
        assert refused.status_code == 422, refused.text
    made = await shop.http.put(f"{shop.environment}/holdouts/quarter/reading", json=reading)
    assert (made.status_code, made.json()["experiment"]) == (200, NAME), made.text
    deleted = await shop.http.delete(f"{path}/{NAME}", headers=MATCH)
    bent = await shop.http.patch(f"{path}/{NAME}", json={"control": "open"}, headers=MATCH)
    moved = await shop.http.post(f"{path}/{NAME}/start", json={}, headers=MATCH)
    assert {each.json()["code"] for each in (deleted, bent, moved)} == {"not_planned"}


async def test_what_came_of_everything_under_a_holdout_is_told_and_begins_anew_when_it_divides_otherwise(
    shop: Shop,
) -> None:
    await shop.open(share=5_000)
    unread = await shop.http.post(f"{shop.environment}/holdouts/quarter/results")
    assert (unread.status_code, unread.json()["code"]) == (409, "holdout_unread")
    reading = {"metrics": ["spent"]}
    put = await shop.http.put(f"{shop.environment}/holdouts/quarter/reading", json=reading)
    assert put.status_code == 200, put.text
    assert (put.json()["share"], put.json()["reading"]["method"]["kind"]) == (0.5, "always_valid")

    await shop.visited(range(100))
    await shop.analysed(f"{shop.root}/experiments/page/results")
    await shop.post(f"{shop.root}/experiments/page/complete", {"outcome": "SHIPPED", "arm": "on"})
    await shop.post(f"{shop.root}/experiments/basket/complete", {"outcome": "ROLLED_BACK"})
    await shop.visited(range(100, 250))
    first = await shop.result()

    held = [unit for unit, side in shop.sides.items() if side == "held_out"]
    assert units(first) == {"held_out": len(held), "open": 250 - len(held)}
    assert first["document"]["sample_ratio"]["suspicious"] is False
    assert first["document"]["read"]["method"] == "always_valid"
    # Of the open, those of the time of the experiment had a half chance of the page, all others have it.
    truth = EFFECT * (100 * 0.5 + 150) / 250
    claim = comparison(first)["claim"]
    assert claim["low"] < truth < claim["high"]
    assert claim["low"] > 0
    beside = first["beside"]
    told = [(each["key"], each["outcome"], each["shipped"]) for each in beside["experiments"]]
    assert told == [("page", "SHIPPED", "on"), ("basket", "ROLLED_BACK", None)]
    (added,) = beside["sums"]
    (own,) = beside["experiments"][0]["effects"]
    assert (added["experiments"], added["lift"]) == (["page"], own["lift"])
    assert first["holdout"]["notes"] == []
    await shows(shop, "Under this holdout", 'data-experiment="page"', "shipped: on", added["sentence"][:40])

    narrowed = {"range": {"low": 0, "high": 1_000}}
    changed = await shop.http.patch(f"{shop.environment}/holdouts/quarter", json=narrowed, headers=MATCH)
    assert changed.status_code == 200, changed.text
    await shop.served.delivery.store.refresh()
    await shop.visited(range(240, 300))
    second = await shop.result()

    assert sum(units(second).values()) == 60
    assert (second["holdout"]["share"], len(second["holdout"]["notes"])) == (0.1, 1)
    assert second["document"]["excluded"]["in_several_arms"] == 0

    closed = await shop.http.patch(
        f"{shop.environment}/holdouts/quarter", json={"experiments": []}, headers=MATCH
    )
    assert closed.status_code == 200, closed.text
    await shop.served.delivery.store.refresh()
    await shop.visited(range(290, 310))
    last = await shop.result()

    assert units(last) == units(second)
    kept, before = comparison(last)["difference"], comparison(second)["difference"]
    assert [kept["low"], kept["high"]] == pytest.approx([before["low"], before["high"]])
    assert last["document"]["until"] == last["holdout"]["ended_at"]
    assert last["document"]["read"]["is_final"] is True


async def test_a_report_keeps_what_had_run_under_the_holdout_by_then(shop: Shop) -> None:
    await shop.open(share=5_000)
    reading = {"metrics": ["spent"]}
    await shop.http.put(f"{shop.environment}/holdouts/quarter/reading", json=reading)
    await shop.visited(range(60))
    found = await shop.result()
    reports = f"{shop.root}/experiments/{NAME}/reports"

    made = await shop.post(reports, {"result": found["task"]["id"], "title": "The quarter"}, 201)
    await shop.post(f"{shop.root}/experiments/basket/complete", {"outcome": "ROLLED_BACK"})
    subject = (await shop.http.get(f"{reports}/{made['id']}")).json()["subject"]
    page = await shop.http.get(f"/projects/{shop.place.project}/experiments/{NAME}/reports/{made['id']}")
    file = await shop.http.get(f"{reports}/{made['id']}/export", params={"format": "html"})
    newest = await shop.http.get(f"/projects/{shop.place.project}/experiments/{NAME}")

    told = [(each["key"], each["state"], each["outcome"]) for each in subject["beside"]["experiments"]]
    assert told == [("page", "ACTIVE", None), ("basket", "ACTIVE", None)]
    assert subject["beside"] == found["beside"]
    assert subject["holdout"]["share"] == 0.5
    for frozen in (page, file):
        assert "Under this holdout" in frozen.text
        assert "Basket" in frozen.text
        assert "rolled back" not in frozen.text
    assert "rolled back" in newest.text


async def test_a_holdout_that_is_deleted_without_a_result_is_read_up_to_its_release(shop: Shop) -> None:
    await shop.open(share=5_000)
    at = f"{shop.environment}/holdouts/quarter"
    await shop.http.put(f"{at}/reading", json={"metrics": ["spent"]})
    await shop.visited(range(60))
    released = await shop.http.patch(at, json={"experiments": []}, headers=MATCH)
    assert released.status_code == 200, released.text
    log = (await shop.http.get(f"{shop.root}/audit", params={"subject": "environments"})).json()["items"]
    assert (await shop.http.delete(at, headers=MATCH)).status_code == 204
    later = datetime.now(UTC)
    exposed = {"kind": "exposure", "experiment": NAME, "variant": "open", "unit": "late"}
    sent = [exposed | {"at": later.isoformat()}]
    await shop.http.post("/api/v1/events", params=shop.place.query, json=sent)

    found = await shop.result()

    assert log[0]["action"] == "holdout.updated"
    assert datetime.fromisoformat(found["holdout"]["ended_at"]) == datetime.fromisoformat(log[0]["at"])
    assert sum(units(found).values()) == 60
