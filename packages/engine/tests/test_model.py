import copy

import pytest
from msgspec.structs import replace

from assay_engine.model import Clause, Flag, Operator
from assay_engine.values import FlagType


def test_what_says_the_same_is_equal() -> None:
    first, second = (Clause(("plan",), Operator.IN, ("pro",)) for _ in range(2))
    assert first == second != Clause(("plan",), Operator.IN, ("free",))
    assert hash(first) == hash(second)


def test_a_flag_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        Flag("f", FlagType.BOOLEAN, ()).key = "g"  # pyright: ignore[reportAttributeAccessIssue]  # the mistake under test


def test_no_two_flags_share_their_metadata() -> None:
    first, second = (Flag("f", FlagType.BOOLEAN, ()) for _ in range(2))
    assert first.metadata is not second.metadata


def test_a_flag_can_be_copied() -> None:
    flag = Flag("f", FlagType.BOOLEAN, ())
    assert copy.deepcopy(flag) == copy.copy(flag) == replace(flag, enabled=True) == flag
