import pytest

from assay.metrics.filters import MAX_MEMBERS

from .measuring import a_metric, analyze, event, exposure, means

SEEN = [
    *(exposure(unit, arm) for unit, arm in [("1", "a"), ("2", "a"), ("3", "b"), ("4", "b")]),
    event("view", "1", 1, points=7),
    event("view", "2", 1, points="gold"),
    event("view", "3", 1, points=-1),
    event("view", "4", 1),
]


@pytest.mark.parametrize(("operator", "expected"), [("in", [1, 0]), ("not_in", [0, 0.5])])
def test_a_filter_may_name_as_many_members_as_are_allowed(operator: str, expected: list[float]) -> None:
    members = [*range(MAX_MEMBERS - 1), "gold"]
    filters = [{"property": "points", "operator": operator, "values": members}]

    document = analyze(SEEN, a_metric("chosen", kind="count", event="view", filters=filters))

    assert means(document, "chosen") == expected


def test_an_event_without_properties_is_one_of_no_words() -> None:
    filters = [{"operator": "in", "values": ["gold"]}]

    document = analyze(SEEN, a_metric("chosen", kind="count", event="view", filters=filters))

    assert means(document, "chosen") == [0, 0]
