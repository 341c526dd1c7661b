import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_engine import InvalidRuleset, Problem, check, compile_ruleset, dumps, evaluate
from assay_engine.datafile import loads
from assay_engine.fields import DatafileError
from assay_engine.model import AllOf, Clause, Flag, Not, Operator, Rule, Ruleset, ServeVariant, Variant
from assay_engine.rules.check import Severity
from assay_engine.testing import START, random_context, random_ruleset
from assay_engine.values import FlagType, is_array, is_object

ON: dict[str, Any] = {"variant": "on"}


def split(*ranges: tuple[float, float, str | None], **more: Any) -> dict[str, Any]:
    parts = [{"low": low, "high": high, "variant": variant} for low, high, variant in ranges]
    return {"split": {"salt": "s", "ranges": parts, **more}}


def flag(*rules: dict[str, Any], key: str = "f", **more: Any) -> dict[str, Any]:
    return {
        "key": key,
        "type": "boolean",
        "variants": {"on": True, "off": False},
        "rules": [{"id": f"r{at}", **rule} for at, rule in enumerate(rules)],
        **more,
    }


def problems(*flags: dict[str, Any], **more: Any) -> list[str]:
    return [str(each) for each in found(*flags, **more)]


def found(*flags: dict[str, Any], **more: Any) -> tuple[Problem, ...]:
    return check(loads(json.dumps({"format": "assay.datafile/1", "flags": list(flags), **more})))


def clause(operator: str, *values: Any, **more: Any) -> dict[str, Any]:
    return {"attribute": "plan", "operator": operator, "values": list(values), **more}


ALL: list[tuple[dict[str, Any], str]] = [
    ({"serve": {"variant": "gone"}}, "flag 'f', rule 'r0': flag 'f' has no variant 'gone'"),
    ({"serve": ON, "condition": {"segment": "gone"}}, "no segment 'gone' in this ruleset"),
    (
        {"serve": ON, "prerequisites": [{"flag": "gone", "variants": ["on"]}]},
        "no flag 'gone' in this ruleset",
    ),
    (
        {"serve": ON, "prerequisites": [{"flag": "other", "variants": ["x"]}]},
        "flag 'other' has no variant 'x'",
    ),
    ({"serve": ON, "prerequisites": [{"flag": "other", "variants": []}]}, "names no variant"),
    ({"serve": ON, "condition": clause("less", "ten")}, "the operator 'less' takes one number, not ['ten']"),
    ({"serve": ON, "condition": clause("matches", "(a+)+$")}, "the pattern '(a+)+$' is refused"),
    ({"serve": ON, "condition": {"jsonlogic": {"pow": [1]}}}, "no JsonLogic operator 'pow'"),
    ({"serve": {"jsonlogic": {"rand": []}}}, "no JsonLogic operator 'rand'"),
    (
        {"serve": ON, "schedule": {"starts_at": "2026-02-01T00:00:00Z", "ends_at": "2026-01-01T00:00:00Z"}},
        "the schedule ends at 2026-01-01T00:00:00+00:00, not after its start",
    ),
    ({"serve": split()}, "the split has no ranges"),
    ({"serve": split((0, 5000, "on"), (6000, 10000, "off"))}, "the ranges leave a gap between 5000 and 6000"),
    ({"serve": split((0, 6000, "on"), (5000, 10000, "off"))}, "the ranges overlap between 5000 and 6000"),
    ({"serve": split((0, 9000, "on"))}, "the ranges end at 9000, not at 10000"),
    ({"serve": split((0, 11000, "on"))}, "the ranges end at 11000, not at 10000"),
    ({"serve": split((1, 10000, "on"))}, "the ranges begin at 1, not at 0"),
    (
        {"serve": split((0, 0.5, "on"), (0.5, 10000, "off"))},
        "0.5 bounds a range, but the bucketer counts in whole",
    ),
    (
        {"serve": split((0, 12000, "on"), (12000, 10000, "off"))},
        "the range from 12000 to 10000 runs backwards",
    ),
    ({"serve": split((0, 10000, "on"), layer="gone", experiment="e")}, "no layer 'gone' in this ruleset"),
    (
        {"serve": split((0, 10000, "on"), layer="l", experiment="e")},
        "layer 'l' has no slice for experiment 'e'",
    ),
    ({"serve": split((0, 10000, "on"), sticky={})}, "a sticky split needs an experiment"),
    (
        {"serve": split((0, 10000, "on"), experiment="e", sticky={"minimum": 2})},
        "sticky minimum 2 is above the version 0",
    ),
    (
        {"serve": split((0, 10000, None), missing_unit="first")},
        "missing_unit 'first' needs a range with a variant",
    ),
]


@pytest.mark.parametrize(("rule", "sentence"), ALL)
def test_a_problem_names_the_rule_and_the_value(rule: dict[str, Any], sentence: str) -> None:
    layer = {"id": "l", "bucketing": {"salt": "l"}, "slices": [{"experiment": "x", "low": 0, "high": 10}]}
    told = problems(flag(rule), flag(key="other"), layers=[layer])

    assert any(sentence in each and each.startswith("flag 'f', rule 'r0'") for each in told), told


def test_a_flag_without_problems_has_none() -> None:
    assert (
        problems(flag({"serve": split((0, 3000, "on"), (3000, 10000, None))}, fallthrough=ON, off="off"))
        == []
    )


def test_things_there_twice_are_told() -> None:
    told = problems(flag(), flag(), segments=[{"id": "s"}, {"id": "s"}])

    assert told == ["flag 'f': it is there twice", "segment 's': it is there twice"]


def test_a_cycle_is_told_with_its_way() -> None:
    def needs(key: str, other: str) -> dict[str, Any]:
        return flag({"serve": ON, "prerequisites": [{"flag": other, "variants": ["on"]}]}, key=key)

    assert problems(needs("a", "b"), needs("b", "c"), needs("c", "a")) == [
        "flag 'a': it leads back to itself: flag 'a' → flag 'b' → flag 'c' → flag 'a'"
    ]


def test_a_cycle_through_segments_and_flags_is_told() -> None:
    member = {"id": "s", "condition": {"flag": "f", "variants": ["on"]}}
    nested = [{"id": "t", "condition": {"segment": "u"}}, {"id": "u", "condition": {"not": {"segment": "t"}}}]

    assert any(
        "leads back" in each
        for each in problems(flag({"serve": ON, "condition": {"segment": "s"}}), segments=[member])
    )
    assert any("segment 't' → segment 'u' → segment 't'" in each for each in problems(segments=nested))


def test_chains_are_bounded_in_depth_and_effort() -> None:
    def level(at: int, uses: int) -> dict[str, Any]:
        parts = [{"segment": f"s{at - 1}"}] * uses
        return {"id": f"s{at}", **({"condition": {"any": parts}} if at else {"include": ["u"]})}

    deep = problems(segments=[level(at, 1) for at in range(12)])
    wide = problems(segments=[level(at, 5) for at in range(7)])
    long = problems(segments=[level(at, 1) for at in range(5_000)])

    assert deep == ["segment 's10': its prerequisites and segments are more than 10 deep"]
    assert any("at most 1000 are allowed" in each for each in wide)
    assert len(long) == 1


def test_layers_and_holdouts_are_checked() -> None:
    def layer(*slices: tuple[str, int, int], **bucketing: Any) -> dict[str, Any]:
        parts = [{"experiment": name, "low": low, "high": high} for name, low, high in slices]
        return {"id": "l", "bucketing": {"salt": "l", **bucketing}, "slices": parts}

    assert problems(layers=[layer(("a", 0, 10), ("b", 5, 20))]) == [
        "layer 'l': the slices of 'a' and 'b' overlap between 5 and 10"
    ]
    assert "leaves the line from 0 to 10000" in problems(layers=[layer(("a", 0, 10_001))])[0]
    assert "does not count in whole numbers" in problems(layers=[layer(bucketer="gb2")])[0]
    held = {"id": "h", "bucketing": {"salt": "h"}, "range": {"low": 9, "high": 3}}
    assert problems(holdouts=[held]) == ["holdout 'h': the range from 9 to 3 runs backwards"]


def test_a_unit_both_included_and_excluded_is_told() -> None:
    segment = {"id": "s", "include": ["a", "b"], "exclude": ["b"]}

    assert problems(segments=[segment]) == ["segment 's': 'b' is both included and excluded"]


def test_unreachable_rules_are_warned_of_and_do_not_keep_from_saving() -> None:
    same = clause("equals", "pro")
    told = found(
        flag({"serve": ON, "condition": same}, {"serve": ON, "condition": same}, {"serve": ON}, {"serve": ON})
    )

    assert [(each.where, each.severity) for each in told] == [
        ("flag 'f', rule 'r1'", Severity.WARNING),
        ("flag 'f', rule 'r3'", Severity.WARNING),
    ]


def test_compiling_refuses_with_every_error() -> None:
    broken = flag({"serve": {"variant": "x"}}, {"serve": {"variant": "y"}})

    with pytest.raises(InvalidRuleset) as refused:
        compile_ruleset(json.dumps({"format": "assay.datafile/1", "flags": [broken]}))

    assert [each.message for each in refused.value.problems] == [
        "flag 'f' has no variant 'x'",
        "flag 'f' has no variant 'y'",
    ]


def test_a_model_that_no_datafile_could_carry_is_a_problem() -> None:
    deep = Not(Clause(("a",), Operator.PRESENT))
    for _ in range(5_000):
        deep = Not(deep)
    variants = (Variant("on", True),)

    for condition in (Clause((), Operator.PRESENT), AllOf(()), deep):
        rule = Rule("r", ServeVariant("on"), condition=condition)
        told = check(Ruleset((Flag("f", FlagType.BOOLEAN, variants, rules=(rule,)),)))

        assert bool(told) is (condition != AllOf(()))


def scrambled(document: Any, rng: Random) -> Any:
    """The document with some scalars exchanged for others."""
    if is_object(document):
        return {key: scrambled(item, rng) for key, item in document.items()}
    if is_array(document):
        return [scrambled(item, rng) for item in document]
    if rng.random() < 0.1:
        return rng.choice(
            [None, True, 0, 1, -1, 0.5, 10_000, "", "on", "f0", "s0", "exp1", "plan", "xd", "(a", "\ud800"]
        )
    return document


@given(st.integers(0, 2**63))
def test_nothing_passes_the_check_and_then_makes_evaluation_raise(seed: int) -> None:
    rng = Random(seed)
    document = scrambled(json.loads(dumps(random_ruleset(rng))), rng)
    document["format"] = "assay.datafile/1"
    try:
        compiled = compile_ruleset(json.dumps(document))
    except (DatafileError, InvalidRuleset):
        return
    for _ in range(3):
        context = random_context(rng)
        for key in compiled.flags:
            assert evaluate(compiled, key, context, now=START).flag_key == key


def test_a_rule_that_runs_an_experiment_is_not_left_of_one() -> None:
    held = {"experiment": "d", "holdouts": ["q1"]}
    (refused,) = problems(flag({"serve": split((0, 10_000, "on"), experiment="e"), "held": held}))

    assert "left behind" in refused
    assert problems(flag({"serve": split((0, 10_000, "on")), "held": held})) == []
