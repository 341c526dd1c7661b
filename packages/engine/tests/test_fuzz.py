"""What passes the check never raises: documents changed at random, asked with whatever a client may send."""

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_engine import DatafileError, InvalidRuleset, compile_ruleset, dumps, evaluate_all, explain
from assay_engine.testing import mutated_document, random_context, random_moment, random_ruleset


def passes_and_answers(seed: int, contexts: int = 3) -> bool:
    """Whether a random document, changed in one place or two, passes; then it must answer every context."""
    rng = Random(seed)
    document = json.loads(dumps(random_ruleset(rng)))
    for _ in range(rng.randint(1, 2)):
        document = mutated_document(document, rng)
    try:
        compiled = compile_ruleset(json.dumps(document))
    except (DatafileError, InvalidRuleset):
        return False
    for _ in range(contexts):
        context, now = random_context(rng), random_moment(rng)
        for answer in evaluate_all(compiled, context, now=now):
            assert explain(compiled, answer.flag_key, context, now=now).evaluation == answer
    return True


@given(st.integers(0, 2**63))
def test_what_passes_the_check_never_raises(seed: int) -> None:
    passes_and_answers(seed)


def test_enough_changed_documents_pass() -> None:
    assert sum(passes_and_answers(seed, contexts=1) for seed in range(300)) >= 20


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(5))
def test_what_passes_the_check_never_raises_in_twenty_thousand_documents(part: int) -> None:
    assert sum(passes_and_answers(part * 10**6 + at) for at in range(4_000)) >= 400
