import json
import os
from pathlib import Path
from typing import Any

import mmh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_engine.bucketing import murmur3_32
from assay_engine.context import Context
from assay_engine.model import BucketerName, JsonLogic
from assay_engine.rules.jsonlogic import UnknownLogic, compile_logic, reads_the_clock
from assay_engine.testing import START

OWN = json.loads((Path(__file__).parents[3] / "conformance" / "jsonlogic.json").read_text("utf-8"))["cases"]
OPERATORS = [
    "var", "missing", "missing_some", "if", "?:", "==", "!=", "===", "!==", "!", "!!", "and", "or", "<",
    "<=", ">", ">=", "max", "min", "+", "-", "*", "/", "%", "map", "filter", "reduce", "all", "some",
    "none", "merge", "in", "cat", "substr", "log", "starts_with", "ends_with", "sem_ver", "fractional",
]  # fmt: skip


def run(rule: Any, data: Any) -> Any:
    # A case's data may be any JSON; an evaluation's is an object, so the case's is one of its members.
    results: Any = compile_logic(JsonLogic({"map": [[{"var": "data"}], rule]}), "f")({"data": data}, START)
    return results[0]


def on_context(rule: Any, generation: BucketerName = BucketerName.FLAGD_3, **attributes: Any) -> Any:
    return compile_logic(JsonLogic(rule, generation), "flag")(Context.of("u1", attributes).values, START)


def same(left: Any, right: Any) -> bool:
    return json.dumps(left) == json.dumps(right) or (
        left == right and isinstance(left, bool) is isinstance(right, bool)
    )


@pytest.mark.parametrize("case", OWN, ids=lambda case: json.dumps(case["rule"])[:40])
def test_an_expression_gives_what_the_vectors_say(case: dict[str, Any]) -> None:
    assert same(run(case["rule"], case["data"]), case["result"])


def test_the_278_classic_cases_pass() -> None:
    directory = os.environ.get("ASSAY_CONFORMANCE_SUITES")
    if not directory:
        pytest.skip("ASSAY_CONFORMANCE_SUITES is not set; its jsonlogic/compatible.json has these cases")
    cases = json.loads((Path(directory) / "jsonlogic" / "compatible.json").read_text("utf-8"))
    classic: list[Any] = [case for case in cases if not isinstance(case, str)]

    assert len(classic) == 278
    assert [case for case in classic if not same(run(case["rule"], case.get("data")), case["result"])] == []


def test_flagd_gives_its_rules_the_key_and_the_clock() -> None:
    assert on_context({"var": "$flagd.flagKey"}) == "flag"
    assert on_context({"var": "$flagd.timestamp"}) == int(START.timestamp())
    assert reads_the_clock({"<": [{"var": "$flagd.timestamp"}, 5]})
    assert not reads_the_clock({"var": "plan"})


# The formulas of flagd's documentation, written out once more on the vectored hash.
def halves(share: float) -> str:
    return "a" if share < 0.5 else "b"


def signed_share(text: str) -> float:
    hashed = murmur3_32(text)
    return abs(hashed - 2**32 if hashed >= 2**31 else hashed) / 2147483647


def unsigned_share(text: bytes) -> float:
    return mmh3.mmh3_32_uintdigest(text) / 2**32


@pytest.mark.parametrize("email", [f"user{at}@b.c" for at in range(20)])
def test_fractional_keeps_the_generation_it_was_written_for(email: str) -> None:
    keyed: Any = {"fractional": [{"var": "email"}, ["a", 50], ["b", 50]]}
    cbor_text = bytes([0x60 + len(email)]) + email.encode()

    assert on_context(keyed, BucketerName.FLAGD_1, email=email) == halves(signed_share(email))
    assert on_context(keyed, BucketerName.FLAGD_2, email=email) == halves(unsigned_share(email.encode()))
    assert on_context(keyed, BucketerName.FLAGD_3, email=email) == halves(unsigned_share(cbor_text))


def test_without_a_key_fractional_hashes_flag_and_targeting_key() -> None:
    entries: Any = {"fractional": [["a", 50], ["b", 50]]}

    assert on_context(entries, BucketerName.FLAGD_1) == halves(signed_share("flagu1"))
    assert on_context(entries, BucketerName.FLAGD_2) == halves(unsigned_share(b"flagu1"))
    assert on_context(entries, BucketerName.FLAGD_3) == halves(unsigned_share(b"\x82\x64flag\x62u1"))
    assert compile_logic(JsonLogic(entries), "flag")({}, START) is None


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        [["a", "x"]],
        [["a", 0]],
        [["a", 2**31]],
        ["a"],
        [["a", True]],
        [[]],
        [["a", 1, 2]],
        [{"var": "gone"}, ["a"]],
    ],
)
def test_a_malformed_fractional_is_null(arguments: list[Any]) -> None:
    assert on_context({"fractional": arguments}) is None


def test_a_weight_may_be_left_out_negative_or_computed() -> None:
    assert on_context({"fractional": [["a"]]}) == "a"
    assert on_context({"fractional": [["a", -5], ["b", 1]]}) == "b"
    assert on_context({"fractional": [["a", {"var": "share"}], ["b", 0]]}, share=7) == "a"


def test_loops_stop_when_their_budget_is_spent() -> None:
    nested: Any = {"var": ""}
    for _ in range(4):
        nested = {"map": [[1] * 100, nested]}

    assert on_context(nested) is None


def test_values_cannot_grow_without_bound() -> None:
    doubling = {"reduce": [[0] * 200, {"cat": [{"var": "accumulator"}, {"var": "accumulator"}]}, "x"]}
    squaring = {"reduce": [[0] * 200, {"*": [{"var": "accumulator"}, {"var": "accumulator"}]}, 10]}
    merging = {"reduce": [[0] * 200, {"merge": [{"var": "accumulator"}, {"var": "accumulator"}]}, [1]]}

    assert len(on_context(doubling) or "") <= 65_536
    assert on_context(squaring) in (None, 0)
    assert len(on_context(merging) or []) <= 1_000


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ({"pow": [2, 3]}, "'pow'"),
        ([[0] * 6_000], "6002 nodes"),
        (json.loads("[" * 60 + "]" * 60), "50 levels"),
    ],
)
def test_unknown_or_excessive_expressions_are_refused(expression: Any, message: str) -> None:
    with pytest.raises(UnknownLogic, match=message):
        compile_logic(JsonLogic(expression), "f")


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def operations(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.sampled_from(OPERATORS), st.lists(inner, max_size=4)).map(
        lambda pair: {pair[0]: pair[1]}
    )


VARIABLES = st.sampled_from(["a", "a.b", "", 0]).map(lambda path: {"var": path})
EXPRESSIONS: st.SearchStrategy[Any] = st.recursive(JSON | VARIABLES, operations, max_leaves=15)


@given(EXPRESSIONS, st.dictionaries(st.sampled_from(["a", "b", "targetingKey"]), JSON, max_size=3))
def test_no_expression_raises_on_any_data(expression: Any, data: Any) -> None:
    try:
        logic = compile_logic(JsonLogic(expression), "f")
    except UnknownLogic:
        return
    json.dumps(logic(data, START))
