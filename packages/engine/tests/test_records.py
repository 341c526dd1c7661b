import copy
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, field, replace

import pytest

from assay_engine.model import Clause, Flag, Operator
from assay_engine.records import record
from assay_engine.values import FlagType


@record
class Point:
    x: int
    y: int = 2
    names: Mapping[str, int] = field(default_factory=dict[str, int])


def test_a_record_is_made_as_a_dataclass_is() -> None:
    assert Point(1) == Point(x=1, y=2, names={}) != Point(1, 3)
    assert repr(Point(1)) == "Point(x=1, y=2, names={})"
    assert Point(1).names is not Point(1).names
    assert hash(Clause(("plan",), Operator.IN, ("pro",))) == hash(Clause(("plan",), Operator.IN, ("pro",)))
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        Point()  # pyright: ignore[reportCallIssue]  # the mistake under test


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Point(1).x = 3  # pyright: ignore[reportAttributeAccessIssue]  # the mistake under test


def test_a_record_can_be_copied() -> None:
    flag = Flag("f", FlagType.BOOLEAN, ())

    assert replace(Point(1), y=5) == Point(1, 5)
    assert copy.deepcopy(flag) == copy.copy(flag) == flag
