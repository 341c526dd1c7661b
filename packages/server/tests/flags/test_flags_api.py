"""Flags over HTTP: what they are everywhere."""

from typing import Any

import httpx2
import pytest

from .factories import FLAGS, PRODUCTION, a_configuration, a_rule_for, at, make, publish

pytestmark = pytest.mark.anyio


async def test_a_flag_is_read_as_it_was_made(client: httpx2.AsyncClient) -> None:
    variants = {"zebra": 1e300, "apple": 1.0, "middle": -0.5}

    made = await make(client, "price", type="float", variants=variants, tags=["shop"], owner="ann")

    read = (await client.get(f"{FLAGS}/price")).json()
    assert read == made
    assert list(read["variants"].items()) == list(variants.items())
    assert (read["tags"], read["owner"], read["archived_at"]) == (["shop"], "ann", None)


async def test_a_boolean_flag_needs_no_variants(client: httpx2.AsyncClient) -> None:
    assert (await make(client))["variants"] == {"on": True, "off": False}


@pytest.mark.parametrize(
    ("parts", "value"),
    [
        ({"type": "string"}, "variants"),
        ({"type": "integer", "variants": {"a": 1.5}}, "1.5"),
        ({"type": "boolean", "variants": {"a": "yes"}}, '"yes"'),
        ({"type": "json", "variants": {"a": 1}}, "1"),
        ({"variants": {"": True}}, "variants"),
        ({"variants": {"a\x00": True}}, "NUL"),
        ({"metadata": {"owner": {"name": "ann"}}}, "ann"),
        ({"key": "a..b"}, "a..b"),
        ({"key": "a/b"}, "key"),
        ({"key": "Checkout"}, "key"),
    ],
)
async def test_a_flag_that_cannot_be_is_refused_with_the_value(
    client: httpx2.AsyncClient, parts: dict[str, Any], value: str
) -> None:
    answer = await client.post(FLAGS, json={"key": "checkout"} | parts)

    assert answer.status_code == 422
    assert value in answer.json()["detail"]


async def test_a_key_can_be_taken_only_once(client: httpx2.AsyncClient) -> None:
    await make(client)

    again = await client.post(FLAGS, json={"key": "checkout"})

    assert (again.status_code, again.json()["code"]) == (409, "flag_key_taken")


async def test_a_change_needs_the_version_it_was_made_from(client: httpx2.AsyncClient) -> None:
    made = await make(client)
    change = {"owner": "bob"}

    blind = await client.patch(f"{FLAGS}/checkout", json=change)
    first = await client.patch(f"{FLAGS}/checkout", json=change, headers={"If-Match": made["etag"]})
    late = await client.patch(f"{FLAGS}/checkout", json=change, headers={"If-Match": made["etag"]})

    assert (blind.status_code, blind.json()["code"]) == (428, "version_missing")
    assert (first.status_code, first.json()["owner"]) == (200, "bob")
    assert (late.status_code, late.json()["code"]) == (412, "stale_version")
    assert first.headers["etag"] == first.json()["etag"] != made["etag"]


async def test_a_tag_weakened_by_a_proxy_still_matches(client: httpx2.AsyncClient) -> None:
    made = await make(client)

    answer = await client.patch(
        f"{FLAGS}/checkout", json={"tags": ["a"]}, headers={"If-Match": f"W/{made['etag']}"}
    )

    assert answer.status_code == 200


async def test_a_change_of_variants_waits_for_the_next_publication(client: httpx2.AsyncClient) -> None:
    await make(client, type="string", variants={"off": "old", "on": "new"})
    await publish(client, "checkout", a_configuration())
    flag = (await client.get(f"{FLAGS}/checkout")).json()

    await client.patch(
        f"{FLAGS}/checkout",
        json={"variants": {"off": "OLD", "on": "new"}},
        headers={"If-Match": flag["etag"]},
    )

    state = (await client.get(at("checkout"))).json()
    assert state["published"]["document"]["variants"]["off"] == "old"
    assert state["changes"] == [
        {"kind": "changed", "path": ["variants", "off"], "before": "old", "after": "OLD"}
    ]


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("check", ["new_checkout", "checkout.v2"]),
        ("CHECKOUT v2", ["checkout.v2"]),
        ("ann", ["basket"]),
        ("über", ["basket"]),
        ("eck", []),
        ("' | !& :* \\", []),
        ("v2 & !basket", []),
    ],
)
async def test_flags_are_found_by_the_beginnings_of_words(
    client: httpx2.AsyncClient, query: str, keys: list[str]
) -> None:
    await make(client, "new_checkout")
    await make(client, "checkout.v2", tags=["shop", "beta"])
    await make(client, "basket", owner="Ann", description="Überarbeitet", tags=["shop"])

    found = await client.get(FLAGS, params={"search": query})

    assert [flag["key"] for flag in found.json()["items"]] == keys


async def test_search_follows_a_change(client: httpx2.AsyncClient) -> None:
    made = await make(client, description="payment")
    await client.patch(
        f"{FLAGS}/checkout", json={"description": "delivery"}, headers={"If-Match": made["etag"]}
    )

    old = await client.get(FLAGS, params={"search": "payment"})
    new = await client.get(FLAGS, params={"search": "deliv"})

    assert (len(old.json()["items"]), len(new.json()["items"])) == (0, 1)


async def test_flags_are_listed_by_tag_page_by_page(client: httpx2.AsyncClient) -> None:
    for number in range(5):
        await make(client, f"flag-{number}", tags=["shop"] if number % 2 == 0 else [])

    first = (await client.get(FLAGS, params={"tag": "shop", "limit": 2})).json()
    rest = (await client.get(FLAGS, params={"tag": "shop", "cursor": first["next_cursor"]})).json()

    assert [flag["key"] for flag in first["items"] + rest["items"]] == ["flag-0", "flag-2", "flag-4"]
    assert rest["next_cursor"] is None


async def test_an_archived_flag_is_served_nowhere_and_comes_back_as_it_was(
    client: httpx2.AsyncClient,
) -> None:
    await make(client)
    await publish(client, "checkout", a_configuration(a_rule_for("pro")))
    served = (await client.get(f"{PRODUCTION}/ruleset")).json()

    archived = await client.post(f"{FLAGS}/checkout/archive")
    without = (await client.get(f"{PRODUCTION}/ruleset")).json()
    listed = (await client.get(FLAGS)).json()["items"]
    await client.post(f"{FLAGS}/checkout/unarchive")
    again = (await client.get(f"{PRODUCTION}/ruleset")).json()

    assert archived.json()["archived_at"] is not None
    assert (without["flags"], listed) == ([], [])
    assert again["flags"] == served["flags"] != []
    assert served["revision"] < without["revision"] < again["revision"]


async def test_an_archived_flag_does_not_change(client: httpx2.AsyncClient) -> None:
    await make(client)
    await publish(client, "checkout", a_configuration())
    await client.post(f"{FLAGS}/checkout/archive")

    switched = await client.post(f"{at('checkout')}/off", json={})

    assert (switched.status_code, switched.json()["code"]) == (409, "flag_is_archived")


async def test_a_flag_that_others_need_is_not_archived(client: httpx2.AsyncClient) -> None:
    await make(client, "base")
    await make(client, "needy")
    await publish(client, "base", a_configuration())
    rule = a_rule_for("pro") | {"prerequisites": [{"flag": "base", "variants": ["on"]}]}
    await publish(client, "needy", a_configuration(rule))

    answer = await client.post(f"{FLAGS}/base/archive")

    assert (answer.status_code, answer.json()["code"]) == (409, "flag_in_use")
    assert "flag 'needy', rule 'beta'" in answer.json()["detail"]
    assert (await client.get(f"{FLAGS}/base")).json()["archived_at"] is None


async def test_only_a_flag_that_was_never_published_is_deleted(client: httpx2.AsyncClient) -> None:
    made = await make(client, "draft-only")
    await make(client, "served")
    await publish(client, "served", a_configuration())
    served = (await client.get(f"{FLAGS}/served")).json()

    gone = await client.delete(f"{FLAGS}/draft-only", headers={"If-Match": made["etag"]})
    kept = await client.delete(f"{FLAGS}/served", headers={"If-Match": served["etag"]})

    assert gone.status_code == 204
    assert (await client.get(f"{FLAGS}/draft-only")).json()["code"] == "flag_not_found"
    assert (kept.status_code, kept.json()["code"]) == (409, "flag_in_use")
