"""Bayesian comparisons: chance to beat, expected loss both ways, best of many, without a random number.

A posterior does not become wrong by being read early, but a rule that ships at the first look above a
threshold has error rates like any other; `peeking_error_rates` computes them for the rule that was chosen.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Self, TypeVar

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import ArrayLike
from scipy.special import erfcx, ndtr, ndtri

from assay_stats.checks import as_floats, checked_level, checked_positive
from assay_stats.posteriors import (
    BetaPosterior,
    GammaPosterior,
    NormalPosterior,
    NormalPrior,
    Posterior,
)
from assay_stats.results import Direction, Interval, Result
from assay_stats.roots import bracketed_root
from assay_stats.sequential.group_sequential import crossing
from assay_stats.undefined import Bools, Codes, Floats, blank

PosteriorT = TypeVar("PosteriorT", NormalPosterior, BetaPosterior, GammaPosterior)

FLAT = NormalPrior()
_FAR = 1e-12
_BULK = 10.0
_SQRT_2 = float(np.sqrt(2.0))
_SQRT_2PI = float(np.sqrt(2 * np.pi))
_NODES, _WEIGHTS = leggauss(8)
# In standard deviations from the mode: fine in the bulk, and far enough out for probabilities of 1e-200.
_STEPS = np.concatenate([np.arange(0, 12), np.arange(12, 39, 2)]).astype(np.float64)
_EDGES = np.concatenate([-_STEPS[:0:-1], _STEPS])


@dataclass(frozen=True, slots=True, kw_only=True)
class BayesianEstimate(Interval):
    """Treatment against control.

    Attributes:
        value: Posterior mean of treatment minus control.
        lower: Lower end of the equal-tailed credible interval.
        upper: Upper end.
        chance_to_beat: Posterior probability that treatment is higher.
        chance_to_lose: Posterior probability that it is lower, exact where the other rounds to 1.
        loss_if_shipped: Expected shortfall, in the metric's unit, of choosing treatment.
        loss_if_kept: Expected shortfall of choosing control.
    """

    chance_to_beat: Floats
    chance_to_lose: Floats
    loss_if_shipped: Floats
    loss_if_kept: Floats

    def as_benefit(self, direction: Direction) -> Self:
        """The same comparison with its sign such that positive is better: the one place where direction
        acts."""
        if direction is Direction.HIGHER_IS_BETTER:
            return self
        return replace(
            self,
            value=-self.value,
            lower=-self.upper,
            upper=-self.lower,
            chance_to_beat=self.chance_to_lose,
            chance_to_lose=self.chance_to_beat,
            loss_if_shipped=self.loss_if_kept,
            loss_if_kept=self.loss_if_shipped,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking(Result):
    """Which of many arms is best; arms along the last axis.

    Attributes:
        mean: Posterior means, `(..., n_arms)`.
        chance_best: Posterior probability of being the best, `(..., n_arms)`, summing to 1.
        expected_loss: Expected distance to the best arm, `(..., n_arms)`, in the metric's unit.
    """

    mean: Floats
    chance_best: Floats
    expected_loss: Floats


@dataclass(frozen=True, slots=True)
class ChanceRule:
    """Stop and ship as soon as the chance to beat reaches a threshold.

    Attributes:
        threshold: In (0, 1), such as 0.95.
    """

    threshold: float = 0.95

    def __post_init__(self) -> None:
        checked_level(self.threshold, name="threshold")

    def standardised(self, posterior_sd: Floats) -> Floats:
        """Posterior mean over posterior standard deviation from which on the rule ships."""
        return np.full_like(posterior_sd, ndtri(self.threshold))


@dataclass(frozen=True, slots=True)
class LossRule:
    """Stop and ship as soon as the expected loss of shipping falls to a threshold.

    Attributes:
        threshold: Positive, in the metric's unit.
    """

    threshold: float

    def __post_init__(self) -> None:
        checked_positive(self.threshold, name="threshold")

    def standardised(self, posterior_sd: Floats) -> Floats:
        """Posterior mean over posterior standard deviation from which on the rule ships."""
        target = self.threshold / posterior_sd
        low, high = -target - 1, np.full_like(target, 37.0)
        return bracketed_root(lambda x: target - _unit_loss(x), low, high)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeekingErrorRates(Result):
    """What a Bayesian stopping rule does over repeated looks under a fixed effect.

    Attributes:
        shipped: `(..., n_looks)` probability of having shipped by each look.
        effect: The effect assumed, `(...)`.
    """

    shipped: Floats
    effect: Floats

    @property
    def at_the_end(self) -> Floats:
        """`(...)` probability of shipping at any look: a false positive rate where the effect is 0 or
        below."""
        return self.shipped[..., -1]


def bayesian_normal(posterior: NormalPosterior, *, level: ArrayLike = 0.95) -> BayesianEstimate:
    """A comparison from the posterior of the effect itself, be it a difference or a lift.

    Args:
        posterior: Of treatment minus control: `normal_posterior(difference, standard_error, prior=...)`.
        level: Posterior probability inside the interval.
    Raises:
        ValueError: `level` lies outside (0, 1).
    Source: Conjugate normal theory; the unit normal loss of Raiffa and Schlaifer (1961), Applied
        Statistical Decision Theory. Checked against quadrature of two normal arms.
    """
    coverage = checked_level(level)
    codes = posterior.defects
    mean, sd = blank(posterior.mean, codes), blank(posterior.sd, codes)
    with np.errstate(all="ignore"):
        distance = mean / sd
        half_width = -ndtri((1 - coverage) / 2) * sd
    return BayesianEstimate(
        value=mean,
        standard_error=sd,
        lower=mean - half_width,
        upper=mean + half_width,
        level=coverage,
        method="normal posterior",
        chance_to_beat=ndtr(distance),
        chance_to_lose=ndtr(-distance),
        loss_if_shipped=sd * _unit_loss(distance),
        loss_if_kept=sd * _unit_loss(-distance),
        reason_codes=codes,
    )


def bayesian_difference(
    control: PosteriorT, treatment: PosteriorT, *, level: ArrayLike = 0.95
) -> BayesianEstimate:
    """Two independent arms whose posteriors are of one family, by quadrature; treatment minus control.

    Args:
        control: Posterior of the control arm, any shape.
        treatment: Posterior of the treatment arm, same family and shape.
        level: Posterior probability inside the interval.
    Raises:
        ValueError: `level` lies outside (0, 1).
    Source: E max(B - A, 0) is the integral of P(A < x) * P(B > x), which has no cancelling digits; checked
        against the closed sums of Evan Miller (2015) and size-biased identities of Stucchio (2015).
    """
    coverage = checked_level(level)
    both = stacked(control, treatment)
    ranking = best_of(both)
    codes = ranking.reason_codes
    lower, upper = _credible_ends(control, treatment, 1 - coverage, codes)
    return BayesianEstimate(
        value=ranking.mean[..., 1] - ranking.mean[..., 0],
        standard_error=as_floats(np.nan),
        lower=lower,
        upper=upper,
        level=coverage,
        method=f"{type(control).__name__.removesuffix('Posterior').lower()} posteriors",
        chance_to_beat=ranking.chance_best[..., 1],
        chance_to_lose=ranking.chance_best[..., 0],
        loss_if_shipped=ranking.expected_loss[..., 1],
        loss_if_kept=ranking.expected_loss[..., 0],
        reason_codes=codes,
    )


def best_of(posterior: Posterior, *, direction: Direction = Direction.HIGHER_IS_BETTER) -> Ranking:
    """Chance of being the best and expected loss of each of many independent arms, by quadrature.

    Args:
        posterior: Arms along the last axis, `(..., n_arms)`; `stacked` joins single posteriors.
        direction: Which end is best. This is the one place where direction acts.
    Source: One density times the distribution functions of the others, integrated by Gauss and Legendre's
        rule. Checked against closed sums of Miller (2015) and the incomplete beta function.
    """
    codes = posterior.defects
    arm_codes = np.max(np.broadcast_to(codes, np.shape(posterior.centre)), axis=-1)
    known = np.asarray(arm_codes == 0)[..., None]
    nodes, weights = _nodes(posterior)
    arms = posterior.expanded(-1)
    y = nodes[..., None, :]
    with np.errstate(all="ignore"):
        density = np.exp(arms.log_kernel(y)) * weights[..., None, :]
        density = density / density.sum(axis=-1, keepdims=True)
        worse, better = arms.below(y), arms.above(y)
        if direction is Direction.LOWER_IS_BETTER:
            worse, better = better, worse
        log_worse = np.where(worse > 0.5, np.log1p(-better), np.log(worse))  # noqa: PLR2004 — the more exact form
        log_others = _sum_of_others(log_worse)
        chance = np.sum(density * np.exp(log_others), axis=-1)
        distance = weights[..., None, :] * np.abs(arms.slope(y))
        loss = np.sum(distance * worse * -np.expm1(log_others), axis=-1)
        chance = chance / chance.sum(axis=-1, keepdims=True)
    return Ranking(
        mean=np.where(known, posterior.mean, np.nan),
        chance_best=np.where(known, chance, np.nan),
        expected_loss=np.where(known, loss, np.nan),
        reason_codes=arm_codes[()],
    )


def stacked(*posteriors: PosteriorT) -> PosteriorT:
    """Posteriors of one family side by side along a new last axis.

    Args:
        posteriors: Of one family, shapes that broadcast.
    Returns:
        One posterior, `(..., n_arms)`.
    """
    first = posteriors[0]
    names = [field.name for field in fields(first)]
    columns = [
        np.stack(np.broadcast_arrays(*(getattr(arm, name) for arm in posteriors)), axis=-1) for name in names
    ]
    return type(first)(*columns)


def peeking_error_rates(
    rule: ChanceRule | LossRule,
    standard_errors: ArrayLike,
    *,
    prior: NormalPrior = FLAT,
    effect: ArrayLike = 0.0,
) -> PeekingErrorRates:
    """How often a rule ships when it is applied at every look, exactly, for effects that are truly so.

    Args:
        rule: The stopping rule.
        standard_errors: `(n_looks,)` of the estimate at each look, falling.
        prior: Of the effect, frozen before the start.
        effect: True effects, any shape; 0 gives the false positive rate.
    Raises:
        ValueError: A standard error is not positive and finite, or they do not fall.
    Source: The recursion of Armitage, McPherson and Rowe (1969), JRSS A 132:235-244. Checked against the
        multivariate normal integral of scipy 1.17.1.
    """
    se = np.atleast_1d(as_floats(standard_errors))
    checked_positive(se, name="standard_errors")
    truth = as_floats(effect)
    posterior_sd = 1 / np.sqrt(1 / se**2 + prior.precision)
    bound = se * (rule.standardised(posterior_sd) / posterior_sd - prior.mean * prior.precision)
    information = (se[-1] / se) ** 2
    leaves = crossing(information, upper=bound, drift=truth / se[-1])
    return PeekingErrorRates(
        shipped=np.cumsum(leaves.upper, axis=-1),
        effect=truth,
        reason_codes=np.zeros(truth.shape, dtype=np.int8),
    )


def _unit_loss(x: Floats) -> Floats:
    """E max(Z - x, 0) of a standard normal Z, to full relative precision in both tails."""
    density = np.exp(-np.square(x) / 2) / _SQRT_2PI
    right = density * (1 - x * math.sqrt(math.pi / 2) * erfcx(np.maximum(x, 0.0) / _SQRT_2))
    return np.where(x > 0, right, density - x * ndtr(-x))[()]


def _nodes(posterior: Posterior, steps: Floats = _EDGES) -> tuple[Floats, Floats]:
    """Gauss-Legendre nodes and weights that resolve every arm; `(..., n_nodes)`."""
    with np.errstate(all="ignore"):
        places = posterior.centre[..., None] + posterior.scale[..., None] * steps
    edges = np.sort(np.where(np.isfinite(places), places, 0.0).reshape(*places.shape[:-2], -1), axis=-1)
    half = np.diff(edges, axis=-1)[..., None] / 2
    nodes = edges[..., :-1, None] + half * (1 + _NODES)
    shape = (*edges.shape[:-1], -1)
    return nodes.reshape(shape), (half * _WEIGHTS).reshape(shape)


def _sum_of_others(logs: Floats) -> Floats:
    """For each arm the sum over all other arms, along the last but one axis."""
    return np.stack([np.delete(logs, arm, axis=-2).sum(axis=-2) for arm in range(logs.shape[-2])], axis=-2)


def _credible_ends(
    control: PosteriorT, treatment: PosteriorT, alpha: Floats, codes: Codes
) -> tuple[Floats, Floats]:
    """Equal-tailed ends of treatment minus control, integrating over the narrower posterior."""
    shape = np.broadcast_shapes(np.shape(codes), alpha.shape)
    with np.errstate(all="ignore"):
        low = treatment.quantile(_FAR) - control.quantile(1 - _FAR)
        high = treatment.quantile(1 - _FAR) - control.quantile(_FAR)
        low, high = (np.broadcast_to(np.where(codes == 0, end, 0.0), shape) for end in (low, high))
        below = _distribution_of_difference(control, treatment)

        def end_at(probability: Floats) -> Floats:
            return bracketed_root(lambda d: np.nan_to_num(below(d) - probability), low, high)

        return blank(end_at(alpha / 2), codes), blank(end_at(1 - alpha / 2), codes)


def _distribution_of_difference(control: PosteriorT, treatment: PosteriorT) -> Callable[[Floats], Floats]:
    """P(treatment - control <= d): over the narrower arm's nodes the wider one is smooth, not the other
    way."""
    control_is_narrower = np.asarray(_spread(control) < _spread(treatment))
    narrow, wide = (
        _chosen(control_is_narrower, *pair) for pair in ((control, treatment), (treatment, control))
    )
    values, masses = _own_rule(narrow)
    sign = np.where(control_is_narrower, 1.0, -1.0)[..., None]
    other = wide.expanded(-1)

    def below(difference: Floats) -> Floats:
        share = other.below(other.to_coordinate(values + sign * difference[..., None]))
        return np.asarray(np.sum(masses * np.where(sign > 0, share, 1 - share), axis=-1))

    return below


def _spread(posterior: Posterior) -> Floats:
    return posterior.quantile(0.75) - posterior.quantile(0.25)


def _chosen(first: Bools, one: PosteriorT, other: PosteriorT) -> PosteriorT:
    """Entry by entry one of two posteriors of a family."""
    pairs = [(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)]
    columns: list[Floats] = [np.where(first, mine, theirs) for mine, theirs in pairs]
    return type(one)(*columns)


def _own_rule(posterior: Posterior) -> tuple[Floats, Floats]:
    """Values and masses of one posterior's bulk, which suffices for probabilities that are not tiny."""
    arm = posterior.expanded(-1)
    y, weights = _nodes(arm, _EDGES[np.abs(_EDGES) <= _BULK])
    mass = np.exp(arm.log_kernel(y)) * weights
    return arm.value(y), mass / mass.sum(axis=-1, keepdims=True)


__all__ = [
    "BayesianEstimate",
    "ChanceRule",
    "LossRule",
    "PeekingErrorRates",
    "Ranking",
    "bayesian_difference",
    "bayesian_normal",
    "best_of",
    "peeking_error_rates",
    "stacked",
]
