"""Unmodified OpenFeature clients against running Assays: PyPI's provider, npm's for Node and browsers."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import (  # pyright: ignore[reportMissingTypeStubs]  # it is typed
    OFREPProvider,
)
from openfeature.evaluation_context import (  # pyright: ignore[reportMissingTypeStubs]  # it is typed
    EvaluationContext,
)
from openfeature.flag_evaluation import FlagEvaluationDetails

from openfeature_support import ENVIRONMENT, Pair, flags, pair

SCRIPTS = Path(__file__).parent / "openfeature"
PRO = EvaluationContext("u1", {"plan": "pro", "n": 1, "f": 1.5, "nested": {"a": [1, "x"]}})
FREE = EvaluationContext("u1", {"plan": "free"})
CODE_DEFAULT = "", "DEFAULT", None
TYPES: dict[str, Any] = {
    "boolean": True,
    "string": "blue",
    "integer": 1,
    "float": 1.0,
    "json": {"a": [1, None, 2.5]},
    "list": [1, "two"],
}


@pytest.fixture(scope="module")
def assay(database_url: str) -> Generator[Pair]:
    # One request, and the next after twenty seconds.
    with pair(database_url, second_rate="0.05") as running:
        running.publish(flags())
        yield running


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scripts and npm's clients as the lock file has them."""
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    if missing:
        sentence = f"{' and '.join(missing)} not found: npm's OpenFeature clients were not run"
        if os.environ.get("CI"):
            pytest.fail(sentence)
        pytest.skip(sentence)
    folder = tmp_path_factory.mktemp("openfeature") / "clients"
    shutil.copytree(SCRIPTS, folder, ignore=shutil.ignore_patterns("node_modules"))
    install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_python_reads_every_type(assay: Pair) -> None:
    client = python_client(assay.url, assay.key("server"))

    answers = {
        "boolean": client.get_boolean_details("boolean", default_value=False, evaluation_context=PRO),
        "string": client.get_string_details("string", "default", PRO),
        "integer": client.get_integer_details("integer", -1, PRO),
        "float": client.get_float_details("float", -1.0, PRO),
        "json": client.get_object_details("json", {}, PRO),
        "list": client.get_object_details("list", [], PRO),
    }

    assert {name: brief(details) for name, details in answers.items()} == {
        name: (value, "v", "STATIC", None) for name, value in TYPES.items()
    }
    assert type(answers["float"].value) is float
    assert type(answers["integer"].value) is int


def test_python_meets_defaults_errors_and_targeting(assay: Pair) -> None:
    client = python_client(assay.url, assay.key("server"))

    default = client.get_string_details("code_default", "mine", PRO)
    disabled = client.get_boolean_details("disabled", default_value=True, evaluation_context=PRO)
    missing = client.get_boolean_details("missing", default_value=True, evaluation_context=PRO)
    mistyped = client.get_integer_details("string", 7, PRO)
    unitless = client.get_boolean_details("split", default_value=True)
    targeted = [client.get_string_details("targeted", "default", context) for context in (FREE, PRO)]

    assert brief(default) == ("mine", "", "DEFAULT", None)
    assert brief(disabled) == (True, "", "DISABLED", None)
    assert brief(missing)[0::3] == (True, "FLAG_NOT_FOUND")
    assert brief(mistyped)[0::3] == (7, "TYPE_MISMATCH")
    assert brief(unitless)[0::3] == (True, "TARGETING_KEY_MISSING")
    assert [brief(each) for each in targeted] == [
        ("s", "small", "DEFAULT", None),
        ("b", "big", "TARGETING_MATCH", None),
    ]
    assert targeted[1].flag_metadata["ruleId"] == "paying"


def test_python_says_that_a_key_is_bad(assay: Pair) -> None:
    client = python_client(assay.url, "nobody")

    details = client.get_boolean_details("boolean", default_value=False, evaluation_context=PRO)

    assert brief(details)[0::3] == (False, "GENERAL")
    assert "unauthorized" in str(details.error_message)


def test_python_pauses_when_told_to(assay: Pair) -> None:
    client = python_client(assay.slow_url, assay.key("server"))

    answers = [
        client.get_boolean_details("boolean", default_value=False, evaluation_context=PRO) for _ in range(3)
    ]

    assert brief(answers[0])[0] is True
    assert [brief(each)[0::3] for each in answers[1:]] == [(False, "GENERAL")] * 2
    # The second is the server's word, the third the client's own: it keeps the pause it was told of.
    assert "paused" in str(answers[2].error_message)


def test_a_publication_reaches_another_process_within_a_second(assay: Pair) -> None:
    headers = {"x-api-key": assay.key("server")}
    address = "/api/v1/datafile"
    before = httpx2.get(f"{assay.slow_url}{address}", headers=headers).json()["revision"]

    begun = time.monotonic()
    revision = assay.publish(flags(string=f"at {begun}"))
    # A new key each time, for its rate is its own; knowing it needs no more than the change itself.
    stream = httpx2.stream(
        "GET", f"{assay.slow_url}{address}/stream", headers={"x-api-key": assay.key("server")}, timeout=5
    )
    with stream as told:
        frames = (line for line in told.iter_lines() if line.startswith("id:"))
        while int(next(frames).removeprefix("id: ").partition("-")[0]) < revision:
            pass
    seconds = time.monotonic() - begun

    assert revision > before
    assert seconds < 1
    assay.publish(flags())


def test_node_reads_all_that_python_reads(assay: Pair, node: Path) -> None:
    seen = run(node, "server.mjs", assay, SERVER_KEY=assay.key("server"))

    assert seen["types"] == {name: answer(value, "v", "STATIC") for name, value in TYPES.items()}
    assert seen["free"] == answer("s", "small", "DEFAULT")
    assert seen["pro"] == answer("b", "big", "TARGETING_MATCH")
    assert seen["missing"]["errorCode"] == "FLAG_NOT_FOUND"
    assert seen["mistyped"]["errorCode"] == "TYPE_MISMATCH"
    assert seen["unitless"]["errorCode"] == "TARGETING_KEY_MISSING"
    assert seen["badKey"]["value"] is False
    assert seen["badKey"]["errorCode"] == "GENERAL"
    # This release is older than code defaults in the protocol: it serves them, and calls them errors.
    assert (seen["codeDefault"]["value"], seen["disabled"]["value"]) == ("mine", True)
    assert seen["first"]["value"] is True
    assert [seen[each]["errorCode"] for each in ("second", "third")] == ["GENERAL"] * 2


def test_a_browser_keeps_up_with_attributes_and_publications(assay: Pair, node: Path) -> None:
    following = flags(string="green")

    seen = run(node, "web.mjs", assay, CLIENT_KEY=assay.key("client"), NEXT_DATAFILE=json.dumps(following))

    paying = answer("b", "big", "TARGETING_MATCH") | {"rule": "paying"}
    assert {name: each["value"] for name, each in seen["types"].items()} == TYPES
    assert {each["reason"] for each in seen["types"].values()} == {"STATIC"}
    assert seen["codeDefault"]["value"] == "mine"
    assert seen["codeDefault"]["reason"] == "DEFAULT"
    assert (seen["disabled"]["value"], seen["disabled"]["reason"]) == (True, "DISABLED")
    assert seen["missing"]["errorCode"] == "FLAG_NOT_FOUND"
    assert seen["mistyped"]["errorCode"] == "TYPE_MISMATCH"
    assert (seen["free"]["value"], seen["pro"]) == ("s", paying)
    assert "string" in seen["changed"]
    assert seen["afterPublish"]["value"] == "green"
    assert seen["changedAfterMilliseconds"] < 1000
    assert (seen["badKey"], seen["badKeyStatus"], seen["badKeyValue"]) == ("PROVIDER_FATAL", "FATAL", False)
    assert "TooManyRequests" in seen["stale"]
    assert seen["valueWhileStale"] is True
    assay.publish(flags())


def test_flags_of_the_journey_are_those_of_the_environment(assay: Pair) -> None:
    served = httpx2.get(f"{assay.url}{ENVIRONMENT}/ruleset").json()

    assert {flag["key"] for flag in served["flags"]} == {flag["key"] for flag in flags()["flags"]}


def python_client(url: str, key: str) -> OpenFeatureClient:
    """A client with a provider of its own."""
    domain = f"{url}/{key}"
    provider = OFREPProvider(url, headers_factory=lambda: {"Authorization": f"Bearer {key}"})
    api.set_provider_and_wait(provider, domain)
    return api.get_client(domain)


def brief(details: FlagEvaluationDetails[Any]) -> tuple[Any, str | None, str | None, str | None]:
    """Value, variant, reason and error."""
    code = details.error_code
    return details.value, details.variant, details.reason, code.value if code else None


def answer(value: object, variant: str, reason: str) -> dict[str, object]:
    """An answer as the scripts print it."""
    return {"value": value, "variant": variant, "reason": reason}


def run(folder: Path, script: str, assay: Pair, **settings: str) -> dict[str, Any]:
    """What a script saw."""
    environment = os.environ | {"ASSAY_URL": assay.url, "SLOW_URL": assay.slow_url} | settings
    done = subprocess.run(
        ["node", script], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)
