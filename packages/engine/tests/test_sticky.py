"""A unit that is remembered keeps its variant within a version, whatever else a ruleset says."""

import json
from datetime import UTC, datetime
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from assay_engine import Context, compile_ruleset, evaluate
from assay_engine.parsing import FORMAT

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ARMS = ("a", "b", "c")


def a_ruleset(rng: Random, version: int) -> bytes:
    """Any shares, salt, condition, holdout and layer around one sticky experiment."""
    inner = sorted(rng.randrange(10_001) for _ in range(5))
    ends = [0, *inner, 10_000]
    names = [*ARMS, *(rng.choice([*ARMS, None]) for _ in range(3))]
    rng.shuffle(names)
    split: dict[str, Any] = {
        "salt": rng.choice("xyz"),
        "ranges": [
            {"low": low, "high": high, "variant": name}
            for low, high, name in zip(ends, ends[1:], names, strict=False)
        ],
        "experiment": "e",
        "sticky": {"version": version, "minimum": rng.randrange(version + 1)},
    }
    rule: dict[str, Any] = {"id": "r", "serve": {"split": split}}
    if rng.random() < 0.5:
        rule["condition"] = {"attribute": "plan", "operator": "equals", "values": ["pro"]}
    document: dict[str, Any] = {"format": FORMAT}
    if rng.random() < 0.3:
        slices = [{"experiment": "e", "low": 0, "high": rng.randrange(1, 10_000)}]
        document["layers"] = [{"id": "l", "bucketing": {"salt": "l"}, "slices": slices}]
        split["layer"] = "l"
    if rng.random() < 0.3:
        held = {"low": 0, "high": rng.randrange(1, 10_000)}
        document["holdouts"] = [{"id": "h", "bucketing": {"salt": "h"}, "range": held}]
    variants = {**{arm: arm for arm in ARMS}, "none": "none"}
    flag = {"key": "f", "type": "string", "variants": variants, "rules": [rule]}
    return json.dumps(document | {"flags": [flag | {"fallthrough": {"variant": "none"}}]}).encode()


@given(st.integers(0, 2**63), st.lists(st.sampled_from([1, 1, 1, 2]), min_size=2, max_size=8))
def test_within_a_version_a_unit_never_changes_arm_whatever_the_ruleset_becomes(
    seed: int, versions: list[int]
) -> None:
    rng, remembered = Random(seed), dict[str, str]()
    met: dict[str, set[str | None]] = {}
    for version in sorted(versions):
        ruleset = compile_ruleset(a_ruleset(rng, version))
        context = Context.of("u", {"plan": rng.choice(["pro", "free"])}, assignments=remembered)
        answer = evaluate(ruleset, "f", context, now=NOW)
        if answer.assignment is not None and answer.variant is not None:
            remembered.setdefault(answer.assignment, answer.variant)
            met.setdefault(answer.assignment, set()).add(answer.variant)

    assert all(len(arms) == 1 for arms in met.values())
