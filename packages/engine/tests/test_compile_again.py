from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from assay_engine import Ruleset, evaluate_all, loads
from assay_engine.rules.check import check, errors
from assay_engine.rules.compile import link
from assay_engine.testing import START, random_context, random_ruleset


def changed(ruleset: Ruleset, rng: Random) -> Ruleset:
    """The ruleset with some flags switched, some segments and holdouts different, in another order."""
    flags = [
        replace(each, enabled=not each.enabled) if rng.random() < 0.3 else each for each in ruleset.flags
    ]
    rng.shuffle(flags)
    segments = tuple(
        replace(each, include=frozenset({f"user-{rng.randrange(5)}"}), exclude=frozenset())
        for each in ruleset.segments
    )
    holdouts = ruleset.holdouts if rng.random() < 0.5 else ()
    return replace(ruleset, flags=tuple(flags), segments=segments, holdouts=holdouts)


@given(st.integers(0, 2**63))
def test_what_an_earlier_ruleset_left_changes_no_answer(seed: int) -> None:
    rng = Random(seed)
    before = random_ruleset(rng)
    after = changed(before, rng)
    if errors(check(before)) or errors(check(after)):
        return
    anew, reusing = link(after), link(after, link(before))

    for _ in range(5):
        context = random_context(rng)
        assert evaluate_all(reusing, context, now=START) == evaluate_all(anew, context, now=START)
    assert (reusing.independent, reusing.reads_the_clock) == (anew.independent, anew.reads_the_clock)


def test_a_flag_that_has_not_changed_keeps_its_walk() -> None:
    ruleset = loads(
        b'{"format":"assay.datafile/1","segments":[{"id":"s"}],"flags":['
        b'{"key":"alone","type":"boolean","variants":{"on":true},"fallthrough":{"variant":"on"}},'
        b'{"key":"linked","type":"boolean","variants":{"on":true},"rules":'
        b'[{"id":"r","condition":{"segment":"s"},"serve":{"variant":"on"}}]}]}'
    )
    before = link(ruleset)
    after = link(ruleset, before)

    assert before.independent == {"alone"}
    assert after.walks["alone"] is before.walks["alone"]
    assert after.walks["linked"] is not before.walks["linked"]
