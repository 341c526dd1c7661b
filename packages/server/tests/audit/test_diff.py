"""The difference of documents: what changed, and nothing else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.audit.diff import Kind, changes, same

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.0, 1.0, 1.5]) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=10,
)
DOCUMENTS = st.dictionaries(st.text("abc", max_size=2), JSON, max_size=4)


@given(DOCUMENTS)
def test_a_document_does_not_differ_from_itself(document: dict[str, Any]) -> None:
    assert changes(document, document) == ()


@given(DOCUMENTS, DOCUMENTS)
def test_there_is_a_change_exactly_where_documents_differ(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert bool(changes(before, after)) is not same(before, after)


@given(DOCUMENTS, DOCUMENTS)
def test_the_way_back_has_both_sides_swapped(before: dict[str, Any], after: dict[str, Any]) -> None:
    forth = {(change.path, repr(change.before), repr(change.after)) for change in changes(before, after)}
    back = {(change.path, repr(change.after), repr(change.before)) for change in changes(after, before)}

    assert forth == back


@pytest.mark.parametrize(
    ("before", "after", "kind", "path"),
    [
        ({}, {"a": None}, Kind.ADDED, ("a",)),
        ({"a": {"b": 1}}, {"a": {}}, Kind.REMOVED, ("a", "b")),
        ({"a": 1}, {"a": 1.0}, Kind.CHANGED, ("a",)),
        ({"a": 1}, {"a": True}, Kind.CHANGED, ("a",)),
        ({"a": [1, 2]}, {"a": [2, 1]}, Kind.CHANGED, ("a",)),
        ({"a": [{"id": "x"}, {"id": "y"}]}, {"a": [{"id": "y"}, {"id": "x"}]}, Kind.REORDERED, ("a",)),
        ({"a": [{"id": "x", "n": 1}]}, {"a": [{"id": "x", "n": 2}]}, Kind.CHANGED, ("a", "x", "n")),
        ({"a": [{"id": "x"}, {"id": "x"}]}, {"a": [{"id": "x"}]}, Kind.CHANGED, ("a",)),
    ],
)
def test_a_change_says_what_happened_and_where(
    before: dict[str, Any], after: dict[str, Any], kind: Kind, path: tuple[str, ...]
) -> None:
    (change,) = changes(before, after)

    assert (change.kind, change.path) == (kind, path)


def test_a_thing_that_did_not_exist_is_added_part_by_part() -> None:
    (change,) = changes(None, {"key": "checkout"})

    assert (change.kind, change.before, change.after) == (Kind.ADDED, None, "checkout")
