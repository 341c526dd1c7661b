"""Snapshots answer as the engine does inside an application, to the bit, and are swapped as a whole."""

import json
import threading
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.evaluation.requests import Unreadable, canonical, read_context
from assay.evaluation.snapshots import Snapshot, build
from assay_engine import Context, Reason, compile_ruleset, evaluate, evaluate_all, loads
from assay_engine.context import ASSIGNMENTS, TARGETING_KEY
from assay_engine.testing import START, random_context, random_ruleset
from delivery_support import a_flag, a_split, datafile

CONFORMANCE = Path(__file__).parents[4] / "conformance" / "evaluation.json"
ENVIRONMENT = uuid.UUID(int=1)
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def answered(snapshot: Snapshot, key: str, context: Context, now: datetime) -> dict[str, Any]:
    return json.loads(snapshot.answer(key, context, now).body)


@settings(max_examples=300, deadline=None)
@given(st.integers(min_value=0))
def test_what_is_served_is_what_the_datafile_says(seed: int) -> None:
    rng = Random(seed)
    snapshot = build(ENVIRONMENT, random_ruleset(rng))
    in_process = compile_ruleset(snapshot.datafile)
    sent = msgspec.json.encode({"context": _plain(random_context(rng))})
    context = read_context(sent)

    for expected in evaluate_all(in_process, context, now=START):
        given = answered(snapshot, expected.flag_key, context, START)
        if expected.reason is Reason.ERROR:
            assert given["errorCode"] == expected.error_code
            continue
        assert given["variant"] == (expected.variant or "")
        assert given["reason"] == expected.reason
        assert ("value" in given) == (expected.variant is not None)
        if expected.variant is not None:
            assert _with_types(given["value"]) == _with_types(expected.value)


def test_the_conformance_cases_hold_over_the_wire() -> None:
    document = json.loads(CONFORMANCE.read_text())
    snapshot = build(ENVIRONMENT, loads(json.dumps(document["datafile"])))
    in_process = compile_ruleset(snapshot.datafile)

    for case in document["cases"]:
        now = datetime.fromisoformat(case["now"])
        context = read_context(msgspec.json.encode({"context": case["context"]}))
        for key in in_process.walks:
            expected = evaluate(in_process, key, context, now=now)
            given = answered(snapshot, key, context, now)
            assert given.get("errorCode") == expected.error_code
            assert _with_types(given.get("value")) == _with_types(expected.value)
            assert given.get("variant", "") == (expected.variant or "")


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_body_breaks_the_reader(body: bytes) -> None:
    with suppress(Unreadable):
        assert canonical(read_context(body)).startswith(b"{")


def test_assignments_are_not_taken_from_strangers() -> None:
    context = read_context(b'{"context":{"targetingKey":"u","$assignments":{"exp#0":"on"}}}')

    assert ASSIGNMENTS not in context.values


def test_readers_see_one_revision_or_the_other() -> None:
    snapshots = [build(ENVIRONMENT, loads(_revision(number))) for number in (1, 2)]
    served = {ENVIRONMENT: snapshots[0]}
    context = Context.of("u1")
    seen: set[tuple[str, ...]] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            answers = served[ENVIRONMENT].answers(context, NOW)
            seen.add(tuple(json.loads(each.body)["metadata"]["version"] for each in answers))

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for number in range(2_000):
        served[ENVIRONMENT] = snapshots[number % 2]
    done.set()
    for reader in readers:
        reader.join()

    assert seen <= {("1",) * 20, ("2",) * 20}


def test_every_answer_is_encoded_once_however_many_ask() -> None:
    snapshot = build(ENVIRONMENT, loads(datafile(a_flag(fallthrough=a_split()))))

    answers = {id(snapshot.answer("new_form", Context.of(f"u{n}"), NOW)) for n in range(1000)}

    assert len(answers) == 2
    assert snapshot.collect().total() == 0


def test_equal_rules_have_equal_versions_in_every_process() -> None:
    document = datafile(a_flag())

    assert build(ENVIRONMENT, loads(document)).version == build(ENVIRONMENT, loads(document)).version
    assert build(ENVIRONMENT, loads(document)).version != build(ENVIRONMENT, loads(_revision(1))).version


@pytest.mark.parametrize("value", [1e22, -0.0, 5e-324, 1.0, 123456789.0])
def test_a_float_stays_a_float_to_the_bit(value: float) -> None:
    flag = a_flag(type="float", variants={"v": value}, fallthrough={"variant": "v"})
    snapshot = build(ENVIRONMENT, loads(datafile(flag)))

    given = answered(snapshot, "new_form", Context.of("u"), NOW)["value"]

    assert _with_types(given) == _with_types(value)


def _revision(number: int) -> bytes:
    return datafile(*(a_flag(f"f{each}") for each in range(20)), revision=number)


def _plain(context: Context) -> dict[str, Any]:
    """The part of a context that JSON can carry."""
    kept: dict[str, Any] = {}
    for name, value in context.values.items():
        try:
            kept[name] = json.loads(json.dumps(value, allow_nan=False))
            msgspec.json.decode(msgspec.json.encode(kept[name]))
        except (TypeError, ValueError, msgspec.MsgspecError, UnicodeEncodeError):
            kept.pop(name, None)
    if isinstance(kept.get(TARGETING_KEY), dict | list):
        del kept[TARGETING_KEY]
    return kept


def _with_types(value: object) -> str:
    """Text that tells 1 from 1.0 and from true, and -0.0 from 0.0."""
    return json.dumps(value, sort_keys=True)
