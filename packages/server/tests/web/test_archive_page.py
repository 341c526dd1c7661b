"""The archive's page and the record on an experiment's page: what was found, said and decided."""

from datetime import UTC, datetime

import httpx2
import pytest

from assay.analysis.archive_schemas import ArchiveSummaryOut, PastEffectOut, PastEffectsOut, TogetherOut
from assay.web.archive import _page  # pyright: ignore[reportPrivateUsage]  # pure, without a database

pytestmark = pytest.mark.anyio
ROOT = "/api/v1/projects/default"
DRAFT = {"key": "e", "name": "E", "arms": [{"key": "a"}, {"key": "b"}], "control": "a", "metrics": []}


def an_effect(number: int, lift: float) -> PastEffectOut:
    return PastEffectOut(
        experiment=f"e{number}", name="E", ended_at=None, arm="b", role="goal", finding="open",
        method="fixed", lift=lift,
        low=lift - 0.02, high=lift + 0.02, shrunk=lift / 2, shrunk_low=-0.01, shrunk_high=0.01,
    )  # fmt: skip


def test_a_forest_has_a_row_for_each_effect_and_one_for_all() -> None:
    together = TogetherOut(
        pooled=0.01, pooled_low=-0.01, pooled_high=0.03, pooled_error=0.01, spread=0.02, i_squared=0.5,
        p_value=0.2, shrunk=[],
    )  # fmt: skip
    past = PastEffectsOut(
        metric="orders", effects=[an_effect(1, 0.02), an_effect(2, 0.0)], win_rate=None, together=together,
        prior=None, sentence="On average.",
    )  # fmt: skip
    summary = ArchiveSummaryOut(experiments=2, shipped=None, metrics=[])

    page = _page("p", "", [], None, summary, past, now=datetime(2026, 11, 20, tzinfo=UTC))

    assert page.past is not None
    assert page.past.plot is not None
    assert [row.name for row in page.past.plot.rows] == ["e1, b", "e2, b", "All together"]
    assert page.past.plot.has_known


async def test_the_page_finds_what_is_over(client: httpx2.AsyncClient) -> None:
    orders = {"key": "orders", "name": "Orders", "definition": {"kind": "proportion", "event": "order"}}
    (await client.post(f"{ROOT}/metrics", json=orders)).raise_for_status()
    body = DRAFT | {"description": "<b>Shorter form"}
    (await client.post(f"{ROOT}/experiments", json=body)).raise_for_status()

    found = await client.get("/projects/default/archive", params={"search": "short"})
    nothing = await client.get("/projects/default/archive", params={"search": "other"})
    metric = await client.get("/projects/default/archive", params={"metric": "orders"})
    unknown = await client.get("/projects/default/archive", params={"metric": "order"})

    assert "/projects/default/experiments/e" in found.text
    assert "Nothing is found." in nothing.text
    assert "0 measured so far" in metric.text
    assert (unknown.status_code, "has no metric" in unknown.text) == (404, True)


async def test_an_experiment_shows_its_log_and_what_it_taught(client: httpx2.AsyncClient) -> None:
    (await client.post(f"{ROOT}/experiments", json=DRAFT)).raise_for_status()
    place = f"{ROOT}/experiments/e"
    await client.post(f"{place}/comments", json={"text": "the <sale> begins"})
    await client.post(f"{place}/decisions", json={"decision": "ship", "arm": "b", "note": "clear"})
    await client.patch(place, json={"learnings": "Fewer fields help."})

    page = (await client.get("/projects/default/experiments/e")).text

    assert "the &lt;sale&gt; begins" in page
    assert "Decision: ship b" in page
    assert "Learnt: Fewer fields help." in page
