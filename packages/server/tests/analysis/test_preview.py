"""A metric over recent events before it is saved."""

from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pytest

from assay.analysis.sampling import Sampled, described, sample
from assay.core.config import Settings
from assay.core.database import Database
from assay.main import build_app
from assay.sources.service import local_engine
from support_app import borrowed, serving

from .measuring import Row, a_metric, event, table_of

ROWS = [
    event("order", "1", 0, 10.0),
    event("order", "1", 5, 20.0),
    event("order", "2", 1, 6.0),
    event("view", "3", 1),
]


def sampled(rows: list[Row], *, most: int = 100, **definition: Any) -> Sampled:
    table = local_engine().create_table("events", ibis.memtable(table_of(rows)), temp=True)
    return sample(table, a_metric("m", **definition), most=most)


def test_a_sample_is_described_by_unit() -> None:
    (number,) = sampled(ROWS, kind="mean", event="order").numbers

    assert (number["units"], number["mean"], number["share_zero"]) == (3, 12.0, pytest.approx(1 / 3))
    assert sum(number["histogram"]["counts"]) == 3


def test_a_ratio_shows_both_its_numbers() -> None:
    numbers = sampled(
        ROWS, kind="ratio", numerator={"event": "order"}, denominator={"event": "view", "aggregate": "count"}
    ).numbers

    assert [number["mean"] for number in numbers] == [12.0, pytest.approx(1 / 3)]


def test_only_the_newest_events_are_read() -> None:
    found = sampled(ROWS, most=2, kind="count", event="order")

    assert (found.events, found.is_cut) == (2, True)


def test_units_without_a_value_are_missing() -> None:
    (number,) = sampled(ROWS, kind="mean", event="order", without_events="left_out").numbers

    assert (number["units"], number["missing"]) == (2, 1)


def test_nothing_has_no_figures() -> None:
    assert described(np.array([]))["mean"] is None


@pytest.mark.anyio
async def test_a_preview_reads_what_was_sent(settings: Settings, committing_database: Database) -> None:
    now = datetime.now(UTC) - timedelta(hours=1)
    async with serving(build_app(settings, lambda: borrowed(committing_database))) as client:
        await client.post("/api/v1/projects", json={"key": "preview", "name": "Preview"})
        orders = [
            {"kind": "event", "name": "order", "unit": unit, "value": value, "at": now.isoformat()}
            for unit, value in (("1", 4.0), ("2", 8.0))
        ]
        await client.post("/api/v1/events", json=orders, params={"project": "preview"})
        body = {"definition": {"kind": "mean", "event": "order"}}

        answer = await client.post("/api/v1/projects/preview/metrics/preview", json=body)
        elsewhere = await client.post(
            "/api/v1/projects/preview/metrics/preview", json=body | {"environment": "nowhere"}
        )

    assert answer.status_code == 200, answer.text
    (distribution,) = answer.json()["distributions"]
    assert (distribution["units"], distribution["mean"]) == (2, 6.0)
    assert "order" in answer.json()["sql"]
    assert elsewhere.status_code == 422
