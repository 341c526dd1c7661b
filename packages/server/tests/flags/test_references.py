"""What is read off rules without a context holds for every context."""

import random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from assay.flags import references
from assay_engine import Ruleset, compile_ruleset, evaluate
from assay_engine.model import Split
from assay_engine.testing import random_context, random_moment, random_ruleset

SEEDS = st.integers(0, 2**32)


@settings(deadline=None)
@given(SEEDS)
@example(96429159)  # a kept variant whose range has become empty
def test_no_context_is_served_a_variant_outside_those_servable(seed: int) -> None:
    rng = random.Random(seed)
    ruleset = random_ruleset(rng)
    compiled = compile_ruleset(ruleset)
    now = random_moment(rng)

    for flag in ruleset.flags:
        servable = references.servable(flag)
        for _ in range(5):
            answer = evaluate(compiled, flag.key, random_context(rng), now=now)
            assert answer.variant in servable | {None}
            assert answer.variant is not None or answer.error_code or None in servable


@settings(deadline=None)
@given(SEEDS)
def test_a_flag_answers_the_same_without_what_it_does_not_need(seed: int) -> None:
    rng = random.Random(seed)
    ruleset = random_ruleset(rng)
    whole = compile_ruleset(ruleset)
    now = random_moment(rng)

    for flag in ruleset.flags:
        alone = compile_ruleset(references.only(ruleset, {flag.key}))
        context = random_context(rng)
        assert evaluate(alone, flag.key, context, now=now) == evaluate(whole, flag.key, context, now=now)


@settings(deadline=None)
@given(SEEDS)
def test_who_depends_on_a_flag_needs_it(seed: int) -> None:
    ruleset = random_ruleset(random.Random(seed))

    for flag in ruleset.flags:
        for key in references.dependents(ruleset, {flag.key}):
            assert flag.key in keys(references.only(ruleset, {key}))


@settings(deadline=None)
@given(SEEDS)
def test_an_experiment_is_one_of_a_split_that_is_served(seed: int) -> None:
    for flag in random_ruleset(random.Random(seed)).flags:
        serves = (*(rule.serve for rule in flag.rules), flag.fallthrough)
        named = {serve.experiment for serve in serves if isinstance(serve, Split)} - {None}
        assert references.experiments_of(flag) == named


def keys(ruleset: Ruleset) -> set[str]:
    return {flag.key for flag in ruleset.flags}
