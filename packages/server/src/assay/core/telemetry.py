"""Figures about the running process, in Prometheus' format, and the canonical line per request."""

import time

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger()

STORED_EVENTS = {
    "buffered": "Events in the database that are not sealed.",
    "sealed": "Events moved into the lake since the beginning.",
    "files": "Files of the lake.",
    "bytes": "Size of the lake's files.",
    "lag_seconds": "Age of the oldest event that is not sealed.",
}


class Telemetry:
    """The metrics of one process, in a registry of their own so that two apps may live in one process."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.request_seconds = Histogram(
            "assay_request_seconds", "Time to answer.", ["method", "route"], registry=self.registry
        )
        self.requests = Counter(
            "assay_requests_total",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.events = Counter("assay_events_total", "Events by verdict.", ["verdict"], registry=self.registry)
        self.stored_events = {
            name: Gauge(f"assay_events_{name}", sentence, registry=self.registry)
            for name, sentence in STORED_EVENTS.items()
        }
        self.stream_clients = Gauge(
            "assay_stream_clients", "Clients that follow changes.", registry=self.registry
        )
        self.snapshot_age_seconds = Gauge(
            "assay_snapshot_age_seconds",
            "Time since the database last confirmed what is served.",
            registry=self.registry,
        )
        self.exposures_dropped = Gauge(
            "assay_exposures_dropped",
            "Exposures lost because the database did not take them.",
            registry=self.registry,
        )
        self.assignments_unsettled = Gauge(
            "assay_assignments_unsettled",
            "Answers of sticky splits given without earlier assignments, which the database did not tell.",
            registry=self.registry,
        )

    def render(self) -> bytes:
        """Everything measured, process figures included."""
        return generate_latest(self.registry) + generate_latest(REGISTRY)


class RequestLog:
    """Middleware: one log event and one observation per request."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measures HTTP requests; passes everything else on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = _route_template(scope)
        self._telemetry.request_seconds.labels(scope["method"], route).observe(seconds)
        self._telemetry.requests.labels(scope["method"], route, str(status)).inc()
        log.info(
            "request",
            method=scope["method"],
            route=route,
            status=status,
            milliseconds=round(seconds * 1000, 2),
        )


def _route_template(scope: Scope) -> str:
    # The template, never the raw path: paths would make one time series per identifier.
    if "route" not in scope:
        return "unmatched"
    parameters: dict[str, object] = scope.get("path_params", {})
    names = {str(value): f"{{{name}}}" for name, value in parameters.items()}
    path: str = scope["path"]
    return "/".join(names.get(segment, segment) for segment in path.split("/"))
