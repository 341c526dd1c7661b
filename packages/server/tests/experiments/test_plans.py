"""Plans: what fits together, their digest, and what departs from them."""

import hashlib
from typing import Any

import pytest
from pydantic import ValidationError

from assay.experiments import freezing
from assay.experiments.design import Arm
from assay.experiments.freezing import MetricVersion
from assay.experiments.plan import Plan


def a_plan(**parts: Any) -> Plan:
    return Plan.model_validate({"goals": [{"metric": "orders"}], "duration_days": 14} | parts)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"secondary": ["orders"]}, "metric 'orders' is listed more than once"),
        (
            {"ramp": [{"coverage": 0.5, "hours": 1.0}], "coverage": 0.5},
            "a ramp rises up to the plan's coverage",
        ),
        ({"targeting": {"attribute": "plan"}}, "targeting: "),
        ({"targeting": {"attribute": "n", "operator": "equals", "values": [2**60]}}, "targeting: "),
        ({"method": {"kind": "group_sequential", "looks": 1}}, "greater than or equal to 2"),
        ({"method": {"kind": "group_sequential", "spending": {"parameter": 1.0}}}, "takes no parameter"),
        ({"alpha": 0.7}, "less than or equal to 0.5"),
        ({"coverage": 0.0}, "greater than 0"),
        ({"guardrails": [{"metric": "refunds"}]}, "Field required"),
    ],
)
def test_parts_that_do_not_fit_are_refused(parts: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        a_plan(**parts)


def test_the_digest_is_that_of_the_canonical_json() -> None:
    arms = [Arm(key="a", weight=1.0), Arm(key="b", weight=2.0)]
    found = freezing.document(
        "e", "production", arms, "a", a_plan(), [MetricVersion("orders", 3, "increase")]
    )

    # By hand: keys sorted, no spaces, 1.0 written as 1.
    text = (
        '{"arms":[{"key":"a","weight":1},{"key":"b","weight":2}],"control":"a","environment":"production",'
        '"experiment":"e","format":1,"metrics":[{"direction":"increase","key":"orders","version":3}],"plan":'
        '{"above":null,"alpha":0.05,"automatic_stop":"ramp","correction":"holm","coverage":1,'
        '"duration_days":14,"flag":null,"goals":[{"metric":"orders","relative":true,"smallest_effect":null}],"guardrails":[],"holdouts":[],'
        '"hypothesis":"","layer":null,"method":{"kind":"fixed"},"power":0.8,"ramp":[],"secondary":[],'
        '"targeting":null,"unit":"targetingKey"}}'
    )
    assert freezing.digest(found) == hashlib.sha256(text.encode()).hexdigest()


def test_a_plan_that_is_followed_departs_nowhere() -> None:
    found = freezing.departure(a_plan(), a_plan())

    assert (found.fields, found.metrics, found.is_exploratory) == ((), (), False)


def test_an_added_metric_is_exploratory_and_the_others_are_not() -> None:
    found = freezing.departure(a_plan(), a_plan(secondary=["visits"]))

    assert (found.fields, found.metrics, found.is_exploratory) == (("secondary",), ("visits",), False)


def test_a_metric_in_another_role_is_exploratory() -> None:
    found = freezing.departure(a_plan(secondary=["visits"]), a_plan(goals=[{"metric": "visits"}]))

    assert found.metrics == ("visits",)


@pytest.mark.parametrize(
    "parts", [{"alpha": 0.1}, {"duration_days": 28}, {"method": {"kind": "always_valid"}}]
)
def test_another_error_rate_or_duration_makes_all_of_it_exploratory(parts: dict[str, Any]) -> None:
    assert freezing.departure(a_plan(), a_plan(**parts)).is_exploratory
