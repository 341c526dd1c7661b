"""What differs between two JSON documents, as a list that people can read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeGuard


class Kind(StrEnum):
    """What happened to a part of a document."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    REORDERED = "reordered"


@dataclass(frozen=True, slots=True)
class Change:
    """One part of a document, before and after; None for the side on which it does not exist.

    `path` leads there by keys, by the `id` of list items that have one, and by position for others.
    """

    kind: Kind
    path: tuple[str, ...]
    before: Any
    after: Any

    def to_json(self) -> dict[str, Any]:
        """The change as plain JSON values."""
        return {"kind": self.kind, "path": list(self.path), "before": self.before, "after": self.after}


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> tuple[Change, ...]:
    """The changes that lead from one document to the other; a missing one has no parts."""
    return tuple(_objects((), before or {}, after or {}))


def same(before: object, after: object) -> bool:
    """Whether two JSON values are one: `true` is not 1, and 1 is not 1.0."""
    if _is_list(before) and _is_list(after):
        return len(before) == len(after) and all(map(same, before, after))
    if _is_object(before) and _is_object(after):
        return before.keys() == after.keys() and all(same(value, after[key]) for key, value in before.items())
    return type(before) is type(after) and before == after


def _values(path: tuple[str, ...], before: object, after: object) -> Iterator[Change]:
    if _is_object(before) and _is_object(after):
        yield from _objects(path, before, after)
    elif (first := _by_id(before)) is not None and (second := _by_id(after)) is not None:
        yield from _objects(path, first, second)
        yield from _order(path, list(first), list(second))
    elif not same(before, after):
        yield Change(Kind.CHANGED, path, before, after)


def _objects(
    path: tuple[str, ...], before: Mapping[str, object], after: Mapping[str, object]
) -> Iterator[Change]:
    for key, value in before.items():
        if key in after:
            yield from _values((*path, key), value, after[key])
        else:
            yield Change(Kind.REMOVED, (*path, key), value, None)
    for key, value in after.items():
        if key not in before:
            yield Change(Kind.ADDED, (*path, key), None, value)


def _order(path: tuple[str, ...], before: list[str], after: list[str]) -> Iterator[Change]:
    kept = [key for key in before if key in after]
    if kept != [key for key in after if key in before]:
        yield Change(Kind.REORDERED, path, before, after)


def _by_id(value: object) -> dict[str, object] | None:
    """The items of a list by their `id`; None when not each has one of its own."""
    if not _is_list(value):
        return None
    found = {item["id"]: item for item in value if _is_object(item) and isinstance(item.get("id"), str)}
    return {str(key): item for key, item in found.items()} if len(found) == len(value) else None


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)
