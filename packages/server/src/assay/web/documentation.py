"""The API's description for people: Swagger UI from our own files, since FastAPI's comes from a CDN."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from assay.web.rendering import path_to, render

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class DocumentationPage:
    """Where the description stands."""

    openapi: str


@router.get("/docs", name="documentation")
async def documentation(request: Request) -> HTMLResponse:
    """Shows every endpoint, ready to try."""
    return render(request, "documentation.html", page=DocumentationPage(openapi=path_to(request, "openapi")))
