"""The table of states and moves."""

import pytest

from assay.experiments.lifecycle import TABLE, IllegalMove, Move, State, allowed, move


def test_the_table_is_the_documented_one() -> None:
    changing = {(str(of), str(by), str(to)) for (of, by), to in TABLE.items() if to not in {None, of}}

    assert changing == {
        ("DRAFT", "start", "ACTIVE"),
        ("ACTIVE", "pause", "PAUSED"),
        ("PAUSED", "resume", "ACTIVE"),
        ("PAUSED", "restart", "ACTIVE"),
        ("ACTIVE", "complete", "COMPLETED"),
        ("PAUSED", "complete", "COMPLETED"),
    }


def test_only_a_draft_can_be_deleted() -> None:
    assert [state for state in State if (state, Move.DELETE) in TABLE] == [State.DRAFT]


def test_nothing_leads_out_of_completed() -> None:
    assert allowed(State.COMPLETED) == ()


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("wanted", Move)
def test_a_move_is_what_the_table_says_or_names_state_and_move(state: State, wanted: Move) -> None:
    if (state, wanted) in TABLE:
        assert move(state, wanted) is TABLE[state, wanted]
        return
    with pytest.raises(IllegalMove) as refused:
        move(state, wanted)
    assert state in refused.value.message
    assert wanted in refused.value.message
