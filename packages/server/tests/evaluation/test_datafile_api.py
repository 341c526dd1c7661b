"""The datafile over HTTP: for servers, by tag, never for clients."""

import pytest

from assay_engine import loads
from delivery_support import Place, Served, a_flag, a_split, connected

pytestmark = pytest.mark.anyio
DATAFILE = "/api/v1/datafile"


async def test_a_server_gets_the_rules_and_304_while_they_are_the_newest(
    served: Served, place: Place
) -> None:
    revision = await place.publish(a_flag(fallthrough=a_split()))
    headers = {"x-api-key": await served.key(place, "server")}

    first = await served.http.get(DATAFILE, headers=headers)
    again = await served.http.get(DATAFILE, headers=headers | {"if-none-match": first.headers["etag"]})

    assert loads(first.content).revision == revision
    assert first.headers["cache-control"] == "private, no-cache"
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert first.headers["etag"].startswith(f'"{revision}-')


async def test_a_client_key_never_sees_a_rule(served: Served, place: Place) -> None:
    await place.publish(a_flag("secret_plan"))
    token = await served.key(place, "client")
    headers = {"x-api-key": token}

    answer = await served.http.get(DATAFILE, headers=headers)
    async with connected(served.app, f"{DATAFILE}/stream", host="127.0.0.1", x_api_key=token) as stream:
        refused = stream.status

    assert (answer.status_code, answer.json()["code"]) == (403, "server_key_required")
    assert "secret_plan" not in answer.text
    assert refused == 403


async def test_followers_hear_of_a_new_datafile(served: Served, place: Place) -> None:
    await place.publish(a_flag())
    token = await served.key(place)
    tag = (await served.http.get(DATAFILE, headers={"x-api-key": token})).headers["etag"]
    address = f"{DATAFILE}/stream"
    async with connected(
        served.app, address, host="127.0.0.1", x_api_key=token, last_event_id=tag.strip('"')
    ) as stream:
        opening = await stream.frame()
        revision = await place.publish(a_flag("second"))
        frame = await stream.frame()

    assert opening is not None
    assert "data:" not in opening
    assert frame is not None
    assert f'"type":"datafile","etag":"\\"{revision}-' in frame


async def test_who_heard_of_a_revision_gets_at_least_that(served: Served, place: Place) -> None:
    await place.publish(a_flag())
    await served.http.get(DATAFILE, params=place.query)
    snapshot = await served.delivery.snapshot(place.environment_id)
    revision = await place.publish(a_flag("second"))

    newer = await served.delivery.store.at_least(snapshot, revision)

    assert newer.revision == revision


async def test_of_an_unknown_place_there_is_none(served: Served) -> None:
    answer = await served.http.get(DATAFILE, params={"project": "nowhere"})

    assert answer.status_code == 404
