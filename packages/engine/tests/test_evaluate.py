import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from assay_engine import (
    Context,
    ErrorCode,
    Evaluation,
    Reason,
    compile_ruleset,
    evaluate,
    evaluate_all,
    evaluate_many,
    explain,
    next_transition,
)
from assay_engine.rules.compile import CompiledRuleset

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
CASES: Any = json.loads((Path(__file__).parents[3] / "conformance" / "evaluation.json").read_text("utf-8"))


def compiled(*flags: dict[str, Any], **more: Any) -> CompiledRuleset:
    return compile_ruleset(json.dumps({"format": "assay.datafile/1", "flags": list(flags), **more}))


def a_flag(*rules: dict[str, Any], key: str = "f", **more: Any) -> dict[str, Any]:
    return {
        "key": key,
        "type": "string",
        "variants": {"a": "A", "b": "B", "c": "C"},
        "rules": [{"id": f"r{at}", **rule} for at, rule in enumerate(rules)],
        "fallthrough": {"variant": "c"},
        **more,
    }


def a_split(*shares: tuple[str | None, int], **more: Any) -> dict[str, Any]:
    ranges: list[dict[str, Any]] = []
    low = 0
    for variant, share in shares:
        ranges.append({"low": low, "high": low + share, "variant": variant})
        low += share
    return {"split": {"salt": "s", "ranges": ranges, **more}}


EVERYONE_A = a_split(("a", 10_000))


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["name"])
def test_evaluation_gives_what_the_vectors_say(case: dict[str, Any]) -> None:
    ruleset = compile_ruleset(json.dumps(CASES["datafile"]))
    context = Context.from_json(case["context"], assignments=case.get("assignments"))
    answer = evaluate(ruleset, case["flag"], context, now=datetime.fromisoformat(case["now"]))

    assert {
        "value": answer.value,
        "variant": answer.variant,
        "reason": answer.reason.value,
        "rule": answer.rule_id,
        "experiment": answer.experiment,
        "exposure": answer.is_exposure,
        "holdout": answer.holdout,
        "error": answer.error_code,
    } == case["expected"]


def test_an_unknown_flag_is_an_answer_not_an_exception() -> None:
    answer = evaluate(compiled(), "new_form", Context.of("u"), now=NOW)

    assert (answer.reason, answer.error_code) == (Reason.ERROR, ErrorCode.FLAG_NOT_FOUND)
    assert answer.error_message == "no flag 'new_form' in this environment"
    assert [each.error_code for each in evaluate_many(compiled(), "x", [Context.of()], now=NOW)] == [
        ErrorCode.FLAG_NOT_FOUND
    ]


def test_a_flag_without_rules_is_static_and_with_rules_default() -> None:
    ruleset = compiled(a_flag(), a_flag({"serve": {"variant": "a"}, "condition": {"any": []}}, key="g"))

    assert [each.reason for each in evaluate_all(ruleset, Context.of("u"), now=NOW)] == [
        Reason.STATIC,
        Reason.DEFAULT,
    ]


def test_a_disabled_flag_serves_its_off_variant_or_the_applications_default() -> None:
    ruleset = compiled(a_flag(enabled=False, off="b"), a_flag(key="g", enabled=False))

    with_off, without = evaluate_all(ruleset, Context.of("u"), now=NOW)
    assert (with_off.value, with_off.reason) == ("B", Reason.DISABLED)
    assert (without.value, without.variant, without.reason) == (None, None, Reason.DISABLED)


def test_rules_apply_in_their_order() -> None:
    first, second = {"serve": {"variant": "a"}}, {"serve": {"variant": "b"}}

    assert evaluate(compiled(a_flag(first, second)), "f", Context.of("u"), now=NOW).rule_id == "r0"


@pytest.mark.parametrize("count", [1, 2, 5, 6, 7, 8, 50, 200])
def test_the_last_of_any_number_of_rules_is_reached(count: int) -> None:
    never = {"serve": {"variant": "a"}, "condition": {"attribute": "x", "operator": "present"}}
    ruleset = compiled(a_flag(*[never] * (count - 1), {"serve": {"variant": "b"}}))

    assert evaluate(ruleset, "f", Context.of("u"), now=NOW).rule_id == f"r{count - 1}"


def test_shares_are_met_and_the_free_tail_goes_on() -> None:
    ruleset = compiled(a_flag({"serve": a_split(("a", 2_000), ("b", 1_000), (None, 7_000))}))
    answers = evaluate_many(ruleset, "f", [Context.of(f"u{at}") for at in range(20_000)], now=NOW)
    counts = Counter(answer.variant for answer in answers)

    # Six standard errors of a share of 20 % and of 10 % in 20,000.
    assert abs(counts["a"] - 4_000) < 340
    assert abs(counts["b"] - 2_000) < 255
    assert {answer.reason for answer in answers} == {Reason.SPLIT, Reason.DEFAULT}


def test_raising_a_rollout_keeps_everyone_already_in() -> None:
    contexts = [Context.of(f"u{at}") for at in range(2_000)]
    small = compiled(a_flag({"serve": a_split(("a", 1_000), (None, 9_000))}))
    large = compiled(a_flag({"serve": a_split(("a", 3_000), (None, 7_000))}))
    before, after = (
        {at for at, each in enumerate(evaluate_many(ruleset, "f", contexts, now=NOW)) if each.variant == "a"}
        for ruleset in (small, large)
    )

    assert before < after


@pytest.mark.parametrize(
    ("policy", "unit", "variant", "error"),
    [
        ("standard", "targetingKey", None, ErrorCode.TARGETING_KEY_MISSING),
        ("standard", "company", "c", None),
        ("skip", "targetingKey", "c", None),
        ("first", "company", "a", None),
    ],
)
def test_a_missing_unit_is_met_as_the_split_says(
    policy: str, unit: str, variant: str | None, error: Any
) -> None:
    serve = a_split(("a", 5_000), ("b", 5_000), unit=unit, missing_unit=policy, experiment="e")
    answer = evaluate(compiled(a_flag({"serve": serve})), "f", Context.of(None, {"plan": "pro"}), now=NOW)

    assert (answer.variant, answer.error_code, answer.is_exposure) == (variant, error, False)


def test_a_targeting_key_is_needed_only_by_a_rule_that_matches() -> None:
    rule = {"serve": EVERYONE_A, "condition": {"attribute": "plan", "operator": "equals", "values": ["pro"]}}

    assert evaluate(compiled(a_flag(rule)), "f", Context.of(), now=NOW).variant == "c"


def test_an_experiments_split_is_an_exposure() -> None:
    ruleset = compiled(
        a_flag({"serve": a_split(("a", 10_000), experiment="exp")}), a_flag({"serve": EVERYONE_A}, key="g")
    )
    exposed, not_exposed = evaluate_all(ruleset, Context.of("u"), now=NOW)

    assert (exposed.experiment, exposed.is_exposure) == ("exp", True)
    assert (not_exposed.experiment, not_exposed.is_exposure) == (None, False)


def test_experiments_of_a_layer_exclude_one_another() -> None:
    layer = {
        "id": "l",
        "bucketing": {"salt": "layer"},
        "slices": [
            {"experiment": "x", "low": 0, "high": 5_000},
            {"experiment": "y", "low": 5_000, "high": 8_000},
        ],
    }
    flags = [
        a_flag({"serve": a_split(("a", 10_000), experiment=name, layer="l")}, key=name) for name in ("x", "y")
    ]
    ruleset = compiled(*flags, layers=[layer])
    joint = Counter(
        tuple(answer.is_exposure for answer in evaluate_all(ruleset, Context.of(f"u{at}"), now=NOW))
        for at in range(5_000)
    )

    assert joint[True, True] == 0
    assert abs(joint[True, False] - 2_500) < 220
    assert abs(joint[False, True] - 1_500) < 200


def test_a_held_out_unit_gets_what_follows_and_the_holdouts_name() -> None:
    holdout = {
        "id": "q1",
        "bucketing": {"salt": "h"},
        "range": {"low": 0, "high": 10_000},
        "experiments": ["e"],
    }
    flags = [a_flag({"serve": a_split(("a", 10_000), experiment=name)}, key=name) for name in ("e", "other")]
    held, free = evaluate_all(compiled(*flags, holdouts=[holdout]), Context.of("u"), now=NOW)

    assert (held.variant, held.holdout, held.is_exposure) == ("c", "q1", False)
    assert (free.variant, free.holdout) == ("a", None)


def a_holdout(held: int, experiments: list[str] | None = None, key: str = "q1") -> dict[str, Any]:
    range_ = {"low": 0, "high": held}
    scope = {} if experiments is None else {"experiments": experiments}
    return {"id": key, "bucketing": {"salt": key}, "range": range_, **scope}


def met(answer: Evaluation) -> dict[str, bool]:
    return {each.id: each.is_held for each in answer.holdouts}


def test_who_comes_to_an_experiment_meets_its_holdouts_whether_or_not_it_serves_them() -> None:
    half = a_split(("a", 5_000), (None, 5_000), experiment="e")
    ruleset = compiled(a_flag({"serve": half}), holdouts=[a_holdout(2_000, ["e"])])
    answers = [evaluate(ruleset, "f", Context.of(f"u{at}"), now=NOW) for at in range(2_000)]
    held = sum(met(answer)["q1"] for answer in answers)

    assert abs(held - 400) < 75
    assert all((answer.holdout == "q1") is met(answer)["q1"] for answer in answers)
    assert {(met(answer)["q1"], answer.variant) for answer in answers} == {
        (True, "c"), (False, "a"), (False, "c"),
    }  # fmt: skip


def test_who_does_not_come_as_far_as_a_guarded_rule_meets_no_holdout() -> None:
    pro = {"attribute": "plan", "operator": "equals", "values": ["pro"]}
    rule = {"serve": a_split(("a", 10_000), experiment="e"), "condition": pro}
    ruleset = compiled(a_flag(rule), holdouts=[a_holdout(10_000)])
    others = [Context.of("u"), Context.of("u", {"plan": "free"})]

    assert [evaluate(ruleset, "f", each, now=NOW).holdouts for each in others] == [(), ()]
    assert met(evaluate(ruleset, "f", Context.of("u", {"plan": "pro"}), now=NOW)) == {"q1": True}


def test_what_an_experiment_left_behind_stays_behind_the_holdouts_of_its_time() -> None:
    left = {"serve": {"variant": "a"}, "held": {"experiment": "e", "holdouts": ["q1"]}}
    later = a_holdout(10_000, key="q2")

    def answer(*holdouts: dict[str, Any]) -> Evaluation:
        return evaluate(compiled(a_flag(left), holdouts=[*holdouts]), "f", Context.of("u"), now=NOW)

    kept_out, released, gone = answer(a_holdout(10_000), later), answer(a_holdout(10_000, [])), answer()
    assert (kept_out.variant, kept_out.holdout, met(kept_out)) == ("c", "q1", {"q1": True})
    assert [(each.variant, met(each)) for each in (released, gone)] == [("a", {}), ("a", {})]
    assert (answer(later).variant, met(answer(a_holdout(0)))) == ("a", {"q1": False})


def test_a_unit_that_keeps_its_arm_still_has_its_side_of_a_holdout() -> None:
    serve = a_split(("a", 10_000), ("b", 0), experiment="e", sticky={})
    ruleset = compiled(a_flag({"serve": serve}), holdouts=[a_holdout(10_000)])
    kept = evaluate(ruleset, "f", Context.of("u", assignments={"e#0": "b"}), now=NOW)

    assert (kept.variant, kept.holdout, met(kept)) == ("b", None, {"q1": True})


def test_the_same_encounter_is_the_same_answer() -> None:
    flag = a_flag(
        {"serve": a_split((None, 10_000), experiment="e")},
        {"serve": a_split((None, 10_000), experiment="d")},
    )
    ruleset = compiled(flag, holdouts=[a_holdout(0, ["e"]), a_holdout(5_000, ["d"], key="q2")])
    answers = [evaluate(ruleset, "f", Context.of(f"u{at}"), now=NOW) for at in range(50)]

    assert len({id(answer) for answer in answers}) == 2
    assert {tuple(met(answer).items()) for answer in answers} == {
        (("q1", False), ("q2", False)), (("q1", False), ("q2", True)),
    }  # fmt: skip


def sticky(version: int, minimum: int = 0) -> CompiledRuleset:
    serve = a_split(("a", 10_000), ("b", 0), experiment="e", sticky={"version": version, "minimum": minimum})
    condition = {"attribute": "plan", "operator": "equals", "values": ["pro"]}
    return compiled(a_flag({"serve": serve, "condition": condition}))


def test_a_sticky_assignment_outlasts_condition_and_shares() -> None:
    kept = evaluate(sticky(1), "f", Context.of("u", assignments={"e#1": "b"}), now=NOW)

    assert (kept.variant, kept.is_exposure, kept.assignment) == ("b", True, "e#1")


def test_an_assignment_of_another_version_or_to_a_variant_gone_is_forgotten() -> None:
    pro = {"plan": "pro"}

    assert evaluate(sticky(1), "f", Context.of("u", pro, assignments={"e#0": "b"}), now=NOW).variant == "a"
    assert evaluate(sticky(1), "f", Context.of("u", pro, assignments={"e#1": "z"}), now=NOW).variant == "a"


def test_a_unit_assigned_before_the_minimum_is_left_out() -> None:
    context = Context.of("u", {"plan": "pro"}, assignments={"e#0": "b"})

    assert evaluate(sticky(1, minimum=1), "f", context, now=NOW).variant == "c"


def test_a_prerequisite_needs_the_other_flag_enabled_and_serving_the_variant() -> None:
    child = a_flag({"serve": {"variant": "a"}, "prerequisites": [{"flag": "parent", "variants": ["a"]}]})
    serving = a_flag({"serve": {"variant": "a"}}, key="parent")
    disabled = a_flag(key="parent", enabled=False, off="a")

    assert evaluate(compiled(child, serving), "f", Context.of("u"), now=NOW).variant == "a"
    assert evaluate(compiled(child, disabled), "f", Context.of("u"), now=NOW).variant == "c"
    assert evaluate(compiled(child, a_flag(key="parent")), "f", Context.of("u"), now=NOW).variant == "c"


def test_a_schedule_includes_its_start_and_not_its_end() -> None:
    rule = {
        "serve": {"variant": "a"},
        "schedule": {"starts_at": "2026-01-15T12:00:00Z", "ends_at": "2026-01-16T12:00:00+00:00"},
    }
    ruleset = compiled(a_flag(rule))
    moments = [
        NOW - timedelta(microseconds=1),
        NOW,
        NOW + timedelta(days=1, microseconds=-1),
        NOW + timedelta(days=1),
    ]

    assert [evaluate(ruleset, "f", Context.of(), now=at).variant for at in moments] == ["c", "a", "a", "c"]
    assert [next_transition(ruleset, at) for at in moments] == [
        NOW,
        NOW + timedelta(days=1),
        NOW + timedelta(days=1),
        None,
    ]


def test_answers_change_only_at_transitions() -> None:
    rules = [
        {
            "serve": {"variant": "a"},
            "schedule": {
                "starts_at": f"2026-01-{day:02}T00:00:00Z",
                "ends_at": f"2026-01-{day + 1:02}T00:00:00Z",
            },
        }
        for day in (16, 18, 20)
    ]
    ruleset = compiled(a_flag(*rules))
    at, seen = NOW, [evaluate(ruleset, "f", Context.of(), now=NOW)]
    while (following := next_transition(ruleset, at)) is not None:
        just_before = following - timedelta(microseconds=1)
        assert evaluate(ruleset, "f", Context.of(), now=just_before) == seen[-1]
        at = following
        seen.append(evaluate(ruleset, "f", Context.of(), now=at))

    assert [each.variant for each in seen] == ["c", "a", "c", "a", "c", "a", "c"]


def test_an_expression_on_the_clock_may_change_with_every_second() -> None:
    late = {
        "serve": {
            "jsonlogic": {"if": [{">=": [{"var": "$flagd.timestamp"}, int(NOW.timestamp()) + 1]}, "a", None]}
        }
    }
    ruleset = compiled(a_flag(late))
    following = next_transition(ruleset, NOW)

    assert following is not None
    assert following == NOW + timedelta(seconds=1)
    assert [evaluate(ruleset, "f", Context.of(), now=at).variant for at in (NOW, following)] == ["c", "a"]


def test_a_jsonlogic_result_names_the_variant() -> None:
    ruleset = compiled(a_flag({"serve": {"jsonlogic": {"var": "want"}}}))
    wanted = [
        evaluate(ruleset, "f", Context.of("u", {"want": want}), now=NOW) for want in ("a", None, "zz", ["a"])
    ]

    assert [(each.variant, each.reason) for each in wanted] == [
        ("a", Reason.TARGETING_MATCH),
        ("c", Reason.DEFAULT),
        (None, Reason.ERROR),
        (None, Reason.ERROR),
    ]


def test_segments_nest_and_lists_come_before_the_condition() -> None:
    segments = [
        {"id": "inner", "condition": {"attribute": "plan", "operator": "equals", "values": ["pro"]}},
        {"id": "outer", "include": ["vip"], "exclude": ["spy"], "condition": {"segment": "inner"}},
    ]
    ruleset = compiled(
        a_flag({"serve": {"variant": "a"}, "condition": {"segment": "outer"}}), segments=segments
    )

    def variant(key: str, plan: str | None) -> str | None:
        return evaluate(ruleset, "f", Context.of(key, {"plan": plan}), now=NOW).variant

    assert [variant("vip", None), variant("spy", "pro"), variant("u", "pro"), variant("u", None)] == [
        "a",
        "c",
        "a",
        "c",
    ]


def test_outside_a_segment_is_known_even_when_its_attribute_is_missing() -> None:
    segment = {"id": "s", "condition": {"attribute": "beta", "operator": "equals", "values": [True]}}
    ruleset = compiled(
        a_flag({"serve": {"variant": "a"}, "condition": {"not": {"segment": "s"}}}), segments=[segment]
    )

    assert evaluate(ruleset, "f", Context.of("u"), now=NOW).variant == "a"


def test_json_values_cannot_be_changed_by_who_receives_them() -> None:
    flag = {"key": "j", "type": "json", "variants": {"v": {"list": [1]}}, "fallthrough": {"variant": "v"}}
    value: Any = evaluate(compiled(flag), "j", Context.of(), now=NOW).value

    assert value == {"list": [1]}
    assert json.dumps(value) == '{"list": [1]}'
    with pytest.raises(TypeError, match="read-only"):
        value["other"] = 1
    with pytest.raises(TypeError, match="read-only"):
        value.update(other=1)
    with pytest.raises(TypeError, match="read-only"):
        value["list"].append(2)


def test_an_answer_cannot_be_changed() -> None:
    answer = evaluate(compiled(a_flag()), "f", Context.of(), now=NOW)

    with pytest.raises(AttributeError, match="immutable"):
        answer.value = "other"  # pyright: ignore[reportAttributeAccessIssue]  # the point of the test


def test_threads_share_one_ruleset() -> None:
    ruleset = compiled(a_flag({"serve": a_split(("a", 5_000), ("b", 5_000))}))
    contexts = [Context.of(f"u{at}") for at in range(500)]
    expected = evaluate_many(ruleset, "f", contexts, now=NOW)

    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(evaluate_many, ruleset, "f", contexts, now=NOW) for _ in range(40)]

    assert all(each.result() == expected for each in running)


class Plan(StrEnum):
    PRO = "pro"


def test_a_context_takes_application_values() -> None:
    naive = NOW.replace(tzinfo=None)
    context = Context.of(
        "u", {"plan": Plan.PRO, "at": NOW, "naive": naive, "tags": ("a", {"b"}), "own": object()}
    )

    assert context.targeting_key == "u"
    assert type(context.values["plan"]) is str
    assert context.values["at"] == NOW
    assert context.values["naive"] is context.values["own"] is None
    assert context.values["tags"] == ["a", ["b"]]


def test_a_context_cannot_smuggle_assignments_among_its_attributes() -> None:
    assert "$assignments" not in Context.from_json({"$assignments": {"e#1": "b"}}).values
    assert Context.of("").targeting_key is None


def test_an_explanation_tells_the_steps() -> None:
    rules = [
        {
            "serve": {"variant": "a"},
            "name": "staff",
            "condition": {"attribute": "email", "operator": "ends_with", "values": ["@acme.com"]},
        },
        {"serve": a_split(("b", 10_000), experiment="e")},
    ]
    told = explain(compiled(a_flag(*rules)), "f", Context.of("u"), now=NOW)

    assert str(told).splitlines() == [
        "f: variant 'b' (SPLIT)",
        "  ✗ rule 'r0' (staff)",
        "    ? email ends_with '@acme.com'; it is missing",
        "  ✓ rule 'r1'",
        "    ✓ bucket 8108 of targetingKey by 'xd' lies in the range of 'b'",
    ]


def test_a_split_that_exposes_nobody_keeps_the_assignments_of_the_experiment_it_names() -> None:
    serve = a_split(("a", 10_000), ("b", 0), sticky={"version": 2, "experiment": "e"})
    ruleset = compiled(a_flag({"serve": serve}))
    kept = evaluate(ruleset, "f", Context.of("u", assignments={"e#2": "b"}), now=NOW)

    assert (kept.variant, kept.is_exposure, kept.experiment, kept.assignment) == ("b", False, None, None)
