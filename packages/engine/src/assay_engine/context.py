"""Who asks: a targeting key and the attributes that rules look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

from assay_engine.values import AttributeValue

TARGETING_KEY = "targetingKey"
ASSIGNMENTS = "$assignments"

_PLAIN = frozenset({str, int, float, bool, type(None)})
_DEPTH_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Context:
    """One unit's attributes, with the targeting key among them under `targetingKey`.

    Build it with `Context.of` from application values or `Context.from_json` from parsed JSON:
    compiled rules rely on the plain types these two guarantee.
    """

    values: Mapping[str, AttributeValue]

    @classmethod
    def of(
        cls,
        targeting_key: str | None = None,
        attributes: Mapping[str, object] | None = None,
        *,
        assignments: Mapping[str, str] | None = None,
    ) -> "Context":
        """A context from application values of any kind.

        Args:
            targeting_key: Id of the unit; an empty one counts as absent.
            attributes: Values by name. Subclasses (a `StrEnum`) become their plain type; a value that is
                neither JSON, a date nor a datetime is left out, as though it were missing.
            assignments: Earlier assignments of this unit, variant by `experiment#version`, for sticky splits.
        """
        values = {name: _plain(value, _DEPTH_LIMIT) for name, value in (attributes or {}).items()}
        return cls(_with_identity(values, targeting_key, assignments))

    @classmethod
    def from_json(
        cls, attributes: Mapping[str, AttributeValue], *, assignments: Mapping[str, str] | None = None
    ) -> "Context":
        """A context from parsed JSON, where every value is plain already (the body of an OFREP request)."""
        return cls(_with_identity(dict(attributes), None, assignments))

    @property
    def targeting_key(self) -> str | None:
        """Id of the unit, if it has one."""
        key = self.values.get(TARGETING_KEY)
        return key if isinstance(key, str) and key else None


def _with_identity(
    values: dict[str, AttributeValue], targeting_key: str | None, assignments: Mapping[str, str] | None
) -> dict[str, AttributeValue]:
    values.pop(ASSIGNMENTS, None)
    if targeting_key:
        values[TARGETING_KEY] = str(targeting_key)
    if assignments:
        values[ASSIGNMENTS] = dict(assignments)
    return values


def _plain(value: object, depth: int) -> AttributeValue:  # noqa: PLR0911 — a return for each type
    if type(value) in _PLAIN:
        return cast("AttributeValue", value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, datetime):
        return value if value.utcoffset() is not None else None
    if isinstance(value, date):
        return value.isoformat()
    return _plain_container(value, depth - 1) if depth else None


def _plain_container(value: object, depth: int) -> AttributeValue:
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {str(key): cast("None", _plain(item, depth)) for key, item in items}
    if isinstance(value, list | tuple | set | frozenset):
        return [cast("None", _plain(item, depth)) for item in cast("list[object]", value)]
    return None
