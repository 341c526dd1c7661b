"""Segments over HTTP: effective at once, and never taken away from under a flag."""

from typing import Any

import httpx2
import pytest

from .factories import PRODUCTION, a_configuration, at, draft, make, publish

pytestmark = pytest.mark.anyio
SEGMENTS = f"{PRODUCTION}/segments"
STAFF = {"key": "staff", "include": ["u1", "u2"], "exclude": ["u3"], "description": "Who works here"}
IN_STAFF = {"id": "staff", "condition": {"segment": "staff"}, "serve": {"variant": "on"}}


async def a_segment(client: httpx2.AsyncClient, **parts: Any) -> httpx2.Response:
    answer = await client.post(SEGMENTS, json=STAFF | parts)
    assert answer.status_code == 201, answer.text
    return answer


async def test_a_segment_is_read_as_it_was_made(client: httpx2.AsyncClient) -> None:
    condition = {"attribute": "email", "operator": "ends_with", "values": ["@acme.com"]}

    made = await a_segment(client, condition=condition, unit=["company", "id"])

    read = (await client.get(made.headers["location"])).json()
    assert read == made.json()
    assert read["condition"] == condition
    assert (read["include"], read["exclude"], read["unit"]) == (["u1", "u2"], ["u3"], ["company", "id"])


async def test_a_change_of_a_segment_is_served_at_once(client: httpx2.AsyncClient) -> None:
    made = await a_segment(client)
    before = (await client.get(f"{PRODUCTION}/ruleset")).json()

    changed = await client.patch(
        f"{SEGMENTS}/staff", json={"include": ["u9"]}, headers={"If-Match": made.headers["etag"]}
    )

    after = (await client.get(f"{PRODUCTION}/ruleset")).json()
    assert changed.json()["description"] == STAFF["description"]
    assert after["segments"] == [{"id": "staff", "include": ["u9"], "exclude": ["u3"]}]
    assert after["revision"] == before["revision"] + 1


async def test_a_segment_key_can_be_taken_only_once(client: httpx2.AsyncClient) -> None:
    await a_segment(client)

    again = await client.post(SEGMENTS, json={"key": "staff"})

    assert (again.status_code, again.json()["code"]) == (409, "segment_key_taken")
    assert (await client.get(f"{SEGMENTS}/staff")).json()["include"] == STAFF["include"]


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"condition": {"segment": "none"}}, "unpublishable"),
        ({"condition": {"segment": "staff"}}, "unpublishable"),
        ({"exclude": ["u1"]}, "unpublishable"),
        ({"condition": {"attribute": "a", "operator": "equal", "values": [1]}}, "malformed_flag"),
        ({"include": [""]}, "malformed_flag"),
    ],
)
async def test_a_segment_that_fails_the_check_is_refused(
    client: httpx2.AsyncClient, parts: dict[str, Any], code: str
) -> None:
    answer = await client.post(SEGMENTS, json=STAFF | parts)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert (await client.get(SEGMENTS)).json()["items"] == []


async def test_an_edit_of_a_segment_needs_the_version_it_was_made_from(
    client: httpx2.AsyncClient,
) -> None:
    made = await a_segment(client)
    tag = {"If-Match": made.headers["etag"]}
    await client.patch(f"{SEGMENTS}/staff", json={"include": ["u5"]}, headers=tag)

    blind = await client.patch(f"{SEGMENTS}/staff", json={"include": []})
    late = await client.patch(f"{SEGMENTS}/staff", json={"include": []}, headers=tag)
    gone = await client.delete(f"{SEGMENTS}/staff", headers=tag)

    assert (blind.status_code, late.status_code, gone.status_code) == (428, 412, 412)
    assert (await client.get(f"{SEGMENTS}/staff")).json()["include"] == ["u5"]


async def test_a_segment_that_a_flag_serves_by_is_not_deleted(client: httpx2.AsyncClient) -> None:
    made = await a_segment(client)
    await make(client)
    await publish(client, "checkout", a_configuration(IN_STAFF))

    answer = await client.delete(f"{SEGMENTS}/staff", headers={"If-Match": made.headers["etag"]})

    assert (answer.status_code, answer.json()["code"]) == (409, "segment_in_use")
    assert "flag 'checkout', rule 'staff'" in answer.json()["detail"]
    assert (await client.get(f"{SEGMENTS}/staff")).status_code == 200


async def test_a_segment_that_a_draft_names_is_not_deleted(client: httpx2.AsyncClient) -> None:
    made = await a_segment(client)
    await make(client)
    await draft(client, "checkout", a_configuration(IN_STAFF))

    answer = await client.delete(f"{SEGMENTS}/staff", headers={"If-Match": made.headers["etag"]})

    assert answer.json()["errors"] == [
        {"location": ["draft of flag 'checkout'"], "message": "it names segment 'staff'"}
    ]


async def test_an_unused_segment_is_deleted(client: httpx2.AsyncClient) -> None:
    made = await a_segment(client)

    gone = await client.delete(f"{SEGMENTS}/staff", headers={"If-Match": made.headers["etag"]})

    assert gone.status_code == 204
    assert (await client.get(f"{SEGMENTS}/staff")).json()["code"] == "segment_not_found"


async def test_segments_are_listed_by_key_page_by_page(client: httpx2.AsyncClient) -> None:
    for key in ("c", "a", "b"):
        await a_segment(client, key=key)

    first = (await client.get(SEGMENTS, params={"limit": 2})).json()
    rest = (await client.get(SEGMENTS, params={"cursor": first["next_cursor"]})).json()

    assert [each["key"] for each in first["items"] + rest["items"]] == ["a", "b", "c"]
    assert rest["next_cursor"] is None


async def test_an_explanation_walks_through_a_segment(client: httpx2.AsyncClient) -> None:
    await a_segment(client)
    await make(client)
    await publish(client, "checkout", a_configuration(IN_STAFF))

    answer = await client.post(f"{at('checkout')}/explain", json={"context": {"targetingKey": "u1"}})

    assert (answer.json()["variant"], answer.json()["rule"]) == ("on", "staff")
    assert "staff" in answer.text
