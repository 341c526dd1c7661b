import json
import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_engine import DatafileError, dumps, loads
from assay_engine import parsing as limits
from assay_engine.datafile import schema
from assay_engine.model import BucketerName, Operator
from assay_engine.testing import mutated_document, random_ruleset
from assay_engine.values import is_array, is_object

FLAG: dict[str, Any] = {"key": "f", "type": "boolean", "variants": {"on": True, "off": False}}


def datafile(*flags: dict[str, Any], **more: Any) -> str:
    return json.dumps({"format": "assay.datafile/1", "flags": list(flags), **more})


def conforms(value: Any, rule: Any, root: Any) -> bool:  # noqa: C901, PLR0911 — the keywords of one schema, each a line
    """Whether a value meets the part of JSON Schema 2020-12 that the datafile's schema uses."""
    if rule is True:
        return True
    if "$ref" in rule and not conforms(value, root["$defs"][rule["$ref"].rsplit("/", 1)[1]], root):
        return False
    if "oneOf" in rule and sum(conforms(value, each, root) for each in rule["oneOf"]) != 1:
        return False
    if "anyOf" in rule and not any(conforms(value, each, root) for each in rule["anyOf"]):
        return False
    if "enum" in rule and value not in rule["enum"]:
        return False
    if "const" in rule and value != rule["const"]:
        return False
    if "type" in rule and not has_type(value, rule["type"]):
        return False
    if isinstance(value, str):
        return conforms_as_text(value, rule)
    if is_array(value):
        return conforms_as_array(value, rule, root)
    if is_object(value):
        return conforms_as_object(value, rule, root)
    if isinstance(value, bool) or value is None:
        return True
    return rule.get("minimum", value) <= value <= rule.get("maximum", value)


def has_type(value: Any, name: str) -> bool:
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(
        value, {"string": str, "array": list, "object": dict, "boolean": bool, "null": type(None)}[name]
    )


def conforms_as_text(value: str, rule: Any) -> bool:
    if rule.get("format") == "date-time" and not re.fullmatch(r"\d{4}-.*T.*(Z|[+-]\d\d:\d\d)", value):
        return False
    return rule.get("minLength", 0) <= len(value) <= rule.get("maxLength", len(value)) and bool(
        re.search(rule.get("pattern", ""), value)
    )


def conforms_as_array(value: Sequence[Any], rule: Any, root: Any) -> bool:
    sized = rule.get("minItems", 0) <= len(value) <= rule.get("maxItems", len(value))
    return sized and all(conforms(item, rule.get("items", True), root) for item in value)


def conforms_as_object(value: Mapping[str, Any], rule: Any, root: Any) -> bool:
    if not rule.get("minProperties", 0) <= len(value) <= rule.get("maxProperties", len(value)):
        return False
    if not set(rule.get("required", ())) <= value.keys():
        return False
    properties, others = rule.get("properties", {}), rule.get("additionalProperties", True)
    return all(
        conforms(name, rule.get("propertyNames", True), root)
        and (
            conforms(item, properties[name], root)
            if name in properties
            else others is not False and conforms(item, others, root)
        )
        for name, item in value.items()
    )


def accepted(document: Any) -> bool:
    try:
        loads(json.dumps(document))
    except DatafileError:
        return False
    return True


@given(st.integers(0, 2**63))
def test_a_ruleset_survives_the_wire(seed: int) -> None:
    ruleset = random_ruleset(Random(seed))
    written = dumps(ruleset)

    assert loads(written) == ruleset
    assert dumps(loads(written)) == written


@given(st.integers(0, 2**63))
def test_what_is_written_meets_the_schema(seed: int) -> None:
    assert conforms(json.loads(dumps(random_ruleset(Random(seed)))), schema(), schema())


@given(st.integers(0, 2**63))
def test_the_schema_refuses_nothing_that_the_parser_takes(seed: int) -> None:
    rng = Random(seed)
    document = mutated_document(json.loads(dumps(random_ruleset(rng))), rng)

    assert not accepted(document) or conforms(document, schema(), schema())


# What a schema cannot say, the parser alone refuses: values of a variant's type, depth, lone surrogates.
def test_the_parser_takes_most_of_what_the_schema_takes() -> None:
    rng = Random(11)
    documents = [mutated_document(json.loads(dumps(random_ruleset(rng))), rng) for _ in range(600)]
    conforming = [document for document in documents if conforms(document, schema(), schema())]

    assert len(conforming) < 500
    assert sum(map(accepted, conforming)) / len(conforming) > 0.9


def test_the_schema_knows_every_key_operator_and_bucketer_of_the_parser() -> None:
    document: Any = schema()
    definitions = document["$defs"]

    assert set(document["properties"]) == set(limits._RULESET)  # pyright: ignore[reportPrivateUsage]  # the two must not drift
    assert set(definitions["flag"]["properties"]) == set(limits._FLAG)  # pyright: ignore[reportPrivateUsage]  # likewise
    assert set(definitions["rule"]["properties"]) == set(limits._RULE)  # pyright: ignore[reportPrivateUsage]  # likewise
    assert set(definitions["split"]["properties"]) == set(limits._SPLIT)  # pyright: ignore[reportPrivateUsage]  # likewise
    assert definitions["condition"]["oneOf"][0]["properties"]["operator"]["enum"] == list(Operator)
    assert definitions["bucketing"]["properties"]["bucketer"]["enum"] == list(BucketerName)
    assert document["properties"]["flags"]["maxItems"] == limits.MOST_FLAGS


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("{", "the datafile is not JSON"),
        ("[]", "an object is needed, not []"),
        ('{"format": "other"}', "format: 'other' is not the format 'assay.datafile/1'"),
        ('{"format": "assay.datafile/1", "revision": NaN}', "NaN is no JSON number"),
        ("[" * 100_000, "nested too deeply"),
        (datafile(FLAG, extra=1), "unknown key 'extra'; the keys here are environment, flags"),
        (datafile({**FLAG, "key": "a/b"}), 'flags[0].key: "a/b" is not a key'),
        (datafile({**FLAG, "key": "a..b"}), "is not a key"),
        (
            datafile({**FLAG, "type": "bool"}),
            'flags[0].type: "bool" is none of boolean, string, integer, float, json',
        ),
        (
            datafile({**FLAG, "variants": {"on": 1}}),
            "flags[0].variants.on: 1 is not a value of a boolean flag",
        ),
        (datafile({**FLAG, "variants": {}}), "a flag has 1 to 100 variants, not 0"),
        (
            datafile({**FLAG, "type": "integer", "variants": {"a": 1.0}}),
            "1.0 is not a value of a integer flag",
        ),
        (datafile({**FLAG, "type": "integer", "variants": {"a": 2**53}}), "is not a value of a integer flag"),
        (
            datafile({**FLAG, "type": "string", "variants": {"a": "\ud800"}}),
            "is not a value of a string flag",
        ),
        (datafile({**FLAG, "rules": [{"id": "r"}]}), "flags[0].rules[0]: the key 'serve' is missing"),
        (
            datafile({**FLAG, "rules": [{"id": "r", "serve": {"variant": ""}}]}),
            "is not a name of 1 to 128 characters",
        ),
        (
            datafile({**FLAG, "fallthrough": {"split": {"salt": "s", "ranges": [{"low": 0}]}}}),
            "flags[0].fallthrough.split.ranges[0]: the key 'high' is missing",
        ),
        (
            datafile(
                {
                    **FLAG,
                    "rules": [
                        {"id": "r", "serve": {"variant": "on"}, "schedule": {"starts_at": "2026-01-01"}}
                    ],
                }
            ),
            'rules[0].schedule.starts_at: "2026-01-01" is not a time with its offset',
        ),
        (
            datafile({**FLAG, "rules": [{"id": "r", "serve": {"variant": "on"}, "condition": {}}]}),
            "a condition has one of the keys attribute, all, any",
        ),
    ],
)
def test_a_document_of_another_form_is_refused_with_place_and_value(document: str, sentence: str) -> None:
    with pytest.raises(DatafileError) as refused:
        loads(document)

    assert sentence in str(refused.value)


def test_conditions_have_a_depth_limit() -> None:
    condition: dict[str, Any] = {"attribute": "a", "operator": "present"}
    for _ in range(10):
        condition = {"not": condition}

    with pytest.raises(DatafileError, match="nested deeper than 10 levels"):
        loads(datafile({**FLAG, "rules": [{"id": "r", "serve": {"variant": "on"}, "condition": condition}]}))


def test_a_float_flag_has_floats_and_an_integer_flag_integers() -> None:
    written = dumps(loads(datafile({"key": "f", "type": "float", "variants": {"one": 1, "half": 0.5}})))

    assert b'"one":1.0' in written
    assert type(loads(written).flags[0].variants[0].value) is float


def test_a_datafile_too_large_is_refused_unread() -> None:
    with pytest.raises(DatafileError, match="at most 67108864 are allowed"):
        loads(b" " * (limits.LARGEST_DATAFILE_BYTES + 1))


def test_clauses_are_shared_only_with_their_equals() -> None:
    def values(*written: Any) -> list[Any]:
        clause = {"attribute": "shared", "operator": "in", "values": list(written)}
        rule = {"id": "r", "condition": clause, "serve": {"variant": "on"}}
        return json.loads(dumps(loads(datafile({**FLAG, "rules": [rule]}))))["flags"][0]["rules"][0][
            "condition"
        ]["values"]

    for written in ([1], [True], [1.0], [0.0], [-0.0], [1, True], ["1"], [0], [False]):
        assert [(type(each), str(each)) for each in values(*written)] == [
            (type(each), str(each)) for each in written
        ]
