"""The change log: in the change's own transaction, newest first, found by subject."""

import uuid
from datetime import UTC, datetime

import httpx2
import pytest

from assay.audit import service as audit
from assay.core.database import Database, WriteSession
from assay.projects import service as projects

pytestmark = pytest.mark.anyio
AUDIT = "/api/v1/projects/default/audit"
AT = datetime(2026, 1, 1, tzinfo=UTC)


async def record(tx: WriteSession, project_id: uuid.UUID, subject: str) -> None:
    await audit.record(
        tx,
        project_id=project_id,
        actor="ann",
        action="thing.changed",
        subject=subject,
        before={"size": 1},
        after={"size": 2},
        at=AT,
        note="because",
    )


async def recorded(database: Database, *subjects: str) -> None:
    async with database.writing() as tx:
        project = await projects.get(tx, "default")
        for subject in subjects:
            await record(tx, project.id, subject)


async def test_an_entry_says_who_did_what_when_and_why(
    database: Database, client: httpx2.AsyncClient
) -> None:
    await recorded(database, "flags/checkout")

    (entry,) = (await client.get(AUDIT)).json()["items"]

    assert entry == {
        "at": "2026-01-01T00:00:00Z",
        "actor": "ann",
        "action": "thing.changed",
        "subject": "flags/checkout",
        "note": "because",
        "changes": [{"kind": "changed", "path": ["size"], "before": 1, "after": 2}],
    }


async def test_entries_come_newest_first_page_by_page(database: Database, client: httpx2.AsyncClient) -> None:
    await recorded(database, "a", "b", "c")

    first = (await client.get(AUDIT, params={"limit": 2})).json()
    rest = (await client.get(AUDIT, params={"cursor": first["next_cursor"]})).json()

    assert [entry["subject"] for entry in first["items"] + rest["items"]] == ["c", "b", "a"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        ("flags/checkout", ["flags/checkout/environments/staging", "flags/checkout"]),
        ("flags", ["flags/check_out", "flags/checkout/environments/staging", "flags/checkout"]),
        ("flags/check", []),
        ("flags/check_out", ["flags/check_out"]),
        ("flags/%", []),
        ("segments", []),
    ],
)
async def test_entries_of_a_thing_are_found_with_those_below_it(
    database: Database, client: httpx2.AsyncClient, subject: str, found: list[str]
) -> None:
    await recorded(database, "flags/checkout", "flags/checkout/environments/staging", "flags/check_out")

    answer = await client.get(AUDIT, params={"subject": subject})

    assert [entry["subject"] for entry in answer.json()["items"]] == found


async def test_a_change_that_is_rolled_back_leaves_no_entry(
    database: Database, client: httpx2.AsyncClient
) -> None:
    async def fail_after_recording(tx: WriteSession) -> None:
        project = await projects.get(tx, "default")
        await record(tx, project.id, "flags/checkout")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.write(fail_after_recording)

    assert (await client.get(AUDIT)).json()["items"] == []


async def test_projects_do_not_see_each_others_entries(
    database: Database, client: httpx2.AsyncClient
) -> None:
    await recorded(database, "flags/checkout")
    await client.post("/api/v1/projects", json={"key": "other", "name": "Other"})

    other = await client.get("/api/v1/projects/other/audit")
    none = await client.get("/api/v1/projects/none/audit")

    assert other.json()["items"] == []
    assert none.json()["code"] == "project_not_found"
