"""Who would get another variant if a draft were published."""

from typing import Any

import httpx2
import pytest

pytestmark = pytest.mark.anyio
FLAGS = "/api/v1/projects/default/flags"
PLACE = f"{FLAGS}/checkout/environments/production"
PRO = {
    "id": "pro",
    "condition": {"attribute": "plan", "operator": "equals", "values": ["pro"]},
    "serve": {"variant": "on"},
}


def a_split(share: int, experiment: str) -> dict[str, Any]:
    ranges = [{"low": 0, "high": share, "variant": "on"}, {"low": share, "high": 10_000, "variant": "off"}]
    return {"id": "test", "serve": {"split": {"salt": "s", "ranges": ranges, "experiment": experiment}}}


def a_configuration(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"rules": list(rules), "fallthrough": {"variant": "off"}, "off": "off"}


async def publish(client: httpx2.AsyncClient, *rules: dict[str, Any]) -> None:
    if (await client.get(f"{FLAGS}/checkout")).is_error:
        await client.post(FLAGS, json={"key": "checkout"})
    tag = (await client.get(PLACE)).headers["etag"]
    draft = await client.put(f"{PLACE}/draft", json=a_configuration(*rules), headers={"If-Match": tag})
    tag = {"If-Match": draft.headers["etag"]}
    answer = await client.post(f"{PLACE}/publish", json={}, headers=tag)
    assert answer.status_code == 200, answer.text


async def test_each_context_is_answered_now_and_then(client: httpx2.AsyncClient) -> None:
    await publish(client)
    contexts = [{"targetingKey": "u1", "plan": "pro"}, {"targetingKey": "u2", "plan": "free"}]

    answer = await client.post(
        f"{PLACE}/preview", json={"contexts": contexts, "configuration": a_configuration(PRO)}
    )

    preview = answer.json()
    assert [(each["targeting_key"], each["before"], each["after"]) for each in preview["contexts"]] == [
        ("u1", "off", "on"),
        ("u2", "off", "off"),
    ]
    assert preview["changed"] == 1
    assert preview["changes"] == [{"kind": "added", "path": ["rules"], "before": None, "after": [PRO]}]


async def test_a_preview_changes_nothing(client: httpx2.AsyncClient) -> None:
    await publish(client)
    before = (await client.get(PLACE)).json()

    await client.post(f"{PLACE}/preview", json={"configuration": a_configuration(PRO)})

    assert (await client.get(PLACE)).json() == before


async def test_the_stored_draft_is_previewed_when_none_is_given(client: httpx2.AsyncClient) -> None:
    await client.post(FLAGS, json={"key": "checkout"})
    tag = (await client.get(PLACE)).headers["etag"]
    await client.put(f"{PLACE}/draft", json=a_configuration(PRO), headers={"If-Match": tag})

    answer = await client.post(f"{PLACE}/preview", json={"contexts": [{"plan": "pro"}]})

    (context,) = answer.json()["contexts"]
    assert (context["before"], context["reason_before"]) == (None, "ERROR")
    assert (context["after"], context["reason_after"]) == ("on", "TARGETING_MATCH")


async def test_units_of_recent_exposures_are_counted(client: httpx2.AsyncClient) -> None:
    await publish(client, a_split(5_000, "button"))
    events = [
        {
            "kind": "exposure",
            "experiment": "button",
            "variant": "on",
            "unit": f"user-{number % 100}",
            "at": "2026-01-01T00:00:00Z",
            "id": str(number),
        }
        for number in range(200)
    ]
    await client.post("/api/v1/events", json=events)

    def ask(share: int) -> dict[str, Any]:
        return {"configuration": a_configuration(a_split(share, "button"))}

    same = (await client.post(f"{PLACE}/preview", json=ask(5_000))).json()["recent"]
    more = (await client.post(f"{PLACE}/preview", json=ask(10_000))).json()["recent"]
    none = (await client.post(f"{PLACE}/preview", json=ask(0))).json()["recent"]

    assert same == {"asked": 100, "changed": 0}
    assert more["changed"] + none["changed"] == 100
    assert 30 < more["changed"] < 70


async def test_properties_of_exposures_are_attributes(client: httpx2.AsyncClient) -> None:
    await publish(client)
    exposure = {"kind": "exposure", "experiment": "e", "variant": "v", "at": "2026-01-01T00:00:00Z"}
    events = [exposure | {"unit": plan, "properties": {"plan": plan}} for plan in ("pro", "free")]
    await client.post("/api/v1/events", json=events)

    answer = await client.post(f"{PLACE}/preview", json={"configuration": a_configuration(PRO)})

    assert answer.json()["recent"] == {"asked": 2, "changed": 1}


async def test_a_preview_names_the_experiments_it_touches(client: httpx2.AsyncClient) -> None:
    await publish(client, a_split(5_000, "old"))
    await client.post(FLAGS, json={"key": "needy"})
    needy = f"{FLAGS}/needy/environments/production"
    tag = (await client.get(needy)).headers["etag"]
    rule = a_split(5_000, "elsewhere") | {"prerequisites": [{"flag": "checkout", "variants": ["on"]}]}
    draft = await client.put(f"{needy}/draft", json=a_configuration(rule), headers={"If-Match": tag})
    await client.post(f"{needy}/publish", json={}, headers={"If-Match": draft.headers["etag"]})

    changed = await client.post(
        f"{PLACE}/preview", json={"configuration": a_configuration(a_split(5_000, "new"))}
    )
    same = await client.post(
        f"{PLACE}/preview", json={"configuration": a_configuration(a_split(5_000, "old"))}
    )

    assert changed.json()["experiments"] == ["elsewhere", "new", "old"]
    assert same.json()["experiments"] == []


async def test_what_could_not_be_published_has_no_preview(client: httpx2.AsyncClient) -> None:
    await publish(client)

    answer = await client.post(
        f"{PLACE}/preview", json={"configuration": {"fallthrough": {"variant": "blue"}}}
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "unpublishable")


ENVIRONMENT = "/api/v1/projects/default/environments/production"


async def make_part(client: httpx2.AsyncClient, kind: str, key: str, **fields: Any) -> None:
    answer = await client.post(f"{ENVIRONMENT}/{kind}s", json={"key": key, **fields})
    assert answer.status_code == 201, answer.text


async def preview_of(client: httpx2.AsyncClient, kind: str, key: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(f"{ENVIRONMENT}/{kind}s/{key}/preview", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_segment_is_previewed_through_flags_segments_and_prerequisites(
    client: httpx2.AsyncClient,
) -> None:
    await make_part(client, "segment", "staff", include=["ann"])
    await make_part(client, "segment", "friends", condition={"segment": "staff"})
    await publish(client, {"id": "in", "condition": {"segment": "friends"}, "serve": {"variant": "on"}})
    await client.post(FLAGS, json={"key": "needy"})
    needy = f"{FLAGS}/needy/environments/production"
    tag = (await client.get(needy)).headers["etag"]
    rule = a_split(10_000, "elsewhere") | {"prerequisites": [{"flag": "checkout", "variants": ["on"]}]}
    draft = await client.put(f"{needy}/draft", json=a_configuration(rule), headers={"If-Match": tag})
    await client.post(f"{needy}/publish", json={}, headers={"If-Match": draft.headers["etag"]})

    preview = await preview_of(
        client,
        "segment",
        "staff",
        configuration={"include": ["bob"]},
        contexts=[{"targetingKey": unit} for unit in ("ann", "bob", "eve")],
    )

    changes = [
        [(each["flag"], each["before"], each["after"]) for each in context["flags"]]
        for context in preview["contexts"]
    ]
    assert changes == [
        [("checkout", "on", "off"), ("needy", "on", "off")],
        [("checkout", "off", "on"), ("needy", "off", "on")],
        [],
    ]
    assert preview["changed"] == 2
    assert preview["flags"] == [{"flag": "checkout", "changed": 2}, {"flag": "needy", "changed": 2}]
    assert preview["experiments"] == ["elsewhere"]
    assert preview["changes"] == [
        {"kind": "changed", "path": ["include"], "before": ["ann"], "after": ["bob"]}
    ]


async def test_a_layer_is_previewed_with_the_experiments_in_it(client: httpx2.AsyncClient) -> None:
    await make_part(client, "layer", "page", slices=[{"experiment": "button", "low": 0, "high": 10_000}])
    rule = a_split(10_000, "button")
    rule["serve"]["split"]["layer"] = "page"
    await publish(client, rule, a_split(10_000, "other") | {"id": "later"})
    contexts = [{"targetingKey": f"u{number}"} for number in range(200)]

    preview = await preview_of(
        client,
        "layer",
        "page",
        configuration={"slices": [{"experiment": "button", "low": 0, "high": 5_000}]},
        contexts=contexts,
    )
    same = await preview_of(client, "layer", "page", contexts=contexts)

    # Whom the smaller slice leaves out, the next rule takes: another experiment, the same variant.
    assert preview["changed"] == 0
    assert preview["flags"] == [{"flag": "checkout", "changed": 0}]
    assert preview["experiments"] == ["button"]
    assert (same["changed"], same["experiments"], same["changes"]) == (0, [], [])


async def test_a_holdout_is_previewed_before_it_exists(client: httpx2.AsyncClient) -> None:
    await publish(client, a_split(10_000, "button"))
    contexts = [{"targetingKey": f"u{number}"} for number in range(200)]

    preview = await preview_of(
        client,
        "holdout",
        "quarter",
        configuration={"range": {"low": 0, "high": 2_500}},
        contexts=contexts,
    )
    missing = await client.post(f"{ENVIRONMENT}/holdouts/quarter/preview", json={})

    assert 20 < preview["changed"] < 80
    assert preview["experiments"] == ["button"]
    assert preview["contexts"][0].keys() == {"targeting_key", "flags"}
    assert (missing.status_code, missing.json()["code"]) == (404, "holdout_not_found")
    assert "give the configuration" in missing.json()["detail"]
    assert (await client.get(f"{ENVIRONMENT}/holdouts/quarter")).status_code == 404


async def test_units_of_recent_exposures_are_counted_for_a_segment(client: httpx2.AsyncClient) -> None:
    await make_part(client, "segment", "staff", include=["user-1"])
    await publish(client, {"id": "in", "condition": {"segment": "staff"}, "serve": {"variant": "on"}})
    exposure = {"kind": "exposure", "experiment": "e", "variant": "v", "at": "2026-01-01T00:00:00Z"}
    await client.post("/api/v1/events", json=[exposure | {"unit": f"user-{number}"} for number in range(3)])

    preview = await preview_of(client, "segment", "staff", configuration={"include": ["user-2"]})

    assert preview["recent"] == {"asked": 3, "changed": 2}
    assert preview["flags"] == [{"flag": "checkout", "changed": 2}]


async def test_a_part_that_could_not_be_published_has_no_preview(client: httpx2.AsyncClient) -> None:
    await make_part(client, "segment", "staff")

    answer = await client.post(
        f"{ENVIRONMENT}/segments/staff/preview",
        json={"configuration": {"condition": {"segment": "nobody"}}},
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "unpublishable")
