"""Server-sent events: told at once, told again after an interruption, freed on leaving."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from assay.core.config import Settings
from assay.core.database import Database
from assay.evaluation.ofrep import first_frame
from assay.evaluation.snapshots import build
from assay.evaluation.streams import HEARTBEAT, Follower, Hub, refetch
from assay_engine import Flag, FlagType, Rule, Ruleset, dumps, loads
from assay_engine.model import Schedule, ServeVariant, Variant
from delivery_support import EVALUATE, Place, Served, Stream, a_flag, connected, serving_to, started

pytestmark = pytest.mark.anyio


async def address_of(served: Served, place: Place, **headers: str) -> str:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await served.http.post(EVALUATE, params=place.query, headers=named)
    [stream] = answer.json()["eventStreams"]
    assert stream["type"] == "sse"
    assert stream["inactivityDelaySec"] >= 1
    return stream["endpoint"]["requestUri"]


def age(served: Served, place: Place) -> str:
    """Makes the snapshot look as if it had been served for long; its version."""
    snapshot = served.delivery.store.loaded(place.environment_id)
    assert snapshot is not None
    snapshot.loaded_at -= 3600
    return snapshot.version


async def test_a_publication_says_ask_again(served: Served, place: Place) -> None:
    await place.publish(a_flag())
    address = await address_of(served, place)
    version = age(served, place)
    async with connected(served.app, address) as stream:
        opening = await stream.frame()
        revision = await place.publish(a_flag("second"))
        told = await stream.frame()

    assert opening == f"retry: 2000\nid: {version}"
    assert told is not None
    name, event, data = told.split("\n")
    assert name.startswith(f"id: {revision}-")
    assert event == "event: message"
    assert data.startswith('data: {"type":"refetchEvaluation","etag":"\\"')
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.headers["access-control-allow-origin"] == "*"


async def test_a_schedule_that_begins_says_ask_again(served: Served, place: Place) -> None:
    starts_at = datetime.now(UTC) + timedelta(seconds=0.5)
    rule = serving_to("plan", "pro", "off") | {"schedule": {"starts_at": starts_at.isoformat()}}
    await place.publish(a_flag(rules=[rule]))
    address = await address_of(served, place)
    version = age(served, place)
    async with connected(served.app, address) as stream:
        await stream.frame()
        told = await stream.frame()

    assert told is not None
    assert datetime.now(UTC) >= starts_at
    assert told.startswith(f"id: {version}\nevent: message")


async def test_who_comes_back_behind_is_told_at_once(served: Served, place: Place) -> None:
    await place.publish(a_flag())
    address = await address_of(served, place)
    version = age(served, place)
    async with connected(served.app, address, last_event_id="1-000000000000") as behind:
        missed = [await behind.frame(), await behind.frame()]
    async with connected(served.app, address, last_event_id=version) as current:
        opening = await current.frame()
        served.delivery.hub.keep_alive()
        next_one = await current.frame()

    assert missed[1] is not None
    assert "refetchEvaluation" in missed[1]
    assert opening is not None
    assert "data:" not in opening
    assert next_one == HEARTBEAT.decode().strip()


def test_who_was_cut_off_while_a_schedule_began_is_told_on_coming_back() -> None:
    starts_at = datetime.now(UTC) + timedelta(hours=1)
    rule = Rule("later", ServeVariant("on"), schedule=Schedule(starts_at=starts_at))
    flag = Flag("f", FlagType.BOOLEAN, (Variant("on", value=True),), rules=(rule,))
    snapshot = build(uuid.uuid4(), loads(dumps(Ruleset((flag,), revision=7))))
    snapshot.loaded_at -= 3600
    follower = Follower(snapshot.environment_id, None, refetch)

    def heard(last_event_id: str | None, minutes: float) -> list[str]:
        now = starts_at + timedelta(minutes=minutes)
        seen = None if last_event_id is None else last_event_id.encode()
        return first_frame(seen, snapshot, follower, now=now).decode().strip().split("\n\n")

    before, after = f"{snapshot.version}@{starts_at.isoformat()}", snapshot.version
    told = f'id: {after}\nevent: message\ndata: {{"type":"refetchEvaluation","etag":"\\"{after}\\""'

    assert heard(before, -1) == [f"retry: 2000\nid: {before}"]
    assert heard(before, 5)[1].startswith(told)
    assert heard(after, 5) == [f"retry: 2000\nid: {after}"]
    assert heard(None, 0.5)[1].startswith(told)
    assert heard(None, 5) == [f"retry: 2000\nid: {after}"]


async def test_who_connects_just_after_a_change_is_told_at_once(served: Served, place: Place) -> None:
    await place.publish(a_flag())
    address = await address_of(served, place)
    async with connected(served.app, address) as stream:
        frames = [await stream.frame(), await stream.frame()]

    assert frames[1] is not None
    assert "refetchEvaluation" in frames[1]


async def test_the_address_has_a_token_of_its_own_and_stays(served: Served, place: Place) -> None:
    await place.publish(a_flag())
    token = await served.key(place, "client")
    first = await address_of(served, place, x_api_key=token)
    await place.publish(a_flag("second"))
    second = await address_of(served, place, x_api_key=token)

    assert token not in first
    assert first == second


@pytest.mark.parametrize("token", ["", "AAAA", "é", "A" * 75])
async def test_a_token_of_nobody_is_refused(served: Served, place: Place, token: str) -> None:
    await place.publish(a_flag())
    address = (await address_of(served, place)).partition("=")[0]

    async with connected(served.app, f"{address}={token}") as stream:
        assert stream.status == 401


async def test_streams_of_a_revoked_key_end_and_stay_closed(served: Served, place: Place) -> None:
    await place.publish(a_flag())
    address = await address_of(served, place, x_api_key=await served.key(place, "client"))
    [key] = (await served.http.get(place.keys_path)).json()["items"]
    async with connected(served.app, address) as stream:
        await served.http.delete(f"{place.keys_path}/{key['id']}")
        while await stream.frame() is not None:
            pass
    async with connected(served.app, address) as again:
        assert again.status == 401


async def test_who_leaves_leaves_nothing(served: Served, place: Place) -> None:
    await place.publish(a_flag())
    address = await address_of(served, place)
    async with connected(served.app, address), connected(served.app, address):
        assert served.delivery.hub.followers == 2

    assert served.delivery.hub.followers == 0


async def test_no_more_are_taken_than_the_limit(
    settings: Settings, committing_database: Database, place: Place
) -> None:
    await place.publish(a_flag())
    few = settings.model_copy(update={"stream_limit": 1})
    async with started(few, committing_database, None) as served:
        address = await address_of(served, place)
        async with connected(served.app, address), connected(served.app, address) as second:
            assert second.status == 503


async def test_streams_end_with_the_process(served: Served, place: Place) -> None:
    await place.publish(a_flag())
    address = await address_of(served, place)
    async with connected(served.app, address) as stream:
        served.delivery.hub.end()
        while await stream.frame() is not None:
            pass
    assert served.delivery.hub.is_full


async def test_a_slow_reader_gets_the_newest_only() -> None:
    hub = Hub(limit=1)
    follower = Follower(uuid.uuid4(), None, refetch)
    stream = Stream()
    serving = asyncio.create_task(hub.serve(follower, b"", receive=stream.receive, send=stream.send))
    await stream.answered.wait()

    for number in range(1000):
        hub.announce(follower.environment_id, f"{number}-x", 0.0)
    told = await stream.frame()
    stream.leave()
    await serving

    assert told is not None
    assert told.startswith("id: 999-x")
    assert await stream.frame() is None
