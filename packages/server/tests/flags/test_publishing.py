"""Drafts, publishing, history and the switch over HTTP."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx2
import psycopg
import pytest

from assay.core.config import Settings
from assay.core.database import Database
from assay.flags import part_repository
from assay.flags.repository import By
from assay.main import build_app
from assay.projects import service as projects
from support_app import borrowed, serving
from support_postgres import libpq_url

from .factories import (
    FLAGS,
    PRODUCTION,
    a_configuration,
    a_project,
    a_rollout,
    a_rule_for,
    at,
    draft,
    flags_of,
    make,
    publish,
)

pytestmark = pytest.mark.anyio


async def test_a_new_flag_is_not_served_and_its_draft_is_disabled(client: httpx2.AsyncClient) -> None:
    await make(client)

    state = (await client.get(at("checkout"))).json()

    assert state["published"] is None
    assert state["draft"] == {"enabled": False, "rules": [], "fallthrough": None, "off": "off"}
    assert (await client.get(f"{PRODUCTION}/ruleset")).json()["flags"] == []


async def test_a_draft_serves_nothing_until_it_is_published(client: httpx2.AsyncClient) -> None:
    await make(client)
    configuration = a_configuration(a_rule_for("pro"), a_rollout())

    drafted = await draft(client, "checkout", configuration)
    before = (await client.get(f"{PRODUCTION}/ruleset")).json()
    published = await publish(client)
    after = (await client.get(f"{PRODUCTION}/ruleset")).json()

    assert drafted.json()["draft"] == configuration
    assert drafted.json()["drafted_by"] == "local"
    assert before["flags"] == []
    assert published.json()["changes"] == []
    assert published.json()["drafted_by"] is None
    assert after["flags"] == [published.json()["published"]["document"]]
    assert "revision" not in before  # the datafile leaves zero out
    assert after["revision"] == published.json()["published"]["environment_revision"] == 1


async def test_the_difference_names_rules_by_their_id(client: httpx2.AsyncClient) -> None:
    await make(client)
    await publish(client, "checkout", a_configuration(a_rule_for("pro"), a_rule_for("free", rule="free")))

    drafted = await draft(
        client,
        "checkout",
        a_configuration(a_rollout(), a_rule_for("free", rule="free"), a_rule_for("team")),
    )

    values = ["rules", "beta", "condition", "values"]
    assert drafted.json()["changes"] == [
        {"kind": "changed", "path": values, "before": ["pro"], "after": ["team"]},
        {"kind": "added", "path": ["rules", "rollout"], "before": None, "after": a_rollout()},
        {
            "kind": "reordered",
            "path": ["rules"],
            "before": ["beta", "free"],
            "after": ["rollout", "free", "beta"],
        },
    ]


async def test_a_part_of_a_draft_can_change_alone(client: httpx2.AsyncClient) -> None:
    await make(client)
    drafted = await draft(client, "checkout", a_configuration(a_rule_for("pro")))

    changed = await client.patch(
        f"{at('checkout')}/draft",
        json={"enabled": False, "fallthrough": None},
        headers={"If-Match": drafted.headers["etag"]},
    )

    assert changed.json()["draft"] == {
        "enabled": False,
        "rules": [a_rule_for("pro")],
        "fallthrough": None,
        "off": "off",
    }


async def test_a_discarded_draft_leaves_what_is_served(client: httpx2.AsyncClient) -> None:
    await make(client)
    served = await publish(client, "checkout", a_configuration())
    drafted = await draft(client, "checkout", a_configuration(a_rule_for("pro")))

    discarded = await client.delete(f"{at('checkout')}/draft", headers={"If-Match": drafted.headers["etag"]})

    assert discarded.json()["draft"] == served.json()["draft"]
    assert discarded.json()["changes"] == []


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ({"id": "r", "serve": {"variant": "blue"}}, ["rule 'r'", "'blue'"]),
        (
            {"id": "r", "serve": {"variant": "on"}, "condition": {"segment": "staff"}},
            ["rule 'r'", "'staff'"],
        ),
        (
            {
                "id": "r",
                "serve": {"variant": "on"},
                "prerequisites": [{"flag": "missing", "variants": ["on"]}],
            },
            ["rule 'r'", "'missing'"],
        ),
        (
            {
                "id": "r",
                "serve": {"variant": "on"},
                "condition": {"attribute": "email", "operator": "matches", "values": ["(a+)+$"]},
            },
            ["rule 'r'", "(a+)+$"],
        ),
        (
            {
                "id": "r",
                "serve": {"split": {"salt": "s", "ranges": [{"low": 0, "high": 9, "variant": "on"}]}},
            },
            ["rule 'r'", "9"],
        ),
    ],
)
async def test_a_rule_that_fails_the_check_changes_nothing(
    client: httpx2.AsyncClient, rule: dict[str, Any], names: list[str]
) -> None:
    await make(client)
    await publish(client, "checkout", a_configuration())
    before = (await client.get(f"{PRODUCTION}/ruleset")).json()

    answer = await publish(client, "checkout", a_configuration(rule))

    assert (answer.status_code, answer.json()["code"]) == (422, "unpublishable")
    assert all(name in answer.json()["detail"] for name in names)
    assert (await client.get(f"{PRODUCTION}/ruleset")).json() == before
    revisions = (await client.get(f"{at('checkout')}/revisions")).json()["items"]
    assert [revision["number"] for revision in revisions] == [1]


async def test_every_problem_of_a_ruleset_is_listed(client: httpx2.AsyncClient) -> None:
    await make(client)
    wrong = a_configuration({"id": "r", "serve": {"variant": "blue"}}, off="gone")

    answer = await publish(client, "checkout", wrong)

    assert [(each["location"], each["message"]) for each in answer.json()["errors"]] == [
        (["flag 'checkout'"], "flag 'checkout' has no variant 'gone'"),
        (["flag 'checkout', rule 'r'"], "flag 'checkout' has no variant 'blue'"),
    ]
    assert "(and 1 more)" in answer.json()["detail"]


async def test_a_cycle_through_another_flag_is_refused(client: httpx2.AsyncClient) -> None:
    for key in ("one", "two"):
        await make(client, key)
        await publish(client, key, a_configuration())

    def needs(key: str) -> dict[str, Any]:
        return a_configuration(a_rule_for("pro") | {"prerequisites": [{"flag": key, "variants": ["on"]}]})

    first = await publish(client, "one", needs("two"))
    second = await publish(client, "two", needs("one"))

    assert first.status_code == 200
    assert (second.status_code, second.json()["code"]) == (422, "unpublishable")
    assert "leads back to itself" in second.json()["detail"]


@pytest.mark.parametrize(
    ("configuration", "place"),
    [
        ({"rules": [{"id": "r"}]}, "rules[0]"),
        ({"rules": [{"id": "r", "serve": {"variant": "on"}, "sreve": 1}]}, "'sreve'"),
        (
            {"rules": [{"id": "r", "serve": {"variant": "on"}, "schedule": {"starts_at": "tomorrow"}}]},
            "tomorrow",
        ),
        ({"fallthrough": {"variant": ""}}, "fallthrough"),
    ],
)
async def test_a_draft_of_another_form_is_refused_with_its_place(
    client: httpx2.AsyncClient, configuration: dict[str, Any], place: str
) -> None:
    await make(client)

    answer = await draft(client, "checkout", configuration)

    assert (answer.status_code, answer.json()["code"]) == (422, "malformed_flag")
    assert place in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "action", "body"),
    [
        ("PUT", "draft", {}),
        ("PATCH", "draft", {}),
        ("DELETE", "draft", None),
        ("POST", "draft/copy", {"environment": "production"}),
        ("POST", "publish", {}),
    ],
)
async def test_an_edit_needs_the_version_it_was_made_from(
    client: httpx2.AsyncClient, method: str, action: str, body: dict[str, Any] | None
) -> None:
    await make(client)
    old = (await client.get(at("checkout"))).headers["etag"]
    await publish(client, "checkout", a_configuration())

    blind = await client.request(method, f"{at('checkout')}/{action}", json=body)
    late = await client.request(method, f"{at('checkout')}/{action}", json=body, headers={"If-Match": old})

    assert (blind.status_code, blind.json()["code"]) == (428, "version_missing")
    assert (late.status_code, late.json()["code"]) == (412, "stale_version")


async def test_a_definition_changed_meanwhile_makes_a_publication_stale(
    client: httpx2.AsyncClient,
) -> None:
    made = await make(client)
    drafted = await draft(client, "checkout", a_configuration())
    await client.patch(f"{FLAGS}/checkout", json={"owner": "bob"}, headers={"If-Match": made["etag"]})

    answer = await client.post(
        f"{at('checkout')}/publish", json={}, headers={"If-Match": drafted.headers["etag"]}
    )

    assert answer.status_code == 412


async def test_what_is_served_already_is_not_published_again(client: httpx2.AsyncClient) -> None:
    await make(client)
    await publish(client, "checkout", a_configuration())

    answer = await publish(client)

    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_publish")


async def test_a_revert_restores_exactly(client: httpx2.AsyncClient) -> None:
    await make(client, type="float", variants={"on": 1e300, "off": 1.0})
    await publish(client, "checkout", a_configuration(a_rule_for("pro"), a_rollout()))
    first = await client.get(f"{PRODUCTION}/ruleset")
    flag = (await client.get(f"{FLAGS}/checkout")).json()
    await client.patch(
        f"{FLAGS}/checkout",
        json={"variants": {"off": 2.0, "on": 3.0}},
        headers={"If-Match": flag["etag"]},
    )
    await publish(client, "checkout", a_configuration())

    reverted = await client.post(f"{at('checkout')}/revert", json={"revision": 1, "note": "oops"})

    served = await client.get(f"{PRODUCTION}/ruleset")
    revision = reverted.json()["published"]
    assert (revision["number"], revision["action"], revision["note"]) == (3, "reverted", "oops")
    assert served.content.partition(b'"flags"')[2] == first.content.partition(b'"flags"')[2]


async def test_a_revert_to_what_does_not_fit_any_more_changes_nothing(client: httpx2.AsyncClient) -> None:
    segments = f"{PRODUCTION}/segments"
    staff = await client.post(segments, json={"key": "staff", "include": ["u1"]})
    await make(client)
    in_staff = {"id": "staff", "condition": {"segment": "staff"}, "serve": {"variant": "on"}}
    await publish(client, "checkout", a_configuration(in_staff))
    await publish(client, "checkout", a_configuration())
    deleted = await client.delete(f"{segments}/staff", headers={"If-Match": staff.headers["etag"]})

    answer = await client.post(f"{at('checkout')}/revert", json={"revision": 1})

    assert deleted.status_code == 204
    assert (answer.status_code, answer.json()["code"]) == (422, "unpublishable")
    assert "'staff'" in answer.json()["detail"]


async def test_revisions_are_listed_newest_first(client: httpx2.AsyncClient) -> None:
    await make(client)
    await publish(client, "checkout", a_configuration())
    await publish(client, "checkout", a_configuration(a_rule_for("pro")))

    newest = (await client.get(f"{at('checkout')}/revisions", params={"limit": 1})).json()
    older = await client.get(f"{at('checkout')}/revisions", params={"cursor": newest["next_cursor"]})
    first = await client.get(f"{at('checkout')}/revisions/1")
    none = await client.get(f"{at('checkout')}/revisions/9")
    named = await client.post(f"{at('checkout')}/revert", json={"revision": 9})

    assert [each["number"] for each in newest["items"]] == [2]
    assert [each["number"] for each in older.json()["items"]] == [1]
    assert first.json() == older.json()["items"][0]
    assert (none.status_code, none.json()["code"]) == (404, "revision_not_found")
    assert (named.status_code, named.json()["code"]) == (422, "unknown_revision")


async def test_the_switch_works_in_one_call_and_leaves_the_draft(client: httpx2.AsyncClient) -> None:
    await make(client)
    await publish(client, "checkout", a_configuration(a_rule_for("pro")))
    drafted = await draft(client, "checkout", a_configuration(a_rollout()))

    off = await client.post(f"{at('checkout')}/off", json={"note": "errors"})
    again = await client.post(f"{at('checkout')}/off", json={})
    on = await client.post(f"{at('checkout')}/on", json={})

    assert off.json()["published"]["document"]["enabled"] is False
    assert off.json()["published"]["document"]["rules"] == [a_rule_for("pro")]
    assert off.json()["draft"] == drafted.json()["draft"]
    assert again.json()["published"]["number"] == off.json()["published"]["number"] == 2
    assert "enabled" not in on.json()["published"]["document"]
    entry = (await client.get("/api/v1/projects/default/audit")).json()["items"][1]
    assert (entry["action"], entry["note"]) == ("flag.switched_off", "errors")
    assert entry["changes"] == [{"kind": "added", "path": ["enabled"], "before": None, "after": False}]


async def test_the_switch_works_though_something_else_is_broken(
    database: Database, client: httpx2.AsyncClient
) -> None:
    await make(client)
    await publish(client, "checkout", a_configuration(a_rule_for("pro")))
    async with database.writing() as tx:
        environment = await projects.get_environment(tx, "default", "production")
        broken = '{"id":"broken","condition":{"segment":"gone"}}'
        await part_repository.put_parts(
            tx,
            environment.id,
            {("segment", "broken"): broken},
            environment_revision=1,
            action="imported",
            by=By("local", datetime.now(UTC)),
        )

    refused = await publish(client, "checkout", a_configuration())
    off = await client.post(f"{at('checkout')}/off", json={})

    assert refused.json()["code"] == "unpublishable"
    assert off.json()["published"]["document"]["enabled"] is False


async def test_a_flag_that_was_never_published_cannot_be_switched(client: httpx2.AsyncClient) -> None:
    await make(client)

    answer = await client.post(f"{at('checkout')}/on", json={})

    assert (answer.status_code, answer.json()["code"]) == (409, "not_published")


async def test_environments_serve_different_things(client: httpx2.AsyncClient) -> None:
    await client.post("/api/v1/projects/default/environments", json={"key": "staging", "name": "Staging"})
    await make(client)
    await publish(client, "checkout", a_configuration(a_rule_for("pro")), "staging")
    read = await client.get(at("checkout"))

    copied = await client.post(
        f"{at('checkout')}/draft/copy",
        json={"environment": "staging"},
        headers={"If-Match": read.headers["etag"]},
    )

    assert copied.json()["published"] is None
    assert copied.json()["draft"] == a_configuration(a_rule_for("pro"))


async def test_of_two_editors_one_is_told(settings: Settings, committing_database: Database) -> None:
    app = build_app(settings, lambda: borrowed(committing_database))
    async with serving(app) as client:
        project = await a_project(client)
        place = at("checkout", project=project)
        await make(client, project=project)
        tag = (await client.get(place)).headers["etag"]
        drafts = [a_configuration(a_rule_for(plan)) for plan in ("pro", "free")]
        answers = await asyncio.gather(
            *(client.put(f"{place}/draft", json=each, headers={"If-Match": tag}) for each in drafts)
        )
        state = (await client.get(place)).json()

    winner = next(answer for answer in answers if answer.status_code == 200)
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    assert state["draft"] == winner.json()["draft"]


@pytest.mark.parametrize("attempt", range(5))
async def test_changes_at_once_cannot_together_break_what_each_keeps(
    settings: Settings, committing_database: Database, attempt: int
) -> None:
    app = build_app(settings, lambda: borrowed(committing_database))
    rule = a_rule_for("pro") | {"prerequisites": [{"flag": "base", "variants": ["on"]}]}
    async with serving(app) as client:
        project = await a_project(client)
        for key in ("base", "needy"):
            await make(client, key, project)
            await publish(client, key, a_configuration(), project=project)
        await draft(client, "needy", a_configuration(rule), project=project)
        tag = (await client.get(at("needy", project=project))).headers["etag"]

        async def archive() -> int:
            await asyncio.sleep(attempt / 200)
            return (await client.post(f"{flags_of(project)}/base/archive")).status_code

        archived, published = await asyncio.gather(
            archive(),
            client.post(f"{at('needy', project=project)}/publish", json={}, headers={"If-Match": tag}),
        )

    # Whichever came first made the other impossible.
    assert (archived, published.status_code) in {(200, 422), (409, 200)}


async def test_each_publication_has_a_revision_of_its_own(
    settings: Settings, committing_database: Database
) -> None:
    app = build_app(settings, lambda: borrowed(committing_database))
    keys = [f"flag-{number}" for number in range(6)]
    async with serving(app) as client:
        project = await a_project(client)
        for key in keys:
            await make(client, key, project)
        answers = await asyncio.gather(
            *(publish(client, key, a_configuration(), project=project) for key in keys)
        )

    revisions = [answer.json()["published"]["environment_revision"] for answer in answers]
    assert sorted(revisions) == list(range(1, len(keys) + 1))


async def test_a_revision_is_announced_once_it_is_committed(
    settings: Settings, own_database_url: str, committing_database: Database
) -> None:
    app = build_app(settings, lambda: borrowed(committing_database))
    listener = await psycopg.AsyncConnection.connect(libpq_url(own_database_url), autocommit=True)
    await listener.execute("LISTEN assay_revision")

    async with serving(app) as client:
        project = await a_project(client)
        await make(client, project=project)
        refused = await publish(client, "checkout", a_configuration(off="gone"), project=project)
        await publish(client, "checkout", a_configuration(), project=project)
    heard = [notice.payload async for notice in listener.notifies(timeout=5, stop_after=1)]
    await listener.close()
    async with committing_database.reading() as tx:
        environment = await projects.get_environment(tx, project, "production")

    assert refused.status_code == 422
    assert heard == [f"{environment.id}:1"]
