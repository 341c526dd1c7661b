"""OFREP 0.3.0 over HTTP: the shape that every released client reads."""

import asyncio
import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from assay.core.config import Settings
from assay.core.database import Database
from delivery_support import EVALUATE, Place, Served, a_flag, a_split, serving_to, started

pytestmark = pytest.mark.anyio
REASONS = {"STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "DISABLED", "CACHED", "STALE", "UNKNOWN"}


async def ask(served: Served, place: Place, key: str, context: object = None, **more: Any) -> httpx2.Response:
    body = {"context": {"targetingKey": "u1"} if context is None else context}
    return await served.http.post(f"{EVALUATE}/{key}", params=place.query, json=body, **more)


async def bulk(
    served: Served,
    place: Place,
    context: object = None,
    **headers: str,
) -> httpx2.Response:
    body = {"context": {"targetingKey": "u1"} if context is None else context}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await served.http.post(EVALUATE, params=place.query, json=body, headers=named)


async def test_an_answer_has_key_value_variant_reason_and_flat_metadata(served: Served, place: Place) -> None:
    rule = serving_to("plan", "pro", "off")
    revision = await place.publish(a_flag(rules=[rule], metadata={"owner": "checkout", "tier": 2}))

    answer = await ask(served, place, "new_form", {"targetingKey": "u1", "plan": "pro"})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "key": "new_form",
        "value": False,
        "variant": "off",
        "reason": "TARGETING_MATCH",
        "metadata": {
            "flagSetId": "production",
            "version": str(revision),
            "owner": "checkout",
            "tier": 2,
            "ruleId": "r1",
        },
    }


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("boolean", True, b'"value":true,'),
        ("string", "é", '"value":"é",'.encode()),
        ("integer", 1, b'"value":1,'),
        ("float", 1.0, b'"value":1.0,'),
        ("float", 1e300, b'"value":1e300,'),
        ("json", {"a": [1, None, 2.0]}, b'"value":{"a":[1,null,2.0]},'),
        ("json", [1, 2], b'"value":[1,2],'),
    ],
)
async def test_every_type_travels_as_itself(
    served: Served, place: Place, kind: str, value: object, written: bytes
) -> None:
    await place.publish(a_flag(type=kind, variants={"v": value}, fallthrough={"variant": "v"}))

    answer = await ask(served, place, "new_form")

    assert written in answer.content
    assert answer.json()["value"] == value


async def test_the_code_default_has_no_value_and_an_empty_variant(served: Served, place: Place) -> None:
    await place.publish(a_flag("default", fallthrough=None), a_flag("disabled", enabled=False))

    default = (await ask(served, place, "default")).json()
    disabled = (await ask(served, place, "disabled")).json()

    assert (default["variant"], default["reason"], "value" in default) == ("", "DEFAULT", False)
    assert (disabled["variant"], disabled["reason"], "value" in disabled) == ("", "DISABLED", False)


async def test_a_disabled_flag_may_serve_its_off_variant(served: Served, place: Place) -> None:
    await place.publish(a_flag(enabled=False, off="off"))

    answer = (await ask(served, place, "new_form")).json()

    assert (answer["value"], answer["variant"], answer["reason"]) == (False, "off", "DISABLED")


async def test_reasons_are_those_every_client_knows(served: Served, place: Place) -> None:
    await place.publish(
        a_flag("static"),
        a_flag("default", rules=[serving_to("plan", "pro")]),
        a_flag("match", rules=[serving_to("targetingKey", "u1")]),
        a_flag("split", fallthrough=a_split()),
        a_flag("off", enabled=False),
    )

    answers = {each["key"]: each["reason"] for each in (await bulk(served, place)).json()["flags"]}

    assert answers == {
        "static": "STATIC",
        "default": "DEFAULT",
        "match": "TARGETING_MATCH",
        "split": "SPLIT",
        "off": "DISABLED",
    }
    assert set(answers.values()) <= REASONS


@pytest.mark.parametrize("key", ["missing", "a/b", "a%2Fb", "ä", "missing/"])
async def test_a_missing_flag_is_404_with_the_whole_shape(served: Served, place: Place, key: str) -> None:
    answer = await ask(served, place, key)

    assert answer.status_code == 404
    body = answer.json()
    assert body["errorCode"] == "FLAG_NOT_FOUND"
    assert set(body) == {"key", "errorCode", "errorDetails", "metadata"}
    assert body["key"] == key.replace("%2F", "/").rstrip("/")


async def test_a_targeting_key_is_missed_only_where_a_rule_needs_it(served: Served, place: Place) -> None:
    await place.publish(a_flag("needs", fallthrough=a_split()), a_flag("free"))

    needs = await ask(served, place, "needs", {})
    free = await ask(served, place, "free", {})

    assert (needs.status_code, needs.json()["errorCode"]) == (400, "TARGETING_KEY_MISSING")
    assert set(needs.json()) == {"key", "errorCode", "errorDetails", "metadata"}
    assert free.status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"context":{}}', b'{"context":null}', b'{"context":{"targetingKey":null}}']
)
async def test_somebody_unknown_may_ask(served: Served, place: Place, body: bytes) -> None:
    await place.publish(a_flag())

    answer = await served.http.post(f"{EVALUATE}/new_form", params=place.query, content=body)

    assert answer.json()["value"] is True


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "PARSE_ERROR"),
        (b"nonsense", "PARSE_ERROR"),
        (b'{"context":{"a":NaN}}', "PARSE_ERROR"),
        (b'{"context":{"a":"\xff"}}', "PARSE_ERROR"),
        (b'{"context":{"a":1e400}}', "PARSE_ERROR"),
        (b'{"context":' + b"[" * 100_000, "PARSE_ERROR"),
        (b'{"context":{"a":' + b"[" * 900 + b"]" * 900 + b"}}", None),
        (b'{"context":{"a":' + b"9" * 5000 + b"}}", None),
        (b"[]", "INVALID_CONTEXT"),
        (b"7", "INVALID_CONTEXT"),
        (b"null", "INVALID_CONTEXT"),
        (b'{"context":[]}', "INVALID_CONTEXT"),
        (b'{"context":"u1"}', "INVALID_CONTEXT"),
        (b'{"context":{"targetingKey":{}}}', "INVALID_CONTEXT"),
    ],
)
@pytest.mark.parametrize("path", [EVALUATE, f"{EVALUATE}/new_form"])
async def test_a_malformed_body_is_named_as_such(
    served: Served, place: Place, path: str, body: bytes, code: str | None
) -> None:
    await place.publish(a_flag())

    answer = await served.http.post(path, params=place.query, content=body)

    if code is None:
        assert answer.status_code in {200, 400}
        return
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == code
    assert set(answer.json()) == {"key", "errorCode", "errorDetails", "metadata"}


async def test_bulk_has_every_flag_disabled_and_failing_ones_too(served: Served, place: Place) -> None:
    await place.publish(
        a_flag("a"),
        a_flag("b", enabled=False),
        a_flag("c", fallthrough=a_split()),
        a_flag("d", fallthrough=None),
    )

    answer = await bulk(served, place, {})

    flags = {each["key"]: each for each in answer.json()["flags"]}
    assert answer.status_code == 200
    assert set(flags) == {"a", "b", "c", "d"}
    assert flags["c"]["errorCode"] == "TARGETING_KEY_MISSING"
    assert set(flags["c"]) == {"key", "errorCode", "errorDetails", "metadata"}
    assert answer.json()["metadata"]["flagSetId"] == "production"


async def test_bulk_says_what_single_says(served: Served, place: Place) -> None:
    await place.publish(
        a_flag("a", fallthrough=a_split()), a_flag("b", rules=[serving_to("plan", "pro", "off")])
    )
    context = {"targetingKey": "u7", "plan": "pro"}

    together = {each["key"]: each for each in (await bulk(served, place, context)).json()["flags"]}

    for key in ("a", "b"):
        assert (await ask(served, place, key, context)).json() == together[key]


async def test_both_addresses_take_a_trailing_slash(served: Served, place: Place) -> None:
    await place.publish(a_flag())

    single = await served.http.post(f"{EVALUATE}/new_form/", params=place.query)
    together = await served.http.post(f"{EVALUATE}/", params=place.query)

    assert (single.status_code, together.status_code) == (200, 200)
    assert together.json()["flags"][0]["key"] == "new_form"


async def test_the_tag_is_strong_and_comes_with_304_too(served: Served, place: Place) -> None:
    await place.publish(a_flag())
    tag = (await bulk(served, place)).headers["etag"]

    again = await bulk(served, place, if_none_match=tag)
    weakened = await bulk(served, place, if_none_match=f'"other", W/{tag}')

    assert tag.startswith('"')
    assert tag.endswith('"')
    assert [each.status_code for each in (again, weakened)] == [304, 304]
    assert again.headers["etag"] == tag
    assert again.content == b""


async def test_the_tag_depends_on_attributes_and_key_not_on_their_order(served: Served, place: Place) -> None:
    await place.publish(a_flag(rules=[serving_to("plan", "pro", "off")]))
    free = {"targetingKey": "u1", "plan": "free", "n": {"a": 1, "b": 2}}
    tag = (await bulk(served, place, free)).headers["etag"]

    turned = await bulk(
        served, place, {"n": {"b": 2, "a": 1}, "plan": "free", "targetingKey": "u1"}, if_none_match=tag
    )
    paying = await bulk(served, place, free | {"plan": "pro"}, if_none_match=tag)
    other = await bulk(served, place, free | {"targetingKey": "u2"}, if_none_match=tag)

    assert turned.status_code == 304
    assert (paying.status_code, paying.json()["flags"][0]["value"]) == (200, False)
    assert other.status_code == 200


async def test_one_and_one_point_nothing_are_two_contexts(served: Served, place: Place) -> None:
    await place.publish(a_flag())

    tags = {(await bulk(served, place, {"n": n})).headers["etag"] for n in (1, 1.0, True, "1")}

    assert len(tags) == 4


async def test_a_schedule_ahead_is_part_of_the_tag(served: Served, place: Place) -> None:
    rule = serving_to("plan", "pro") | {"schedule": {"starts_at": "2999-01-01T00:00:00Z"}}
    await place.publish(a_flag(rules=[rule]))
    snapshot = await served.delivery.snapshot(place.environment_id)

    tag = (await bulk(served, place)).headers["etag"]
    seen = (await bulk(served, place, if_none_match=tag)).status_code

    assert seen == 304
    assert snapshot.compiled.transitions != ()


async def test_a_schedule_that_begins_makes_another_tag(served: Served, place: Place) -> None:
    starts_at = datetime.now(UTC) + timedelta(seconds=0.5)
    rule = serving_to("plan", "pro", "off") | {"schedule": {"starts_at": starts_at.isoformat()}}
    await place.publish(a_flag(rules=[rule]))
    context = {"targetingKey": "u1", "plan": "pro"}
    before = await bulk(served, place, context)
    still = await bulk(served, place, context, if_none_match=before.headers["etag"])

    await asyncio.sleep((starts_at - datetime.now(UTC)).total_seconds() + 0.01)
    begun = await bulk(served, place, context, if_none_match=before.headers["etag"])
    again = await bulk(served, place, context, if_none_match=begun.headers["etag"])

    values = [answer.json()["flags"][0]["value"] for answer in (before, begun)]
    assert values == [True, False]
    assert [each.status_code for each in (before, still, begun, again)] == [200, 304, 200, 304]


async def test_browsers_may_ask_from_anywhere(served: Served, place: Place) -> None:
    await place.publish(a_flag())
    asking = {
        "origin": "https://shop.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,if-none-match,x-api-key",
    }

    preflights = [
        await served.http.options(path, headers=asking)
        for path in (EVALUATE, f"{EVALUATE}/new_form", "/ofrep/v1/streams")
    ]
    answers = [
        await bulk(served, place),
        await ask(served, place, "new_form"),
        await ask(served, place, "none"),
    ]

    for each in preflights:
        allowed = each.headers["access-control-allow-headers"].split(", ")
        assert each.status_code == 204
        assert each.headers["access-control-allow-origin"] == "*"
        assert {"content-type", "authorization", "x-api-key", "if-none-match"} <= set(allowed)
        assert "POST" in each.headers["access-control-allow-methods"]
    for each in answers:
        assert each.headers["access-control-allow-origin"] == "*"
        assert each.headers["access-control-expose-headers"] == "ETag, Retry-After"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", EVALUATE, 405),
        ("DELETE", f"{EVALUATE}/x", 405),
        ("POST", "/ofrep/v1/streams", 405),
        ("GET", "/ofrep/v1/nothing", 404),
        ("POST", f"{EVALUATE}x", 404),
        ("GET", "/ofrep/v1/streams", 401),
    ],
)
async def test_whatever_is_wrong_the_body_is_json(
    served: Served, method: str, path: str, status: int
) -> None:
    answer = await served.http.request(method, path)

    assert answer.status_code == status
    assert set(answer.json()) == {"key", "errorCode", "errorDetails", "metadata"}
    assert answer.headers["content-type"] == "application/json"


async def test_a_foreign_host_is_answered_only_with_a_key(served: Served, place: Place) -> None:
    await place.publish(a_flag())
    token = await served.key(place, "client")

    keyless = await ask(served, place, "new_form", headers={"host": "evil.example"})
    with_key = await ask(served, place, "new_form", headers={"host": "evil.example", "x-api-key": token})

    assert (keyless.status_code, with_key.status_code) == (403, 200)


async def test_an_unknown_place_is_said(served: Served) -> None:
    answer = await served.http.post(f"{EVALUATE}/x", params={"project": "nowhere"}, json={})

    assert (answer.status_code, answer.json()["errorCode"]) == (404, "GENERAL")
    assert "nowhere" in answer.json()["errorDetails"]


async def test_a_body_beyond_the_limit_is_not_read_to_its_end(served: Served, place: Place) -> None:
    answer = await served.http.post(EVALUATE, params=place.query, content=b"x" * 2_200_000)

    assert answer.status_code == 413
    assert answer.json()["errorCode"] == "GENERAL"


async def test_too_many_requests_are_told_when_to_come_back_in_whole_seconds(
    settings: Settings, committing_database: Database, place: Place
) -> None:
    await place.publish(a_flag())
    slow = settings.model_copy(update={"delivery_rate_per_second": 0.1})
    async with started(slow, committing_database, None) as served:
        first, second = [await ask(served, place, "new_form") for _ in range(2)]

    assert (first.status_code, second.status_code) == (200, 429)
    assert second.headers["retry-after"].isdigit()
    assert math.isclose(int(second.headers["retry-after"]), 10, abs_tol=1)
    assert second.json()["errorCode"] == "GENERAL"


async def test_it_answers_below_a_sub_path(
    settings: Settings, committing_database: Database, place: Place
) -> None:
    await place.publish(a_flag())
    below = settings.model_copy(update={"root_path": "/flags"})
    async with started(below, committing_database, None) as served:
        kept = await served.http.post(f"/flags{EVALUATE}/new_form", params=place.query)
        cut = await served.http.post(f"{EVALUATE}/new_form", params=place.query)
        together = await served.http.post(f"/flags{EVALUATE}", params=place.query)

    assert (kept.status_code, cut.status_code) == (200, 200)
    address = together.json()["eventStreams"][0]["endpoint"]["requestUri"]
    assert address.startswith("/flags/ofrep/v1/streams?token=")


async def test_a_failure_inside_is_500_and_json(
    served: Served, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.publish(a_flag())
    await ask(served, place, "new_form")

    def broken(*_: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr("assay.evaluation.snapshots.Snapshot.answer", broken)
    answer = await ask(served, place, "new_form")

    assert answer.status_code == 500
    assert set(answer.json()) == {"key", "errorCode", "errorDetails", "metadata"}
    assert "planted" not in json.dumps(answer.json())


async def test_requests_are_counted_by_route(served: Served, place: Place) -> None:
    await place.publish(a_flag())
    await ask(served, place, "new_form")

    figures = (await served.http.get("/metrics")).text

    assert f'assay_delivery_requests_total{{route="{EVALUATE}/{{key}}",status="200"}} 1.0' in figures
    assert f'assay_delivery_seconds_count{{route="{EVALUATE}/{{key}}",status="200"}} 1.0' in figures
    assert "assay_stream_clients 0.0" in figures
