"""Claims about experiments that are read many times."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from assay_stats.bayesian import ChanceRule, bayesian_normal, peeking_error_rates
from assay_stats.calibration.acceptance import Kind
from assay_stats.calibration.claims import Claim, Rng, Simulate, at_all, at_any, in_blocks
from assay_stats.calibration.worlds import scores
from assay_stats.posteriors import NormalPrior, normal_posterior
from assay_stats.power import ConfidenceSequenceTest, GroupSequentialTest, mean_power
from assay_stats.sequential.confidence_sequences import asymptotic_confidence_sequence, tuned_rho_squared
from assay_stats.sequential.exact_sequences import bernoulli_sequence, quantile_ranks
from assay_stats.sequential.group_sequential import Boundary, GroupSequentialPlan, boundary
from assay_stats.sequential.mixtures import running
from assay_stats.sequential.msprt import mixture_sprt
from assay_stats.sequential.spending import HwangShihDeCani, Pocock, Spending
from assay_stats.sequential.stagewise import StagewiseEstimate, stagewise_estimate
from assay_stats.srm import sequential_sample_ratio
from assay_stats.tails import Alternative
from assay_stats.undefined import Bools, Floats

_ALPHA = 0.05
_MANY = np.arange(1.0, 201.0)
_FIVE = np.arange(1, 6) / 5
_UNEVEN = np.array([0.15, 0.2, 0.6, 0.8])
_DRIFT = 2.5
_POCOCK = GroupSequentialPlan(spending=Pocock())
_PRIOR = NormalPrior(0.0, 0.5)
_TWENTY = np.arange(1.0, 21.0)
_PREDICTED = float(peeking_error_rates(ChanceRule(0.95), 1 / np.sqrt(_TWENTY), prior=_PRIOR).at_the_end)
_WEEKLY = (0.25, 0.5, 0.75, 1.0)
_RHO_SQUARED = float(tuned_rho_squared(500))
_GROUP_POWER = mean_power(
    0.1,
    n_control=1_600,
    n_treatment=1_600,
    variance_control=1.0,
    variance_treatment=1.0,
    procedure=GroupSequentialTest(plan=_POCOCK, fractions=_WEEKLY),
)
_SEQUENCE_POWER = mean_power(
    0.2,
    n_control=500,
    n_treatment=500,
    variance_control=1.0,
    variance_treatment=1.0,
    procedure=ConfidenceSequenceTest(rho_squared=_RHO_SQUARED, fractions=_WEEKLY),
)


def crosses(design: Boundary, statistics: Floats) -> Bools:
    """Whether any look of `(count, n_looks)` statistics crosses."""
    return at_any((statistics >= design.upper) | (statistics <= design.lower))


def stopped_looks(design: Boundary, statistics: Floats) -> NDArray[np.intp]:
    """Index of the look at which each experiment stops, the last where none crosses."""
    out = (statistics >= design.upper) | (statistics <= design.lower)
    out[:, -1] = True
    return np.argmax(out, axis=1)


def _sequence(alternative: Alternative) -> Simulate:
    def simulate(count: int, rng: Rng) -> Bools:
        looks = asymptotic_confidence_sequence(
            scores(rng, count, _MANY),
            1 / np.sqrt(_MANY),
            _MANY,
            rho_squared=tuned_rho_squared(60, alternative=alternative),
            alternative=alternative,
        )
        return running(looks).p_value[:, -1] < _ALPHA

    return simulate


def _mixture_sprt(count: int, rng: Rng) -> Bools:
    looks = mixture_sprt(scores(rng, count, _MANY), 1 / np.sqrt(_MANY), mixture_variance=0.05)
    return running(looks).p_value[:, -1] < _ALPHA


def _sequence_covers_always(count: int, rng: Rng) -> Bools:
    values = scores(rng, count, _MANY, effect=0.2)
    looks = running(asymptotic_confidence_sequence(values, 1 / np.sqrt(_MANY), _MANY, rho_squared=0.05))
    return (looks.lower[:, -1] <= 0.2) & (looks.upper[:, -1] >= 0.2)  # noqa: PLR2004 — the effect above


def _group_sequential(
    spending: Spending, fractions: Floats, *, alternative: Alternative = Alternative.TWO_SIDED
) -> Simulate:
    def simulate(count: int, rng: Rng) -> Bools:
        plan = GroupSequentialPlan(spending=spending, alternative=alternative)
        design = boundary(plan, fractions, is_final=True)
        return crosses(design, scores(rng, count, fractions) * np.sqrt(fractions))

    return simulate


def _planned_power(count: int, rng: Rng) -> Bools:
    information = np.array(_WEEKLY) * 800.0
    design = boundary(_POCOCK, _WEEKLY, is_final=True)
    return crosses(design, scores(rng, count, information, effect=0.1) * np.sqrt(information))


def _planned_sequence_power(count: int, rng: Rng) -> Bools:
    units = np.array(_WEEKLY) * 1_000.0
    se = 2 / np.sqrt(units)
    values = scores(rng, count, units / 4, effect=0.2)
    looks = asymptotic_confidence_sequence(values, se, units, rho_squared=_RHO_SQUARED)
    return at_any(looks.p_value < _ALPHA)


def _after_stopping(judge: Callable[[StagewiseEstimate], Bools]) -> Simulate:
    """Ends of Pocock designs under a true effect, judged by what stage-wise inference says of them."""

    def simulate(count: int, rng: Rng) -> Bools:
        design = boundary(_POCOCK, _FIVE)
        values = scores(rng, count, _FIVE, effect=_DRIFT)
        stops = stopped_looks(design, values * np.sqrt(_FIVE))
        verdicts = np.zeros(count, dtype=np.bool_)
        for look in range(_FIVE.size):
            ended = stops == look
            if ended.any():
                se = 1 / np.sqrt(_FIVE[look])
                verdicts[ended] = judge(
                    stagewise_estimate(values[ended, look], se, plan=_POCOCK, fractions=_FIVE[: look + 1])
                )
        return verdicts

    return simulate


def _covers_drift(ended: StagewiseEstimate) -> Bools:
    return (ended.lower <= _DRIFT) & (ended.upper >= _DRIFT)


def _is_below_drift(ended: StagewiseEstimate) -> Bools:
    return ended.value < _DRIFT


def _bernoulli_sequence(count: int, rng: Rng) -> Bools:
    n = np.arange(20, 501, 20)
    successes = np.cumsum(rng.binomial(20, 0.1, (count, n.size)), axis=1)
    return at_any(bernoulli_sequence(successes, n, null=0.1).p_value < _ALPHA)


def _quantile_sequence(count: int, rng: Rng) -> Bools:
    """A rank interval holds the quantile exactly when the values below it number between its ranks."""
    n = np.arange(10, 1_001, 10)
    lower, upper = quantile_ranks(n, 0.9, tuned_for=500)
    below = np.cumsum(rng.binomial(10, 0.9, (count, n.size)), axis=1)
    return at_all((lower <= below) & (below < upper))


def _sequential_sample_ratio(count: int, rng: Rng) -> Bools:
    counts = np.cumsum(rng.multinomial(50, [0.5, 0.5], (count, 100)), axis=1)
    return sequential_sample_ratio(counts, [1, 1]).p_value[:, -1] < 0.01  # noqa: PLR2004 — the level


def _bayes_peeked(count: int, rng: Rng) -> Bools:
    posterior = normal_posterior(scores(rng, count, _TWENTY), 1 / np.sqrt(_TWENTY), prior=_PRIOR)
    return at_any(bayesian_normal(posterior).chance_to_beat >= 0.95)  # noqa: PLR2004 — the rule


SEQUENTIAL_CLAIMS = tuple(
    Claim(
        name=name,
        family=family,
        kind=kind,
        target=target,
        slack=slack,
        replications=r,
        simulate=in_blocks(simulate, 5_000),
    )
    for name, family, kind, target, slack, r, simulate in (
        (
            "confidence sequence, 200 looks",
            "always valid",
            Kind.AT_MOST,
            0.05,
            0.0,
            40_000,
            _sequence(Alternative.TWO_SIDED),
        ),
        (
            "confidence sequence, one-sided, 200 looks",
            "always valid",
            Kind.AT_MOST,
            0.05,
            0.0,
            40_000,
            _sequence(Alternative.GREATER),
        ),
        (
            "confidence sequence covers at all 200 looks",
            "always valid",
            Kind.AT_LEAST,
            0.95,
            0.0,
            40_000,
            _sequence_covers_always,
        ),
        ("mixture SPRT, 200 looks", "always valid", Kind.AT_MOST, 0.05, 0.0, 40_000, _mixture_sprt),
        (
            "Bernoulli sequence, 25 looks",
            "always valid",
            Kind.AT_MOST,
            0.05,
            0.0,
            20_000,
            _bernoulli_sequence,
        ),
        (
            "quantile sequence covers at all 100 looks",
            "always valid",
            Kind.AT_LEAST,
            0.95,
            0.0,
            20_000,
            _quantile_sequence,
        ),
        (
            "O'Brien-Fleming, 5 looks",
            "group sequential",
            Kind.EQUAL,
            0.05,
            0.0,
            400_000,
            _group_sequential(GroupSequentialPlan().spending, _FIVE),
        ),
        (
            "Pocock, 4 uneven looks, ended early",
            "group sequential",
            Kind.EQUAL,
            0.05,
            0.0,
            400_000,
            _group_sequential(Pocock(), _UNEVEN),
        ),
        (
            "Hwang-Shih-DeCani, over-running",
            "group sequential",
            Kind.EQUAL,
            0.05,
            0.0,
            400_000,
            _group_sequential(HwangShihDeCani(-2.0), np.array([0.3, 0.7, 1.25])),
        ),
        (
            "O'Brien-Fleming, downwards only",
            "group sequential",
            Kind.EQUAL,
            0.05,
            0.0,
            400_000,
            _group_sequential(GroupSequentialPlan().spending, _FIVE, alternative=Alternative.LESS),
        ),
        (
            "power of a group-sequential plan",
            "planning",
            Kind.EQUAL,
            float(_GROUP_POWER.power),
            0.0,
            400_000,
            _planned_power,
        ),
        (
            "power of a confidence sequence",
            "planning",
            Kind.EQUAL,
            float(_SEQUENCE_POWER.power),
            0.0,
            100_000,
            _planned_sequence_power,
        ),
        (
            "stage-wise interval covers after stopping",
            "after stopping",
            Kind.EQUAL,
            0.95,
            0.0,
            10_000,
            _after_stopping(_covers_drift),
        ),
        (
            "stage-wise estimate is median-unbiased",
            "after stopping",
            Kind.EQUAL,
            0.5,
            0.0,
            10_000,
            _after_stopping(_is_below_drift),
        ),
        (
            "sequential sample ratio, 100 looks",
            "sample ratio",
            Kind.AT_MOST,
            0.01,
            0.0,
            40_000,
            _sequential_sample_ratio,
        ),
        (
            "error rate computed for a peeked Bayesian rule",
            "Bayes",
            Kind.EQUAL,
            _PREDICTED,
            0.0,
            200_000,
            _bayes_peeked,
        ),
    )
)

__all__ = ["SEQUENTIAL_CLAIMS", "crosses", "stopped_looks"]
