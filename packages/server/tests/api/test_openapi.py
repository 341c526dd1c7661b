"""The API's description is complete; what the API answers is held against it by the schema journey."""

import json
import re
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from assay.core.config import Settings
from assay.core.database import Database
from assay.main import build_app


def _no_database() -> AbstractAsyncContextManager[Database]:
    raise AssertionError("describing needs no database")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return build_app(Settings(), _no_database).openapi()


def test_every_operation_says_how_it_fails(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert not path.startswith("/api/") or {"4XX", "5XX"} <= set(operation["responses"]), path


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in _references(document):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]


def test_events_are_described_although_they_are_read_by_hand(document: dict[str, Any]) -> None:
    body = document["paths"]["/api/v1/events"]["post"]["requestBody"]

    assert body["content"]["application/json"]["schema"]["type"] == "array"
    assert {"Exposure", "MetricEvent"} <= set(document["components"]["schemas"])


def test_every_list_endpoint_pages(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        operation = operations.get("get")
        if operation is None or not operation["operationId"].startswith("list_"):
            continue
        names = {parameter["name"] for parameter in operation["parameters"]}
        assert {"cursor", "limit"} <= names, path


def _references(part: Any) -> list[str]:
    return re.findall(r'"\$ref": "([^"]+)"', json.dumps(part))
