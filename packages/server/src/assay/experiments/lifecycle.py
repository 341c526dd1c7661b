"""The states of an experiment and the moves between them: one table, and nothing decides beside it.

An observed experiment, whose units are assigned elsewhere, has no state and takes no part in this.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from assay.shared.errors import Conflict


class State(StrEnum):
    """Where an experiment stands."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"


class Move(StrEnum):
    """What can be done to an experiment, beyond naming and describing it."""

    PLAN = "plan"
    DELETE = "delete"
    SCHEDULE = "schedule"
    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    COVER = "cover"
    DEVIATE = "deviate"
    RESTART = "restart"
    COMPLETE = "complete"


class Outcome(StrEnum):
    """What a completed experiment left in its flag."""

    SHIPPED = "SHIPPED"
    ROLLED_BACK = "ROLLED_BACK"
    KEPT = "KEPT"


class IllegalMove(Conflict):
    """The experiment's state does not have this move; nothing has been changed."""

    code = "illegal_move"


# Where each move leads; None is out of existence. What is not here is a conflict.
TABLE: Mapping[tuple[State, Move], State | None] = MappingProxyType(
    {
        (State.DRAFT, Move.PLAN): State.DRAFT,
        (State.DRAFT, Move.DELETE): None,
        (State.DRAFT, Move.SCHEDULE): State.DRAFT,
        (State.DRAFT, Move.START): State.ACTIVE,
        (State.ACTIVE, Move.SCHEDULE): State.ACTIVE,
        (State.ACTIVE, Move.PAUSE): State.PAUSED,
        (State.ACTIVE, Move.COVER): State.ACTIVE,
        (State.ACTIVE, Move.DEVIATE): State.ACTIVE,
        (State.ACTIVE, Move.RESTART): State.ACTIVE,
        (State.ACTIVE, Move.COMPLETE): State.COMPLETED,
        (State.PAUSED, Move.SCHEDULE): State.PAUSED,
        (State.PAUSED, Move.RESUME): State.ACTIVE,
        (State.PAUSED, Move.DEVIATE): State.PAUSED,
        (State.PAUSED, Move.RESTART): State.ACTIVE,
        (State.PAUSED, Move.COMPLETE): State.COMPLETED,
    }
)


def move(state: State, wanted: Move) -> State | None:
    """Where a move leads; None when the experiment is no more.

    Raises:
        IllegalMove: The table has no such move; the message says which it has.
    """
    if (state, wanted) not in TABLE:
        possible = ", ".join(allowed(state))
        article = "an" if state is State.ACTIVE else "a"
        way_out = f"it can {possible}" if possible else "it stays as it was concluded"
        raise IllegalMove(f"{article} {state} experiment cannot {wanted}; {way_out}", value=wanted.value)
    return TABLE[state, wanted]


def allowed(state: State) -> tuple[Move, ...]:
    """The moves a state has, in the order of the table."""
    return tuple(move for of, move in TABLE if of is state)
