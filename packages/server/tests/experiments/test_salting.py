"""The search for a balanced salt: repeatable, honest about what it tried, and as balanced as it says."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from assay.experiments.errors import NoBalance
from assay.experiments.salting import Found, Search, salt_of, search
from assay.experiments.splitting import Assigned, running
from assay_engine import Context, Flag, FlagType, Ruleset, compile_ruleset, evaluate
from assay_engine.model import Variant
from assay_stats import Population

RNG = np.random.default_rng(11)
NOW = datetime(2026, 5, 1, tzinfo=UTC)
UNITS = [f"shop{number}" for number in range(40)]
SALES = RNG.lognormal(3.0, 1.0, 40).tolist()
REGION = RNG.choice(["north", "south", "west"], 40).tolist()


def assigned(*arms: tuple[str, float], salt: str = "") -> Assigned:
    chosen = arms or (("old", 1.0), ("new", 1.0))
    return Assigned("e", "E", salt, ("targetingKey",), chosen, 1.0)


def found(*arms: tuple[str, float], **parts: Any) -> Found:
    given: dict[str, Any] = {
        "units": UNITS,
        "covariates": {"sales": SALES, "region": REGION},
        "seed": 1,
        "share": 0.05,
        "tries": 2_000,
    }
    return search(assigned(*arms), "old", Search(**(given | parts)), lambda _: None)


def served(salt: str, *arms: tuple[str, float]) -> list[str | None]:
    """What the engine serves under a salt."""
    rule = running(assigned(*arms, salt=salt))
    variants = tuple(Variant(name, name) for name in ("old", "new", "other"))
    ruleset = compile_ruleset(Ruleset(flags=(Flag("f", FlagType.STRING, variants, rules=(rule,)),)))
    return [evaluate(ruleset, "f", Context.of(unit), now=NOW).variant for unit in UNITS]


def test_the_score_is_that_of_the_assignment_which_is_served() -> None:
    result = found()
    arms = np.array(served(result.salt))
    columns = [SALES, *([region == name for region in REGION] for name in ("south", "west"))]
    population = Population.of(np.column_stack(columns).astype(float))

    expected = population.imbalance(arms == "old", arms == "new")

    assert result.score == pytest.approx(expected.distance)
    assert result.score <= result.threshold
    assert result.largest_difference == pytest.approx(np.abs(expected.standardised).max())


def test_the_same_seed_finds_the_same_salt_and_all_before_it_were_worse() -> None:
    result = found()

    assert found() == result
    assert result.salt == salt_of(1, result.tried - 1)
    with pytest.raises(NoBalance, match=f"none of {result.tried - 1} salts is acceptable"):
        found(tries=result.tried - 1)
    assert found(seed=2).salt != result.salt


def test_a_share_of_one_accepts_the_first_salt() -> None:
    assert found(share=1.0).tried == 1


def test_about_so_many_salts_are_acceptable_as_was_asked() -> None:
    tried = [found(seed=seed, share=0.2).tried for seed in range(60)]

    # The mean of 60 geometric numbers of mean 5 lies within these bounds but for one in ten thousand.
    assert 2.7 < float(np.mean(tried)) < 8.3


def test_every_arm_is_balanced_against_the_control() -> None:
    arms = (("old", 2.0), ("new", 1.0), ("other", 1.0))
    result = found(*arms, share=0.2)

    counts = Counter(served(result.salt, *arms))
    assert set(counts) == {"old", "new", "other"}
    assert result.score <= result.threshold


def test_what_cannot_be_balanced_says_why() -> None:
    with pytest.raises(NoBalance, match="no covariate varies"):
        found(covariates={"same": [1.0] * 40})
    names = [f"u{number}" for number in range(60)]
    with pytest.raises(NoBalance, match="has 60 different words; at most 50"):
        found(units=names, covariates={"name": names})
