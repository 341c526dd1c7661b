"""An application in this process, with a client that speaks HTTP to it."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from assay.core.database import Database


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncGenerator[httpx2.AsyncClient]:
    """A client of an app that has started."""
    async with app.router.lifespan_context(app) as state:
        transport = httpx2.ASGITransport(_with_state(app, state), raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            yield http


def _with_state(app: FastAPI, state: Mapping[str, Any] | None) -> ASGIApp:
    # Servers hand the lifespan's state to each request; the transport does not.
    async def stateful(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": dict(state or {})}, receive, send)

    return stateful


@asynccontextmanager
async def borrowed(database: Database) -> AsyncGenerator[Database]:
    """The database, opened and closed by somebody else."""
    yield database
