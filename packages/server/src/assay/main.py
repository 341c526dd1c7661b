"""The application: built from settings and a database; nothing happens on import."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypedDict

from asgi_correlation_id import CorrelationIdMiddleware
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import Receive, Scope, Send

from assay import __version__
from assay.api import description, health, problems, v1
from assay.api.guards import Guards, UnexpectedErrors, host_check
from assay.core.config import Settings
from assay.core.database import Database
from assay.core.security import BodyLimit, SecurityHeaders
from assay.core.sub_path import SubPath
from assay.core.telemetry import RequestLog, Telemetry
from assay.evaluation.delivery import Delivery, delivering
from assay.evaluation.ofrep import Ofrep
from assay.evaluation.streams import Hub
from assay.events.intake import Intake, taking_in
from assay.web import report_files
from assay.web.router import mount as mount_pages

OpenDatabase = Callable[[], AbstractAsyncContextManager[Database]]


class Application(FastAPI):
    """The application, with delivery in front: what all others pass through costs several evaluations."""

    front: Ofrep | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request, a connection or the application's own life."""
        if self.front is not None and self.front.answers(scope):
            await self.front(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class State(TypedDict):
    """What lives as long as the application."""

    settings: Settings
    database: Database
    telemetry: Telemetry
    delivery: Delivery
    intake: Intake


def build_app(
    settings: Settings,
    open_database: OpenDatabase,
    *,
    database_url: str | None = None,
    hub: Hub | None = None,
) -> FastAPI:
    """The application over a database that is opened when it starts and closed when it stops.

    Args:
        database_url: Where to hear of changes made by other processes; without it, nowhere.
        hub: Those who follow changes, for a caller who ends them before the application stops.
    """
    telemetry = Telemetry()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[State]:
        followers = hub or Hub(limit=settings.stream_limit)
        async with (
            open_database() as database,
            delivering(settings, database, followers, telemetry, url=database_url) as delivery,
            taking_in(settings, database) as intake,
        ):
            yield State(
                settings=settings, database=database, telemetry=telemetry, delivery=delivery, intake=intake
            )

    app = Application(
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
            Middleware(
                BodyLimit,
                max_bytes=settings.max_body_bytes,
                larger={"/ruleset": settings.max_import_bytes},
            ),
        ],
    )
    app.front = Ofrep(settings, telemetry, host_check(settings))
    problems.install(app)
    app.include_router(health.router)
    app.include_router(v1.router)
    # Of the API by its address, of the pages by what it draws with.
    app.include_router(report_files.router, prefix=v1.router.prefix, responses=problems.RESPONSES)
    mount_pages(app)
    description.install(app)
    return app
