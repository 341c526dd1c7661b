"""Two processes of one Assay, the flags that clients ask for, and keys."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from assay_engine.parsing import FORMAT
from journey_support import data_folder, running_assay

ENVIRONMENT = "/api/v1/projects/default/environments/production"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two processes on one database: the second takes hardly any requests."""

    url: str
    slow_url: str

    def publish(self, datafile: dict[str, Any]) -> int:
        """Publishes through the first process; the revision."""
        answer = httpx2.post(f"{self.url}{ENVIRONMENT}/ruleset", json=datafile)
        answer.raise_for_status()
        return answer.json()["revision"]

    def key(self, kind: str) -> str:
        """A new key's token."""
        answer = httpx2.post(f"{self.url}{ENVIRONMENT}/keys", json={"kind": kind, "name": kind})
        answer.raise_for_status()
        return answer.json()["token"]


@contextmanager
def pair(database_url: str, *, second_rate: str) -> Generator[Pair]:
    """Two processes of Assay on one database, ended with the block."""
    with ExitStack() as stack:
        common = {"ASSAY_DATABASE_URL": database_url, "ASSAY_WORKER_ENABLED": "false"}
        slow = common | {"ASSAY_DELIVERY_RATE_PER_SECOND": second_rate}
        first = stack.enter_context(running_assay(_folder(stack), settings=common))
        second = stack.enter_context(running_assay(_folder(stack), settings=slow))
        yield Pair(first.url, second.url)


def flags(**values: Any) -> dict[str, Any]:
    """A datafile with a flag of every kind; `values` replaces what single flags serve."""
    served: dict[str, tuple[str, Any]] = {
        "boolean": ("boolean", True),
        "string": ("string", "blue"),
        "integer": ("integer", 1),
        "float": ("float", 1.0),
        "json": ("json", {"a": [1, None, 2.5]}),
        "list": ("json", [1, "two"]),
    }
    plain = [_flag(key, kind, values.get(key, value)) for key, (kind, value) in served.items()]
    return {"format": FORMAT, "flags": [*plain, *_special()]}


def _flag(key: str, kind: str, value: object) -> dict[str, Any]:
    return {"key": key, "type": kind, "variants": {"v": value}, "fallthrough": {"variant": "v"}}


def _special() -> list[dict[str, Any]]:
    condition = {"attribute": "plan", "operator": "equals", "values": ["pro"]}
    rule = {"id": "paying", "condition": condition, "serve": {"variant": "big"}}
    halves = [{"low": 0, "high": 5000, "variant": "on"}, {"low": 5000, "high": 10000, "variant": "off"}]
    booleans = {"on": True, "off": False}
    return [
        {"key": "code_default", "type": "string", "variants": {"v": "x"}},
        {"key": "disabled", "type": "boolean", "variants": booleans, "enabled": False},
        {
            "key": "targeted",
            "type": "string",
            "variants": {"small": "s", "big": "b"},
            "rules": [rule],
            "fallthrough": {"variant": "small"},
        },
        {
            "key": "split",
            "type": "boolean",
            "variants": booleans,
            "fallthrough": {"split": {"salt": "s", "ranges": halves, "experiment": "halves"}},
        },
    ]


def _folder(stack: ExitStack) -> Path:
    return stack.enter_context(data_folder())
