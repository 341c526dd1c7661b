"""An application that delivers, its flags published for real, and clients of its streams."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assay.core.config import Settings
from assay.core.database import Database
from assay.evaluation.delivery import Delivery
from assay.flags import service as flags
from assay.flags.repository import By
from assay.main import build_app
from assay.projects import service as projects
from assay.projects.schemas import ProjectCreate
from assay_engine import loads
from assay_engine.parsing import FORMAT

EVALUATE = "/ofrep/v1/evaluate/flags"
SOON_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Place:
    """A project of its own, with the environment `production`."""

    database: Database
    project: str
    environment_id: uuid.UUID

    @property
    def query(self) -> dict[str, str]:
        """What names it in open local mode."""
        return {"project": self.project, "environment": "production"}

    @property
    def keys_path(self) -> str:
        """Where its keys are."""
        return f"/api/v1/projects/{self.project}/environments/production/keys"

    async def publish(self, *documents: Mapping[str, Any], **parts: Any) -> int:
        """Publishes flags in the datafile's form; the environment's revision afterwards."""
        ruleset = loads(datafile(*documents, **parts))
        by = By(actor="test", at=datetime.now(UTC))
        done = await self.database.write(
            lambda tx: flags.put_published(tx, self.project, "production", ruleset, by=by)
        )
        return done.revision


@dataclass(frozen=True, slots=True)
class Served:
    """A started application."""

    app: ASGIApp
    http: httpx2.AsyncClient
    delivery: Delivery

    async def key(self, place: Place, kind: str = "server") -> str:
        """A new key's token."""
        made = await self.http.post(place.keys_path, json={"kind": kind, "name": kind})
        return made.json()["token"]


def datafile(*documents: Mapping[str, Any], **parts: Any) -> bytes:
    """Flags as a datafile."""
    return msgspec.json.encode({"format": FORMAT, "flags": list(documents), **parts})


def a_flag(key: str = "new_form", **parts: Any) -> dict[str, Any]:
    """A boolean flag that serves `on` to everybody; a part that is None is left out."""
    flag = {
        "key": key,
        "type": "boolean",
        "variants": {"on": True, "off": False},
        "fallthrough": {"variant": "on"},
    }
    return {name: part for name, part in (flag | parts).items() if part is not None}


def serving_to(attribute: str, value: str, variant: str = "on", rule: str = "r1") -> dict[str, Any]:
    """A rule for those whose attribute has the value."""
    condition = {"attribute": attribute, "operator": "equals", "values": [value]}
    return {"id": rule, "condition": condition, "serve": {"variant": variant}}


def a_split(salt: str = "s", experiment: str | None = None) -> dict[str, Any]:
    """Half on, half off."""
    ranges = [{"low": 0, "high": 5000, "variant": "on"}, {"low": 5000, "high": 10000, "variant": "off"}]
    split: dict[str, Any] = {"salt": salt, "ranges": ranges}
    return {"split": split | ({"experiment": experiment} if experiment else {})}


async def a_place(database: Database) -> Place:
    """A new project."""
    key = f"p{uuid.uuid4().hex[:12]}"
    await database.write(lambda tx: projects.create(tx, ProjectCreate(key=key, name=key)))
    async with database.reading() as tx:
        environment = await projects.get_environment(tx, key, "production")
    return Place(database, key, environment.id)


@asynccontextmanager
async def started(settings: Settings, database: Database, url: str | None) -> AsyncGenerator[Served]:
    """The application over a database, hearing of changes when it has its address."""

    @asynccontextmanager
    async def borrowed() -> AsyncGenerator[Database]:
        yield database

    app = build_app(settings, borrowed, database_url=url)
    async with app.router.lifespan_context(app) as state:
        assert state is not None

        async def stateful(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        transport = httpx2.ASGITransport(stateful, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            yield Served(stateful, http, state["delivery"])


class Stream:
    """A client of server-sent events that reads frame by frame."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._frames: asyncio.Queue[str | None] = asyncio.Queue()
        self._gone = asyncio.Event()
        self.answered = asyncio.Event()

    async def frame(self) -> str | None:
        """The next frame; None at the end of the stream."""
        return await asyncio.wait_for(self._frames.get(), SOON_SECONDS)

    def leave(self) -> None:
        """Closes the connection."""
        self._gone.set()

    async def receive(self) -> Message:
        """What the server reads from this client."""
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """What the server writes to this client."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            self.answered.set()
            return
        for frame in message.get("body", b"").decode().split("\n\n"):
            if frame:
                self._frames.put_nowait(frame)
        if not message.get("more_body", False):
            self._frames.put_nowait(None)


@asynccontextmanager
async def connected(app: ASGIApp, address: str, **headers: str) -> AsyncGenerator[Stream]:
    """A stream that has been answered, closed with the block."""
    stream = Stream()
    path, _, query = address.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }

    async def serve() -> None:
        await app(scope, stream.receive, stream.send)

    serving = asyncio.create_task(serve())
    try:
        await asyncio.wait_for(stream.answered.wait(), SOON_SECONDS)
        yield stream
    finally:
        stream.leave()
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(serving, SOON_SECONDS)
