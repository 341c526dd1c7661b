"""Reports are frozen, approved and shared with the forms of their pages."""

import re
import uuid
from typing import Any

import httpx2
import pytest

from assay.core.config import Settings
from assay.core.database import Database
from assay.jobs.worker import Task, perform
from assay.main import build_app
from support_app import borrowed, serving

from .factories import a_document

pytestmark = pytest.mark.anyio

API = "/api/v1/projects/default/experiments"
PAGE = "/projects/default/experiments/checkout"
OUR_PAGE = {"Sec-Fetch-Site": "same-origin"}
EXPERIMENT = {
    "key": "checkout", "name": "Checkout", "control": "A", "arms": [{"key": "A"}, {"key": "B"}],
    "metrics": [],
}  # fmt: skip


async def a_result(client: httpx2.AsyncClient, database: Database) -> None:
    (await client.post(API, json=EXPERIMENT)).raise_for_status()
    task = (await client.post(f"{API}/checkout/results")).json()

    async def results(_task: Task) -> dict[str, Any]:
        return a_document().model_dump(mode="json")

    await perform(database, uuid.UUID(task["id"]), {"results": results})


async def pressed(client: httpx2.AsyncClient, page: str, ending: str, **fields: str) -> httpx2.Response:
    """Sends the form of a page whose address ends like this, with its hidden fields."""
    text = (await client.get(page)).text
    forms = re.findall(r'<form method="post"[^>]* action="([^"]+)">(.*?)</form>', text, re.DOTALL)
    (address, inside) = next(form for form in forms if form[0].endswith(ending))
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)">', inside))
    return await client.post(address, data=hidden | fields, headers=OUR_PAGE)


async def test_a_result_is_frozen_approved_shared_and_taken_back(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await a_result(client, database)

    frozen = await pressed(client, PAGE, "/reports", title="Two <b>steps</b>", note="")
    report = frozen.headers["location"]
    assert (await pressed(client, report, "/approve")).headers["location"] == report
    shared = await pressed(client, report, "/share", name="the board", days="14")
    (link,) = re.findall(r"http://127\.0\.0\.1:8000(/shared/[^<]+)", shared.text)
    read = await client.get(link)
    revoked = await pressed(client, report, "/revoke")

    assert "Two &lt;b&gt;steps&lt;/b&gt;" in read.text
    assert shared.headers["cache-control"] == "no-store"
    assert link not in (await client.get(report)).text
    assert revoked.headers["location"] == report
    assert (await client.get(link)).status_code == 404
    assert "/revoke" not in (await client.get(report)).text


async def test_what_is_not_approved_offers_no_link(client: httpx2.AsyncClient, database: Database) -> None:
    await a_result(client, database)
    report = (await pressed(client, PAGE, "/reports", title="T")).headers["location"]

    text = (await client.get(report)).text
    refused = await client.post(f"{report}/share", data={"name": "x"}, headers=OUR_PAGE)

    assert "/share" not in text
    assert refused.status_code == 409
    assert "approve it before sharing" in refused.text


@pytest.mark.parametrize(
    "ending", ["", "/{report}/approve", "/{report}/share", "/{report}/links/{report}/revoke"]
)
async def test_a_form_of_another_site_changes_no_report(client: httpx2.AsyncClient, ending: str) -> None:
    address = f"{PAGE}/reports{ending.format(report=uuid.uuid4())}"
    fields = {"name": "x"} if ending.endswith("share") else {"result": str(uuid.uuid4()), "title": "x"}

    answer = await client.post(address, data=fields, headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403
    assert answer.json()["code"] == "cross_site_request"


async def test_who_has_no_key_is_offered_nothing_and_refused(database: Database, settings: Settings) -> None:
    open_to_all = settings.model_copy(update={"host": "0.0.0.0"})  # noqa: S104 — the case under test
    async with serving(build_app(open_to_all, lambda: borrowed(database))) as stranger:
        await a_result(stranger, database)
        text = (await stranger.get(PAGE)).text
        refused = await stranger.post(
            f"{PAGE}/reports", data={"result": str(uuid.uuid4()), "title": "x"}, headers=OUR_PAGE
        )

    assert "Freeze as a report" not in text
    assert refused.status_code == 401
