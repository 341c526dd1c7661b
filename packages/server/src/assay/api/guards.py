"""What is answered before or instead of an endpoint: strangers' pages, wrong hosts, unexpected errors."""

from collections.abc import Callable, Mapping
from http import HTTPStatus

import structlog
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assay.api.problems import problem
from assay.core.config import Settings, is_loopback
from assay.core.database import OUTAGES
from assay.core.sub_path import route_path

log = structlog.get_logger()

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES = frozenset({"same-origin", "none"})
# Pages guard their forms themselves, more strictly; remote evaluation is meant for pages of other origins.
GUARDED = "/api/"


class Guards:
    """Middleware: refuses what a foreign web page sends through somebody's browser.

    A page of another origin must not change an Assay that trusts the machine it runs on, be it by a
    cross-site request or by a host name that was made to point here (DNS rebinding). Requests with a key
    of their own are not the browser's doing and pass.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._hosts = allowed_hosts(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judges HTTP requests by their headers; passes everything else on."""
        if scope["type"] == "http" and (reason := self._refusal(scope)):
            answer = problem(HTTPStatus.FORBIDDEN, code="foreign_request", detail=reason)
            # Its body has not been read and will not be.
            answer.headers["Connection"] = "close"
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        name = host_name(headers.get("host", ""))
        if self._hosts is not None and name not in self._hosts:
            return f"this Assay does not answer to the host {name!r}; name it in ASSAY_ALLOWED_HOSTS"
        if is_foreign(scope["method"], route_path(scope), headers):
            return "a page of another origin may not change anything here; use an API key"
        return None


class UnexpectedErrors:
    """Middleware: turns what nobody caught into a problem, within those that add headers and log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers for an endpoint that failed before it answered."""
        started = False

        async def observed(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except Exception as error:
            # The last edge: the log has the details, the sender the correlation id.
            answer = _answer(error)
            if started or scope["type"] != "http":
                raise
            await answer(scope, receive, send)


def _answer(error: Exception) -> Response:
    if isinstance(error, OUTAGES):
        return _outage(error)
    log.error("unexpected_error", exc_info=error)
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        code="internal_error",
        detail="an error inside Assay; its log has the details under the correlation id",
    )


def _outage(error: Exception) -> Response:
    # The driver's words alone: the statement's parameters may hold what nobody should read in a log.
    log.error("database_unavailable", error=str(getattr(error, "orig", error)).strip())
    answer = problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        code="database_unavailable",
        detail="the database does not answer or is overloaded; nothing was changed, try again",
    )
    answer.headers["Retry-After"] = "1"
    return answer


def is_foreign(method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser sent this for a page of another origin, without a key of its own."""
    site = headers.get("sec-fetch-site", "none")
    has_key = "authorization" in headers or "x-api-key" in headers
    return method not in SAFE_METHODS and site not in OWN_SITES and not has_key and path.startswith(GUARDED)


def allowed_hosts(settings: Settings) -> frozenset[str] | None:
    """The host names answered to; None is any.

    Bound to this machine only, a browser can still be led here under a foreign name, so only local names
    count.
    """
    named = [name.strip().lower() for name in settings.allowed_hosts.split(",") if name.strip()]
    if "*" in named or not (named or is_loopback(settings.host)):
        return None
    return frozenset(named) | {"localhost", "127.0.0.1", "::1", settings.host.lower()}


def host_check(settings: Settings) -> Callable[[str], bool]:
    """Whether a Host header names an Assay with these settings."""
    hosts = allowed_hosts(settings)
    return lambda host: hosts is None or host_name(host) in hosts


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if host.count(":") == 1 else host.lower()
