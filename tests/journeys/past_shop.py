"""A running Assay whose experiments are moved into the past, where a simulated shop's days lie."""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import psycopg

from assay.core.database import libpq_url
from assay_engine import CompiledRuleset, compile_ruleset
from journey_support import data_folder, running_assay

PROJECT = "/api/v1/projects/default"
DAYS = 14
BATCH_EVENTS = 1000


@dataclass(frozen=True, slots=True)
class World:
    """A running Assay, its database, and when its experiments began."""

    http: httpx2.Client
    database_url: str
    began_at: datetime

    def post(self, path: str, body: Any, **headers: str) -> Any:
        """The answer to a request that must succeed."""
        answer = self.http.post(path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    def turn(self, statement: str, *values: Any) -> None:
        """Moves what happened, which no request can."""
        with psycopg.connect(libpq_url(self.database_url), options="-csearch_path=assay") as connection:
            connection.execute(statement.encode(), values)

    def begin_at(self, experiment: str, at: datetime) -> None:
        """Moves a start."""
        self.turn("UPDATE experiment SET started_at = %s WHERE key = %s", at, experiment)
        self.turn(
            "UPDATE experiment_phase SET started_at = %s "
            "WHERE experiment_id = (SELECT id FROM experiment WHERE key = %s)",
            at,
            experiment,
        )

    def send(self, events: list[dict[str, Any]]) -> None:
        """Sends events, none of which may be refused."""
        for first in range(0, len(events), BATCH_EVENTS):
            batch = events[first : first + BATCH_EVENTS]
            assert self.post("/api/v1/events", batch)["accepted"] == len(batch)

    def datafile(self) -> CompiledRuleset:
        """What an SDK evaluates with."""
        return compile_ruleset(self.http.get("/api/v1/datafile").raise_for_status().content)

    def analysed(self, key: str) -> dict[str, Any]:
        """A result of now: its id, its document and what it says of the new arm."""
        place = f"{PROJECT}/experiments/{key}/results"
        task = self.post(place, {})["id"]
        deadline = time.monotonic() + 120
        while (state := self.http.get(f"{place}/{task}").json()["state"]) != "COMPLETED":
            assert state != "FAILED"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        document = self.http.get(f"{place}/{task}/document").json()["document"]
        return {"task": task, "document": document, "decision": document["decisions"][0]}


@contextmanager
def running_world(database_url: str, settings: Mapping[str, str] | None = None) -> Generator[World]:
    """A world of its own, whose two weeks are over in two hours: no look but the last is the planned end."""
    with (
        data_folder() as data,
        running_assay(data, settings={**(settings or {}), "ASSAY_DATABASE_URL": database_url}) as assay,
        httpx2.Client(base_url=assay.url, timeout=30) as http,
    ):
        yield World(http, database_url, datetime.now(UTC) - timedelta(days=DAYS, hours=-2))
