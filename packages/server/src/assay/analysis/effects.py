"""What past experiments found on a metric, together: how effects scatter, how often arms win, what to expect.

Effects are lifts, so that experiments of different years and sizes can be compared.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from assay.analysis.claimed import claimed_lift
from assay.analysis.document import Comparison, Document, Estimate, MetricResult
from assay.analysis.methods import Finding, Role
from assay_stats.heterogeneity import Heterogeneity, segment_heterogeneity

LEVEL = 0.95
REACH = float(ndtri((1 + LEVEL) / 2))
"""Standard errors on either side of an estimate."""
# With fewer, how far true effects scatter is hardly known, and a prior would be a guess in disguise.
FEWEST_FOR_A_PRIOR = 5
JUDGED = frozenset({Finding.BETTER, Finding.WORSE, Finding.OPEN, Finding.WITHIN_MARGIN})


@dataclass(frozen=True, slots=True)
class Effect:
    """One arm of one experiment on one metric.

    Attributes:
        lift: By one plain test of all data, with its interval: what effects are put together from.
        error: Standard error of that lift, None where it has no interval.
        method: Of the plan, which the claimed interval is made by; None before it allows one.
    """

    metric: str
    arm: str
    role: Role
    direction: str
    finding: Finding
    lift: float | None
    low: float | None
    high: float | None
    error: float | None
    level: float
    method: str | None
    claimed_lift: float | None
    claimed_low: float | None
    claimed_high: float | None


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its interval."""

    wins: int
    trials: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Shrunk:
    """An effect drawn towards the others, which takes the luck out of the best and the worst."""

    lift: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Together:
    """Random-effects meta-analysis of a metric's effects.

    Attributes:
        pooled: Mean true effect, with the ends of its interval.
        spread: Standard deviation of true effects between experiments.
        i_squared: Share of the scatter that is not chance.
        p_value: Of the hypothesis that all experiments share one effect.
        shrunk: Of each effect, in order.
    """

    pooled: float
    pooled_low: float
    pooled_high: float
    pooled_error: float
    spread: float
    i_squared: float
    p_value: float
    shrunk: Sequence[Shrunk]


@dataclass(frozen=True, slots=True)
class Prior:
    """What to believe of the next experiment's effect before its data."""

    mean: float
    standard_deviation: float


def effects_of(document: Document) -> list[Effect]:
    """Every claimed comparison of a result."""
    return [
        _effect(metric, comparison, document.alpha)
        for metric in document.metrics
        for comparison in metric.comparisons
        if comparison.claim is not None
    ]


def together(lifts: Sequence[float], errors: Sequence[float]) -> Together | None:
    """The meta-analysis of effects by DerSimonian and Laird; None of fewer than two.

    Source: `assay_stats.heterogeneity`, with experiments in the place of segments.
    """
    found = segment_heterogeneity(np.array(lifts), np.array(errors) ** 2, level=LEVEL)
    if not np.isfinite(found.pooled):
        return None
    reach = REACH * float(found.pooled_error)
    return Together(
        pooled=float(found.pooled),
        pooled_low=float(found.pooled) - reach,
        pooled_high=float(found.pooled) + reach,
        pooled_error=float(found.pooled_error),
        spread=math.sqrt(float(found.tau_squared)),
        i_squared=float(found.i_squared),
        p_value=float(found.p_value),
        shrunk=_shrunk(found),
    )


def prior_of(found: Together | None, count: int) -> Prior | None:
    """The prior for a new experiment: true effects scatter around a mean that is itself not known exactly."""
    if found is None or count < FEWEST_FOR_A_PRIOR:
        return None
    deviation = math.hypot(found.spread, found.pooled_error)
    return Prior(found.pooled, deviation) if deviation > 0 else None


def win_rate(findings: Sequence[Finding]) -> Rate | None:
    """How often an arm was better, among those of which anything was said.

    Source: Wilson (1927), JASA 22:209-212, by scipy.
    """
    judged = [finding for finding in findings if finding in JUDGED]
    if not judged:
        return None
    return rate(sum(finding is Finding.BETTER for finding in judged), len(judged))


def rate(wins: int, trials: int) -> Rate:
    """A share with Wilson's interval."""
    from scipy.stats import binomtest  # noqa: PLC0415 — it takes a third of the time of a start to load

    interval = binomtest(wins, trials).proportion_ci(LEVEL, method="wilson")
    return Rate(wins, trials, wins / trials, float(interval.low), float(interval.high))


def _effect(metric: MetricResult, comparison: Comparison, alpha: float) -> Effect:
    claim = comparison.claim
    assert claim is not None  # noqa: S101 — filtered by the caller
    lift = comparison.lift
    if claim.basis == "adjusted" and comparison.adjusted is not None:
        lift = comparison.adjusted.lift
    claimed = claimed_lift(comparison)
    return Effect(
        metric=metric.metric,
        arm=comparison.arm,
        role=claim.role,
        direction=metric.direction,
        finding=claim.finding,
        lift=None if lift.undefined is not None else lift.estimate,
        low=lift.low,
        high=lift.high,
        error=_error(lift, alpha),
        level=1 - alpha,
        method=None if claim.finding is Finding.EARLY else claim.method,
        claimed_lift=claimed.estimate,
        claimed_low=claimed.low,
        claimed_high=claimed.high,
    )


def _error(lift: Estimate, alpha: float) -> float | None:
    """The standard error behind a symmetric interval of many units."""
    if lift.undefined is not None or lift.low is None or lift.high is None:
        return None
    width = lift.high - lift.low
    return width / 2 / float(ndtri(1 - alpha / 2)) if 0 < width < math.inf else None


def _shrunk(found: Heterogeneity) -> list[Shrunk]:
    ends = zip(found.shrunk, found.shrunk_lower, found.shrunk_upper, strict=True)
    return [Shrunk(float(lift), float(low), float(high)) for lift, low, high in ends]
