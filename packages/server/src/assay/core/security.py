"""Headers every answer carries, and the bound on what a request may carry."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
}


class SecurityHeaders:
    """Middleware: adds the headers that an answer does not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Adds to HTTP answers; passes everything else on."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class BodyLimit:
    """Middleware: whoever reads a body beyond the limit gets 413 instead, without the rest being read."""

    def __init__(self, app: ASGIApp, max_bytes: int, larger: Mapping[str, int]) -> None:
        """`larger` has other limits for paths that end so."""
        self._app = app
        self._max_bytes = max_bytes
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Bounds HTTP requests; passes everything else on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit_of(scope["path"])
        # What is announced counts before the first byte, what arrives counts in any case.
        announced = Headers(scope=scope).get("content-length", "0")
        read = int(announced) if announced.isdigit() and int(announced) > limit else 0

        async def bounded() -> Message:
            nonlocal read
            _require_within(read, limit)
            message = await receive()
            read += len(message.get("body", b""))
            _require_within(read, limit)
            return message

        await self._app(scope, bounded, send)

    def _limit_of(self, path: str) -> int:
        return next((limit for end, limit in self._larger.items() if path.endswith(end)), self._max_bytes)


def _require_within(read_bytes: int, limit: int) -> None:
    if read_bytes > limit:
        raise HTTPException(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body is larger than {limit:,} bytes; send it in smaller parts",
            # Otherwise the server would go on reading the rest, only to throw it away.
            headers={"Connection": "close"},
        )
