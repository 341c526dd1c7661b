"""Layers and holdouts over HTTP, and drafts of them and of segments."""

from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from .factories import PRODUCTION, a_configuration, a_rollout, a_rule_for, draft, make, publish

pytestmark = pytest.mark.anyio

SEGMENT: Mapping[str, Any] = {"key": "staff", "include": ["u1"]}
LAYER: Mapping[str, Any] = {
    "key": "checkout",
    "slices": [{"experiment": "buttons", "low": 0, "high": 5_000}],
}
HOLDOUT: Mapping[str, Any] = {"key": "quarter", "range": {"low": 0, "high": 500}}
BODIES = {"segments": SEGMENT, "layers": LAYER, "holdouts": HOLDOUT}
EDITS: Mapping[str, Mapping[str, Any]] = {
    "segments": {"include": ["u2"]},
    "layers": {"slices": [{"experiment": "prices", "low": 0, "high": 10_000}]},
    "holdouts": {"range": {"low": 0, "high": 900}},
}
each_kind = pytest.mark.parametrize("kind", list(BODIES))
salted_kinds = pytest.mark.parametrize("kind", ["layers", "holdouts"])
IN_THE_LAYER = a_rollout(5_000, experiment="buttons", layer="checkout")
EXPERIMENT = a_rollout(5_000, experiment="buttons")


async def a_part(client: httpx2.AsyncClient, kind: str, environment: str = PRODUCTION, **parts: Any) -> str:
    """The address of a new part."""
    answer = await client.post(f"{environment}/{kind}", json={**BODIES[kind], **parts})
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


async def tag_of(client: httpx2.AsyncClient, address: str) -> dict[str, str]:
    """The header that says the newest version was read."""
    return {"If-Match": (await client.get(address)).headers["etag"]}


async def drafted(client: httpx2.AsyncClient, kind: str, address: str) -> httpx2.Response:
    """The answer to a draft with the kind's edit."""
    answer = await client.patch(f"{address}/draft", json=EDITS[kind], headers=await tag_of(client, address))
    assert answer.status_code == 200, answer.text
    return answer


async def served(client: httpx2.AsyncClient, kind: str) -> list[dict[str, Any]]:
    """The parts of a kind that production serves."""
    return (await client.get(f"{PRODUCTION}/ruleset")).json().get(kind, [])


async def another_environment(client: httpx2.AsyncClient) -> str:
    """The address of an environment beside production."""
    made = await client.post("/api/v1/projects/default/environments", json={"key": "staging", "name": "S"})
    assert made.status_code == 201, made.text
    return "/api/v1/projects/default/environments/staging"


@salted_kinds
async def test_a_new_part_is_salted_with_its_key_and_served(client: httpx2.AsyncClient, kind: str) -> None:
    address = await a_part(client, kind, description="why")

    read = (await client.get(address)).json()

    assert (read["bucketing"], read["description"]) == ({"salt": BODIES[kind]["key"]}, "why")
    assert [each["id"] for each in await served(client, kind)] == [BODIES[kind]["key"]]


async def test_a_part_keeps_the_bucketing_it_is_given(client: httpx2.AsyncClient) -> None:
    bucketing = {"bucketer": "statsig", "salt": "old", "unit": "company", "total": 1_000}

    address = await a_part(client, "layers", bucketing=bucketing, slices=[])

    assert (await client.get(address)).json()["bucketing"] == bucketing


@each_kind
async def test_a_change_is_served_at_once_and_logged(client: httpx2.AsyncClient, kind: str) -> None:
    address = await a_part(client, kind)
    before = (await client.get(f"{PRODUCTION}/ruleset")).json()["revision"]

    changed = await client.patch(address, json=EDITS[kind], headers=await tag_of(client, address))

    assert changed.json() == (await client.get(address)).json()
    (now,) = await served(client, kind)
    assert now.items() >= EDITS[kind].items()
    assert (await client.get(f"{PRODUCTION}/ruleset")).json()["revision"] == before + 1
    entry = (await client.get("/api/v1/projects/default/audit")).json()["items"][0]
    assert (entry["action"], entry["changes"][0]["path"][0]) == (
        f"{kind[:-1]}.updated",
        next(iter(EDITS[kind])),
    )
    assert entry["subject"] == f"environments/production/{kind}/{BODIES[kind]['key']}"


@each_kind
async def test_a_changed_description_is_no_revision(client: httpx2.AsyncClient, kind: str) -> None:
    address = await a_part(client, kind)

    changed = await client.patch(address, json={"description": "new"}, headers=await tag_of(client, address))

    assert changed.json()["description"] == "new"
    assert (await client.get(f"{address}/draft")).json()["published"]["number"] == 1


@salted_kinds
async def test_changes_need_the_version_they_were_made_from(client: httpx2.AsyncClient, kind: str) -> None:
    address = await a_part(client, kind)
    old = await tag_of(client, address)
    await client.patch(address, json=EDITS[kind], headers=old)

    answers = [
        await client.patch(address, json={"description": "x"}),
        await client.patch(address, json={"description": "x"}, headers=old),
        await client.put(f"{address}/draft", json=EDITS[kind], headers=old),
        await client.post(f"{address}/publish", json={}, headers=old),
        await client.delete(address, headers=old),
    ]

    assert [answer.status_code for answer in answers] == [428, 412, 412, 412, 412]


@pytest.mark.parametrize(
    ("kind", "parts", "code"),
    [
        ("layers", {"slices": [{"experiment": "a", "low": 0, "high": 10_001}]}, "unpublishable"),
        (
            "layers",
            {
                "slices": [
                    {"experiment": "a", "low": 0, "high": 600},
                    {"experiment": "b", "low": 500, "high": 900},
                ]
            },
            "unpublishable",
        ),
        ("layers", {"bucketing": {"bucketer": "gb2"}}, "unpublishable"),
        ("layers", {"bucketing": {"bucketer": "md5"}}, "malformed_flag"),
        ("layers", {"slices": [{"experiment": "a", "low": 0}]}, "malformed_flag"),
        ("holdouts", {"range": None}, "malformed_flag"),
        ("holdouts", {"range": {"low": 900, "high": 1}}, "unpublishable"),
        ("holdouts", {"bucketing": {"salt": 1}}, "malformed_flag"),
        ("holdouts", {"experiments": [""]}, "malformed_flag"),
    ],
)
async def test_a_part_that_fails_the_check_is_refused(
    client: httpx2.AsyncClient, kind: str, parts: dict[str, Any], code: str
) -> None:
    answer = await client.post(f"{PRODUCTION}/{kind}", json={**BODIES[kind], **parts})

    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert await served(client, kind) == []


@salted_kinds
async def test_keys_are_taken_once_listed_in_order_and_missing_by_name(
    client: httpx2.AsyncClient, kind: str
) -> None:
    for key in ("c", "a", "b"):
        await a_part(client, kind, key=key)

    again = await client.post(f"{PRODUCTION}/{kind}", json={**BODIES[kind], "key": "a"})
    first = (await client.get(f"{PRODUCTION}/{kind}", params={"limit": 2})).json()
    rest = (await client.get(f"{PRODUCTION}/{kind}", params={"cursor": first["next_cursor"]})).json()
    none = await client.get(f"{PRODUCTION}/{kind}/none")

    assert (again.status_code, again.json()["code"]) == (409, f"{kind[:-1]}_key_taken")
    assert [each["key"] for each in first["items"] + rest["items"]] == ["a", "b", "c"]
    assert (none.status_code, none.json()["code"]) == (404, f"{kind[:-1]}_not_found")


async def test_a_layer_that_a_flag_splits_in_is_not_deleted(client: httpx2.AsyncClient) -> None:
    address = await a_part(client, "layers")
    await make(client)
    await publish(client, "checkout", a_configuration(IN_THE_LAYER))

    refused = await client.delete(address, headers=await tag_of(client, address))

    assert (refused.status_code, refused.json()["code"]) == (409, "layer_in_use")
    assert "flag 'checkout', rule 'rollout': no layer 'checkout'" in refused.json()["detail"]
    assert (await client.get(address)).status_code == 200


async def test_a_slice_that_a_flag_uses_is_not_taken_away(client: httpx2.AsyncClient) -> None:
    address = await a_part(client, "layers")
    await make(client)
    await publish(client, "checkout", a_configuration(IN_THE_LAYER))

    refused = await client.patch(address, json={"slices": []}, headers=await tag_of(client, address))

    assert (refused.status_code, refused.json()["code"]) == (422, "unpublishable")
    assert "no slice for experiment 'buttons'" in refused.json()["detail"]


async def test_a_layer_that_a_draft_names_is_not_deleted(client: httpx2.AsyncClient) -> None:
    address = await a_part(client, "layers")
    await make(client)
    await draft(client, "checkout", a_configuration(IN_THE_LAYER))

    refused = await client.delete(address, headers=await tag_of(client, address))

    assert refused.json()["errors"] == [
        {"location": ["draft of flag 'checkout'"], "message": "it names layer 'checkout'"}
    ]


@pytest.mark.parametrize("scope", [None, ["buttons", "prices"]])
async def test_a_holdout_of_a_running_experiment_is_narrowed_before_it_goes(
    client: httpx2.AsyncClient, scope: list[str] | None
) -> None:
    address = await a_part(client, "holdouts", experiments=scope)
    await make(client)
    await publish(client, "checkout", a_configuration(EXPERIMENT))

    refused = await client.delete(address, headers=await tag_of(client, address))
    narrowed = await client.patch(address, json={"experiments": []}, headers=await tag_of(client, address))
    gone = await client.delete(address, headers={"If-Match": narrowed.headers["etag"]})

    assert (refused.status_code, refused.json()["code"]) == (409, "holdout_in_use")
    assert "flag 'checkout': it runs experiment 'buttons'" in refused.json()["detail"]
    assert "`experiments: []`" in refused.json()["detail"]
    assert gone.status_code == 204


@each_kind
async def test_a_part_that_nothing_needs_is_deleted_and_may_come_again(
    client: httpx2.AsyncClient, kind: str
) -> None:
    address = await a_part(client, kind)
    await drafted(client, kind, address)

    gone = await client.delete(address, headers=await tag_of(client, address))
    await a_part(client, kind)

    assert gone.status_code == 204
    assert (await client.get(f"{address}/draft")).json()["published"]["number"] == 1


@each_kind
async def test_a_draft_changes_nothing_before_it_is_published(client: httpx2.AsyncClient, kind: str) -> None:
    address = await a_part(client, kind)
    before = (await client.get(f"{PRODUCTION}/ruleset")).json()

    state = (await drafted(client, kind, address)).json()

    field = next(iter(EDITS[kind]))
    assert state["draft"][field] == EDITS[kind][field]
    assert state["changes"][0]["path"][0] == field
    assert (state["drafted_by"], state["published"]["number"]) == ("local", 1)
    assert (await client.get(f"{PRODUCTION}/ruleset")).json() == before


@each_kind
async def test_a_published_draft_is_served_and_reverted_exactly(
    client: httpx2.AsyncClient, kind: str
) -> None:
    address = await a_part(client, kind)
    first = await served(client, kind)
    etag = (await drafted(client, kind, address)).headers["etag"]

    published = await client.post(f"{address}/publish", json={"note": "go"}, headers={"If-Match": etag})
    second = await served(client, kind)
    reverted = await client.post(f"{address}/revert", json={"revision": 1, "note": "no"})

    assert (published.json()["changes"], published.json()["drafted_at"]) == ([], None)
    assert second != first
    assert await served(client, kind) == first
    assert reverted.json()["published"]["document"] == first[0]
    numbers = (await client.get(f"{address}/revisions")).json()["items"]
    assert [(each["number"], each["action"], each["note"]) for each in numbers] == [
        (3, "reverted", "no"),
        (2, "published", "go"),
        (1, "created", ""),
    ]
    assert (await client.get(f"{address}/revisions/2")).json()["document"] == second[0]


@each_kind
async def test_what_is_served_already_is_not_published_again(client: httpx2.AsyncClient, kind: str) -> None:
    address = await a_part(client, kind)

    same = await client.post(f"{address}/publish", json={}, headers=await tag_of(client, address))
    back = await client.post(f"{address}/revert", json={"revision": 1})
    gone = await client.post(f"{address}/revert", json={"revision": 9})

    assert (same.json()["code"], back.json()["code"]) == ("nothing_to_publish", "nothing_to_publish")
    assert (gone.status_code, gone.json()["code"]) == (422, "unknown_revision")


@each_kind
async def test_a_discarded_draft_is_what_is_served(client: httpx2.AsyncClient, kind: str) -> None:
    address = await a_part(client, kind)
    before = (await client.get(f"{address}/draft")).json()
    etag = (await drafted(client, kind, address)).headers["etag"]

    after = (await client.delete(f"{address}/draft", headers={"If-Match": etag})).json()

    assert (after["draft"], after["changes"], after["drafted_by"]) == (before["draft"], [], None)


@each_kind
async def test_a_draft_is_copied_from_another_environment(client: httpx2.AsyncClient, kind: str) -> None:
    staging = await another_environment(client)
    await a_part(client, kind, staging, **EDITS[kind])
    address = await a_part(client, kind)

    copied = await client.post(
        f"{address}/draft/copy", json={"environment": "staging"}, headers=await tag_of(client, address)
    )
    other = await a_part(client, kind, key="alone")
    missing = await client.post(
        f"{other}/draft/copy", json={"environment": "staging"}, headers=await tag_of(client, other)
    )

    field = next(iter(EDITS[kind]))
    assert copied.json()["draft"][field] == EDITS[kind][field]
    assert (missing.status_code, missing.json()["code"]) == (409, "not_published")


async def test_a_draft_is_checked_with_the_flags_that_use_it(client: httpx2.AsyncClient) -> None:
    address = await a_part(client, "segments")
    await make(client)
    await make(client, "other")
    by_flag = {"flag": "checkout", "variants": ["on"]}
    in_staff = {"id": "staff", "condition": {"segment": "staff"}, "serve": {"variant": "on"}}
    await publish(client, "checkout", a_configuration(in_staff))
    circular = await client.put(
        f"{address}/draft", json={"condition": by_flag}, headers=await tag_of(client, address)
    )

    refused = await client.post(f"{address}/publish", json={}, headers={"If-Match": circular.headers["etag"]})

    assert circular.status_code == 200
    assert (refused.status_code, refused.json()["code"]) == (422, "unpublishable")
    assert "leads back to itself" in refused.json()["detail"]
    assert await served(client, "segments") == [{"id": "staff", "include": ["u1"]}]


async def test_a_segment_that_a_segments_draft_names_is_not_deleted(client: httpx2.AsyncClient) -> None:
    staff = await a_part(client, "segments")
    beta = await a_part(client, "segments", key="beta")
    await client.put(
        f"{beta}/draft", json={"condition": {"segment": "staff"}}, headers=await tag_of(client, beta)
    )

    refused = await client.delete(staff, headers=await tag_of(client, staff))

    assert refused.json()["errors"] == [
        {"location": ["draft of segment 'beta'"], "message": "it names segment 'staff'"}
    ]


async def test_a_draft_stays_when_the_segment_is_changed_or_imported(client: httpx2.AsyncClient) -> None:
    address = await a_part(client, "segments")
    await drafted(client, "segments", address)
    datafile = {"format": "assay/1", "segments": [{"id": "staff", "include": ["u7"]}]}
    original = (await client.get(f"{PRODUCTION}/ruleset")).json()

    imported = await client.post(f"{PRODUCTION}/ruleset", json={**original, "segments": datafile["segments"]})

    state = (await client.get(f"{address}/draft")).json()
    assert imported.json()["changed"] == 1
    assert (state["published"]["number"], state["published"]["action"]) == (2, "imported")
    assert (state["published"]["document"]["include"], state["draft"]["include"]) == (["u7"], ["u2"])


async def test_an_imported_layer_whose_key_has_no_address_is_refused(client: httpx2.AsyncClient) -> None:
    original = (await client.get(f"{PRODUCTION}/ruleset")).json()
    layer = {"id": "Upper@Case", "bucketing": {"salt": "s"}}

    refused = await client.post(f"{PRODUCTION}/ruleset", json={**original, "layers": [layer]})

    assert (refused.status_code, refused.json()["code"]) == (422, "malformed_flag")
    assert "Upper@Case" in refused.json()["detail"]


async def test_a_draft_not_of_the_format_is_refused(client: httpx2.AsyncClient) -> None:
    address = await a_part(client, "segments")
    condition = a_rule_for("pro")["condition"] | {"operator": "is"}

    refused = await client.put(
        f"{address}/draft", json={"condition": condition}, headers=await tag_of(client, address)
    )

    assert (refused.status_code, refused.json()["code"]) == (422, "malformed_flag")
