"""Page models into HTML. Templates escape everything and fail on a name they do not know."""

from functools import cache
from http import HTTPStatus
from pathlib import Path

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

from assay.web.assets import assets

TEMPLATES = Path(__file__).parent / "templates"


def render(
    request: Request, template: str, *, page: object, status: HTTPStatus = HTTPStatus.OK
) -> HTMLResponse:
    """A page; `page` is all the template knows besides the addresses of things."""
    content = filled(template, page=page, link=_Links(request))
    return HTMLResponse(content, status_code=status, headers={"Cache-Control": "private, no-cache"})


def filled(template: str, **names: object) -> str:
    """A template with the names it knows."""
    return _environment().get_template(template).render(**names)


def path_to(request: Request, name: str, **parameters: str) -> str:
    """The address of an endpoint on this server, below the sub-path it is served under."""
    root = str(request.scope.get("root_path", "")).rstrip("/")
    return root + str(request.app.url_path_for(name, **parameters))


class _Links:
    """The addresses templates may ask for."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def to(self, name: str, **parameters: str) -> str:
        return path_to(self._request, name, **parameters)

    def asset(self, name: str) -> str:
        return f"{self.to('asset', file=name)}?v={assets()[name].version}"


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
