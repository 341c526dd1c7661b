"""The application: built from settings and a database; nothing happens on import."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypedDict

from asgi_correlation_id import CorrelationIdMiddleware
from fastapi import FastAPI
from starlette.middleware import Middleware

from assay import __version__
from assay.api import description, health, problems, v1
from assay.api.guards import Guards, UnexpectedErrors
from assay.core.config import Settings
from assay.core.database import Database
from assay.core.security import BodyLimit, SecurityHeaders
from assay.core.sub_path import SubPath
from assay.core.telemetry import RequestLog, Telemetry
from assay.web.router import mount as mount_pages

OpenDatabase = Callable[[], AbstractAsyncContextManager[Database]]


class State(TypedDict):
    """What lives as long as the application."""

    settings: Settings
    database: Database
    telemetry: Telemetry


def build_app(settings: Settings, open_database: OpenDatabase) -> FastAPI:
    """The application over a database that is opened when it starts and closed when it stops."""
    telemetry = Telemetry()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[State]:
        async with open_database() as database:
            yield State(settings=settings, database=database, telemetry=telemetry)

    app = FastAPI(
        title="Assay",
        version=__version__,
        description="Feature flags, experiments, and statistics one can trust.",
        # FastAPI's own pages load their scripts from a CDN; `assay.web` serves ours.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        middleware=[
            Middleware(SubPath, root_path=settings.root_path),
            Middleware(CorrelationIdMiddleware, header_name="X-Request-ID"),
            Middleware(RequestLog, telemetry=telemetry),
            Middleware(SecurityHeaders),
            Middleware(UnexpectedErrors),
            Middleware(Guards, settings=settings),
            Middleware(BodyLimit, max_bytes=settings.max_body_bytes),
        ],
    )
    problems.install(app)
    app.include_router(health.router)
    app.include_router(v1.router)
    mount_pages(app)
    description.install(app)
    return app
