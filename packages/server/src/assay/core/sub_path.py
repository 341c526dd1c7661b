"""The sub-path a proxy serves Assay under, whether the proxy cuts it off or passes it on."""

from starlette.types import ASGIApp, Receive, Scope, Send


class SubPath:
    """Middleware: tells the app its sub-path; routing then works with and without it in the request."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Names the sub-path to everything that serves the request."""
        below = self._root_path and scope["type"] == "http"
        await self._app({**scope, "root_path": self._root_path} if below else scope, receive, send)


def route_path(scope: Scope) -> str:
    """The path below the sub-path, whichever way the proxy passed it on."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
