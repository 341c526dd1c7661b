"""Many at once, on a real database: one wins, layers never overlap, and nothing is half-done."""

import asyncio
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from operator import itemgetter
from typing import Any

import httpx2
import pytest

from assay.core.clock import utc_now
from assay.core.database import Database, WriteSession
from assay.experiments import logbook, running
from assay.experiments.handlers import tick
from assay.experiments.lifecycle import TABLE, Move, State
from assay.experiments.schemas import CompleteRequest, CoverageRequest, RestartRequest
from assay.flags.rewriting import By

from .conftest import ServeOver
from .factories import a_flag, a_layer, a_plan, a_planned_experiment

pytestmark = pytest.mark.anyio
BY = By("local", utc_now())


@pytest.fixture
async def project(committing_database: Database, serve_over: ServeOver) -> Any:
    """A fresh project with flags, metrics and a layer, as a client and the addresses of its parts."""
    async with serve_over(committing_database) as client:
        yield Project(client, f"p{utc_now().timestamp()}".replace(".", "-"))


class Project:
    """A project of its own on a database where things stay."""

    def __init__(self, client: httpx2.AsyncClient, key: str) -> None:
        self.client = client
        self.key = key
        self.address = f"/api/v1/projects/{key}"

    async def prepare(self, *, flags: int, share: float, experiments: int | None = None, **plan: Any) -> None:
        """Flags, one layer, and experiments that want a share of it each."""
        (await self.client.post("/api/v1/projects", json={"key": self.key, "name": "P"})).raise_for_status()
        for metric in ("orders", "refunds"):
            body = {"key": metric, "name": metric, "definition": {"kind": "proportion", "event": metric}}
            (await self.client.post(f"{self.address}/metrics", json=body)).raise_for_status()
        ruleset = {
            "format": "assay.datafile/1",
            "flags": [a_flag(f"flag-{number}") for number in range(flags)],
            "layers": [a_layer()],
        }
        place = f"{self.address}/environments/production/ruleset"
        (await self.client.post(place, json=ruleset)).raise_for_status()
        for number in range(experiments or flags):
            wanted = a_plan(flag=f"flag-{number % flags}", layer="checkout", coverage=share) | plan
            body = a_planned_experiment(f"e{number}", plan=wanted)
            (await self.client.post(f"{self.address}/experiments", json=body)).raise_for_status()

    async def read(self, path: str) -> Any:
        """The JSON at an address of the project."""
        return (await self.client.get(f"{self.address}/{path}", params={})).json()

    async def attempt(self, move: str, key: str, **body: Any) -> httpx2.Response:
        """The answer to a move."""
        place = f"{self.address}/experiments/{key}/{move}"
        return await self.client.post(place, json=body, headers={"If-Match": "*"})

    async def require_agreement(self) -> list[str]:
        """Every experiment's state, flag, slices, phases and logs tell the same; the states."""
        ruleset = await self.read("environments/production/ruleset")
        rules = {rule["id"]: rule for flag in ruleset["flags"] for rule in flag.get("rules", [])}
        slices = ruleset["layers"][0].get("slices", [])
        for earlier, later in pairwise(sorted(slices, key=itemgetter("low"))):
            assert earlier["high"] <= later["low"]
        experiments = (await self.read("experiments"))["items"]
        for each in experiments:
            split = rules.get(f"experiment:{each['key']}", {}).get("serve", {}).get("split")
            has_slice = any(slice_["experiment"] == each["key"] for slice_ in slices)
            phases = (await self.read(f"experiments/{each['key']}/phases"))["items"]
            logged = (await self.read(f"experiments/{each['key']}/log"))["items"]
            runs = each["state"] in {"ACTIVE", "PAUSED"}
            assert (split is not None) == has_slice == runs, each["state"]
            assert split is None or (split.get("experiment") == each["key"]) == (each["state"] == "ACTIVE")
            assert split is None or split["salt"] == phases[-1]["salt"]
            assert [phase["number"] for phase in phases] == list(range(1, len(phases) + 1))
            assert sum(phase["ended_at"] is None for phase in phases) == runs
            path = [entry["body"]["state"] for entry in reversed(logged)]
            assert [step["from"] for step in path] == ["DRAFT", *(step["to"] for step in path)][: len(path)]
            assert ([step["to"] for step in path] or ["DRAFT"])[-1] == each["state"]
        return [each["state"] for each in experiments]


async def test_many_starts_in_one_layer_never_overlap_and_never_half_start(project: Project) -> None:
    await project.prepare(flags=12, share=0.13)

    answers = await asyncio.gather(*(project.attempt("start", f"e{number}") for number in range(12)))

    told = Counter((answer.status_code, answer.json().get("code")) for answer in answers)
    states = Counter(await project.require_agreement())
    refused = {(409, "layer_full"), (409, "not_ready")}
    assert told[200, None] == 7  # 7 times 13 % is 91 %: an eighth does not fit
    assert sum(told[each] for each in refused) == 5
    assert states == {"ACTIVE": 7, "DRAFT": 5}


async def test_starts_ends_and_ramps_at_once_leave_a_layer_whole(project: Project) -> None:
    await project.prepare(flags=4, share=0.2, experiments=6)
    for number in range(3):
        assert (await project.attempt("start", f"e{number}")).status_code == 200

    answers = await asyncio.gather(
        *(project.attempt("start", f"e{number}") for number in range(3, 6)),
        project.attempt("complete", "e0", outcome="SHIPPED", arm="new"),
        project.attempt("coverage", "e1", coverage=0.5),
        project.attempt("restart", "e2", reason="r", coverage=0.1),
        project.attempt("pause", "e1"),
    )

    assert {answer.status_code for answer in answers} <= {200, 409}
    await project.require_agreement()


MOVES: dict[Move, tuple[str, dict[str, Any]]] = {
    Move.START: ("start", {}),
    Move.PAUSE: ("pause", {}),
    Move.RESUME: ("resume", {}),
    Move.COVER: ("coverage", {"coverage": 0.9}),
    Move.RESTART: ("restart", {"reason": "r"}),
    Move.COMPLETE: ("complete", {"outcome": "ROLLED_BACK"}),
}
WAYS = {State.DRAFT: (), State.ACTIVE: (Move.START,), State.PAUSED: (Move.START, Move.PAUSE)}


@pytest.mark.parametrize("state", WAYS)
async def test_all_moves_at_once_happen_one_after_the_other(project: Project, state: State) -> None:
    await project.prepare(flags=1, share=0.3)
    for move in WAYS[state]:
        await project.attempt(MOVES[move][0], "e0", **MOVES[move][1])

    answers = await asyncio.gather(
        *(project.attempt(path, "e0", **body) for path, body in (*MOVES.values(), *MOVES.values()))
    )

    codes = {answer.json().get("code") for answer in answers if answer.status_code != 200}
    moved = sum(answer.status_code == 200 for answer in answers)
    logged = (await project.read("experiments/e0/log"))["items"]
    assert codes <= {"illegal_move", "coverage_not_raised"}
    assert len(logged) == moved + len(WAYS[state])
    await project.require_agreement()
    # What the log tells is a walk through the table.
    steps = {(State(of), State(to)) for (of, _), to in TABLE.items() if to is not None}
    told = {(State(e["body"]["state"]["from"]), State(e["body"]["state"]["to"])) for e in logged}
    assert told <= steps


async def test_of_two_who_start_from_the_same_version_one_learns_of_the_other(project: Project) -> None:
    await project.prepare(flags=1, share=0.3)
    tag = (await project.read("experiments/e0"))["etag"]
    place = f"{project.address}/experiments/e0/start"

    answers = await asyncio.gather(
        *(project.client.post(place, json={}, headers={"If-Match": tag}) for _ in range(4))
    )

    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]


class Killed(Exception):
    """The process died here."""


@pytest.mark.parametrize("move", [Move.START, Move.PAUSE, Move.COVER, Move.RESTART, Move.COMPLETE])
async def test_a_move_that_dies_at_its_last_step_leaves_no_trace(
    project: Project, committing_database: Database, monkeypatch: pytest.MonkeyPatch, move: Move
) -> None:
    await project.prepare(flags=1, share=0.3)
    if move is not Move.START:
        await project.attempt("start", "e0")
    paths = ("experiments", "experiments/e0/phases", "experiments/e0/log", "audit", "experiments/e0/schedule")
    before = [await project.read(path) for path in (*paths, "environments/production/ruleset")]

    async def die(*_: object, **__: object) -> None:
        raise Killed

    async def work(tx: WriteSession) -> None:
        await act(tx, project.key, move)

    # The log entry is the last thing that a move writes.
    monkeypatch.setattr(logbook, "add", die)
    with pytest.raises(Killed):
        await committing_database.write(work)

    assert [await project.read(path) for path in (*paths, "environments/production/ruleset")] == before


async def act(tx: WriteSession, project: str, move: Move) -> None:
    match move:
        case Move.START:
            await running.start(tx, project, "e0", if_match="*", by=BY)
        case Move.PAUSE:
            await running.pause(tx, project, "e0", if_match=None, by=BY)
        case Move.COVER:
            wider = CoverageRequest(coverage=0.9)
            await running.cover(tx, project, "e0", wider, if_match="*", by=BY)
        case Move.RESTART:
            anew = RestartRequest.model_validate({"reason": "r"})
            await running.restart(tx, project, "e0", anew, if_match="*", by=BY)
        case _:
            end = CompleteRequest.model_validate({"outcome": "SHIPPED", "arm": "new"})
            await running.complete(tx, project, "e0", end, if_match="*", by=BY)


async def test_what_is_due_happens_once_however_many_look(
    project: Project, committing_database: Database
) -> None:
    await project.prepare(flags=1, share=0.9, ramp=[{"coverage": 0.1, "hours": 1.0}])
    start = utc_now() + timedelta(hours=1)
    place = f"{project.address}/experiments/e0/schedule"
    await project.client.put(place, json={"starts_at": start.isoformat()}, headers={"If-Match": "*"})

    started = await asyncio.gather(*(tick(committing_database, start) for _ in range(4)))
    later = start + timedelta(hours=1)
    covered = await asyncio.gather(*(tick(committing_database, later) for _ in range(4)))

    assert (sum(started), sum(covered)) == (1, 1)
    logged = (await project.read("experiments/e0/log"))["items"]
    assert [entry["kind"] for entry in logged] == ["covered", "started"]
    await project.require_agreement()
