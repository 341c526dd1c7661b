"""The OpenAPI document, completed with what FastAPI cannot see by itself."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from assay.api.problems import Problem
from assay.events.router import DEFINITIONS


def install(app: FastAPI) -> None:
    """Makes the app describe itself with `describe`."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = describe(app)
        return app.openapi_schema

    app.openapi = openapi


def describe(app: FastAPI) -> dict[str, Any]:
    """The document: event schemas and the one error format included."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    schemas = document["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs", {}) | DEFINITIONS | {"Problem": problem}
    for operation in (item for path in document["paths"].values() for item in path.values()):
        # Failures have one shape, declared as 4XX; FastAPI's own validation schema is never sent.
        operation["responses"].pop("422", None)
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    return document
