"""Many flags at once: import, export, clone, and the round trip of whatever the engine can say."""

import json
import random
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from assay.core.database import Database, ReadSession, WriteSession
from assay.flags import documents, drafts, references, service
from assay.flags.errors import MalformedFlag
from assay.flags.repository import By
from assay.flags.schemas import FlagCreate
from assay.projects import service as projects
from assay_engine import Flag, FlagType, Ruleset, dumps, loads
from assay_engine.model import Bucketing, ServeVariant, Split, SplitRange, Variant
from assay_engine.testing import random_ruleset

from .factories import FLAGS, PRODUCTION, a_configuration, a_rollout, a_rule_for, at, make, publish

pytestmark = pytest.mark.anyio
# Each example rolls its transaction back, so that one fixture may serve them all.
ON_THE_DATABASE = hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
BY = By("local", datetime(2026, 1, 1, tzinfo=UTC))


def boolean(key: str, **parts: object) -> Flag:
    variants = (Variant("on", value=True), Variant("off", value=False))
    return Flag(key, FlagType.BOOLEAN, variants, **{"fallthrough": ServeVariant("on")} | parts)  # pyright: ignore[reportArgumentType]  # parts of any kind


def as_json(ruleset: Ruleset) -> dict[str, Any]:
    return json.loads(dumps(ruleset))


async def served(tx: ReadSession) -> Ruleset:
    environment = await projects.get_environment(tx, "default", "production")
    return await service.published_ruleset(tx, environment.id)


async def put(tx: WriteSession, ruleset: Ruleset) -> int:
    return (await service.put_published(tx, "default", "production", ruleset, by=BY)).changed


@ON_THE_DATABASE
@given(seed=st.integers(0, 2**32))
async def test_whatever_is_imported_is_served_unchanged(database: Database, seed: int) -> None:
    ruleset = random_ruleset(random.Random(seed))

    async with database.writing() as tx:
        await put(tx, ruleset)
        found = await served(tx)
        await tx.rollback()

    expected = Ruleset(
        flags=tuple(sorted(ruleset.flags, key=lambda flag: flag.key)),
        segments=tuple(sorted(ruleset.segments, key=lambda segment: segment.id)),
        layers=tuple(sorted(ruleset.layers, key=lambda layer: layer.id)),
        holdouts=tuple(sorted(ruleset.holdouts, key=lambda holdout: holdout.id)),
        environment="production",
        revision=found.revision,
    )
    assert dumps(found) == dumps(expected)
    assert loads(dumps(found)) == found


async def test_an_import_of_the_same_changes_nothing(client: httpx2.AsyncClient) -> None:
    datafile = dumps(Ruleset(flags=(boolean("a"), boolean("b"))))

    first = await client.post(f"{PRODUCTION}/ruleset", content=datafile)
    second = await client.post(f"{PRODUCTION}/ruleset", content=datafile)

    assert first.json() == {"revision": 1, "changed": 2}
    assert second.json() == {"revision": 1, "changed": 0}


async def test_an_import_leaves_other_flags_and_keeps_history(client: httpx2.AsyncClient) -> None:
    await make(client)
    await publish(client, "checkout", a_configuration())

    await client.post(f"{PRODUCTION}/ruleset", content=dumps(Ruleset(flags=(boolean("new"),))))
    changed = dumps(Ruleset(flags=(boolean("new", enabled=False),)))
    await client.post(f"{PRODUCTION}/ruleset", content=changed)

    exported = (await client.get(f"{PRODUCTION}/ruleset")).json()
    history = (await client.get(f"{at('new')}/revisions")).json()["items"]
    assert [flag["key"] for flag in exported["flags"]] == ["checkout", "new"]
    assert [(each["number"], each["action"]) for each in history] == [(2, "imported"), (1, "imported")]


async def test_what_was_exported_can_be_imported_elsewhere(client: httpx2.AsyncClient) -> None:
    await client.post(f"{PRODUCTION}/segments", json={"key": "staff", "include": ["u1"]})
    await make(client)
    await publish(client, "checkout", a_configuration(a_rule_for("pro"), a_rollout()))
    exported = await client.get(f"{PRODUCTION}/ruleset")
    await client.post("/api/v1/projects", json={"key": "other", "name": "Other"})
    elsewhere = "/api/v1/projects/other/environments/production/ruleset"

    await client.post(elsewhere, content=exported.content)

    imported = (await client.get(elsewhere)).json()
    assert {**imported, "revision": 0} == {**exported.json(), "revision": 0}


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ((boolean("ok"), boolean("bad", off="gone")), "unpublishable"),
        ((boolean("ok"), boolean("Camel")), "malformed_flag"),
        ((boolean("ok"), Flag("taken", FlagType.STRING, (Variant("a", "x"),))), "malformed_flag"),
        ((boolean("ok"), boolean("archived")), "flag_is_archived"),
    ],
)
async def test_an_import_with_one_wrong_flag_changes_nothing(
    client: httpx2.AsyncClient, flags: tuple[Flag, ...], code: str
) -> None:
    await make(client, "taken")
    await make(client, "archived")
    await client.post(f"{FLAGS}/archived/archive")

    answer = await client.post(f"{PRODUCTION}/ruleset", content=dumps(Ruleset(flags=flags)))

    assert answer.json()["code"] == code
    assert (await client.get(f"{FLAGS}/ok")).status_code == 404
    assert (await client.get(f"{PRODUCTION}/ruleset")).json()["flags"] == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"format":"other"}', b"\xff"])
async def test_a_body_that_is_no_datafile_is_refused(client: httpx2.AsyncClient, body: bytes) -> None:
    answer = await client.post(f"{PRODUCTION}/ruleset", content=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "malformed_flag")


async def test_five_thousand_flags_are_published_and_served_whole(database: Database) -> None:
    ruleset = Ruleset(flags=tuple(boolean(f"flag-{number:04}") for number in range(5_000)))

    async with database.writing() as tx:
        changed = await put(tx, ruleset)
        found = await served(tx)

    assert changed == 5_000
    assert found.flags == ruleset.flags


async def test_an_environment_is_cloned_whole(client: httpx2.AsyncClient) -> None:
    await client.post("/api/v1/projects/default/environments", json={"key": "staging", "name": "S"})
    await client.post(f"{PRODUCTION}/segments", json={"key": "staff", "include": ["u1"]})
    for key in ("one", "two"):
        await make(client, key)
        await publish(client, key, a_configuration(a_rule_for("pro")))
    staging = "/api/v1/projects/default/environments/staging"

    cloned = await client.post(f"{staging}/clone", json={"environment": "production"})

    source, target = [(await client.get(f"{each}/ruleset")).json() for each in (PRODUCTION, staging)]
    assert cloned.json() == {"revision": 1, "changed": 3}
    assert (target["flags"], target["segments"]) == (source["flags"], source["segments"])


async def test_a_flag_is_cloned_with_what_it_needs(client: httpx2.AsyncClient) -> None:
    await client.post("/api/v1/projects/default/environments", json={"key": "staging", "name": "S"})
    for key in ("staff", "other"):
        await client.post(f"{PRODUCTION}/segments", json={"key": key, "include": ["u1"]})
    for key in ("base", "needy", "alone"):
        await make(client, key)
        await publish(client, key, a_configuration())
    rule = {
        "id": "r",
        "condition": {"all": [{"segment": "staff"}, {"flag": "base", "variants": ["on"]}]},
        "serve": {"variant": "on"},
    }
    await publish(client, "needy", a_configuration(rule))
    staging = "/api/v1/projects/default/environments/staging"

    missing = await client.post(f"{staging}/clone", json={"environment": "production", "flags": ["none"]})
    await client.post(f"{staging}/clone", json={"environment": "production", "flags": ["needy"]})

    target = (await client.get(f"{staging}/ruleset")).json()
    assert missing.json()["code"] == "not_published"
    assert [flag["key"] for flag in target["flags"]] == ["base", "needy"]
    assert [segment["id"] for segment in target["segments"]] == ["staff"]


@ON_THE_DATABASE
@given(seed=st.integers(0, 2**32))
async def test_a_draft_is_published_as_it_was_drafted(database: Database, seed: int) -> None:
    ruleset = random_ruleset(random.Random(seed))
    flag = ruleset.flags[-1]

    async with database.writing() as tx:
        await put(tx, Ruleset(ruleset.flags[:-1], ruleset.segments, ruleset.layers, ruleset.holdouts))
        variants = {each.name: each.value for each in flag.variants}
        new = FlagCreate.model_validate(
            {"key": flag.key, "type": flag.type.value, "variants": variants, "metadata": flag.metadata}
        )
        await service.create(tx, "default", new, by=BY)
        place = ("default", flag.key, "production")
        wire = {each["key"]: each for each in as_json(ruleset)["flags"]}[flag.key]
        wanted = {name: wire[name] for name in ("enabled", "rules", "fallthrough", "off") if name in wire}
        await drafts.set_draft(tx, *place, wanted, whole=True, if_match="*", by=BY)
        await drafts.publish(tx, *place, if_match="*", by=BY)
        found = await served(tx)
        await tx.rollback()

    assert {each.key: each for each in found.flags} == {each.key: each for each in ruleset.flags}
    assert references.servable(flag) <= {None, *variants}


async def test_a_whole_ruleset_may_be_larger_than_other_bodies(client: httpx2.AsyncClient) -> None:
    body = b" " * 3_000_000

    whole = await client.post("/api/v1/projects/default/environments/production/ruleset", content=body)
    other = await client.post("/api/v1/projects", content=body)

    assert whole.status_code == 422
    assert other.status_code == 413


async def test_another_environment_that_the_body_names_must_exist(client: httpx2.AsyncClient) -> None:
    answer = await client.post(f"{PRODUCTION}/clone", json={"environment": "mars"})

    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_environment")


def test_flags_of_a_file_that_were_read_before_are_the_same_objects() -> None:
    first = Ruleset(flags=(boolean("one"), boolean("two")))
    second = Ruleset(flags=(boolean("one"), boolean("two", enabled=False)))

    known = documents.parsed_flag(documents.text_of(first.flags[0]))
    loaded = documents.loaded(dumps(second))

    assert loaded == second
    assert loaded.flags[0] is known
    assert documents.text_of(known) == documents.to_text(json.loads(dumps(first))["flags"][0])


def test_a_number_too_large_is_not_taken_for_the_null_of_a_flag_read_before() -> None:
    ranges = (SplitRange(0, 5_000, "on"), SplitRange(5_000, 10_000, None))
    flag = boolean("share", fallthrough=Split(Bucketing("s"), ranges))
    documents.parsed_flag(documents.text_of(flag))
    datafile = dumps(Ruleset(flags=(flag,)))

    assert documents.loaded(datafile).flags == (flag,)
    with pytest.raises(MalformedFlag, match="variant"):
        documents.loaded(datafile.replace(b"null", b"1e999"))
