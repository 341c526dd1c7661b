"""Tests that may be read after every unit: a normal mixture of likelihood ratios, and what it hands back.

A confidence sequence, GAVI and the mixture SPRT are one boundary. They differ only in how the mixture's
variance is fixed, here as its ratio to the squared standard error.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import log_ndtr

from assay_stats.results import Estimate
from assay_stats.tails import Alternative, ends
from assay_stats.undefined import Bools, Codes, Floats, Reason, blank, first_reason, merge_reasons

_LOG_2 = float(np.log(2.0))
_NEWTON_STEPS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class AlwaysValidEstimate(Estimate):
    """An estimate whose p-value and interval hold at every sample size at once.

    Attributes:
        p_value: At most 1; the smallest over the looks after `running`.
        log_e_value: Natural logarithm of the evidence against `null`; a bet of 1 that has become
            exp(log_e_value).
    """

    log_e_value: Floats

    @property
    def log_p_value(self) -> Floats:
        """Natural logarithm of the p-value; exact where the p-value itself underflows to 0."""
        return np.minimum(-self.log_e_value, 0.0)

    def _lies_towards(self, side: Alternative) -> Bools:
        # Not the statistic: after `running` it is that of the latest look, the evidence that of all looks.
        return self.lower >= self.null if side is Alternative.GREATER else self.upper <= self.null

    def _one_side_of_two(self, towards: Bools) -> Floats:
        # Half of a two-sided p-value would be too small: one path may cross on both sides.
        return np.where(np.isnan(self.p_value), np.nan, np.where(towards, self.p_value, 1.0))[()]

    def _unseen_side(self) -> Floats:
        raise ValueError(
            f"this sequence only looked for values {self.alternative.value} than {self.null}: make a "
            "two-sided one to judge both sides"
        )


def normal_mixture(
    value: Floats,
    standard_error: Floats,
    *,
    ratio: Floats,
    level: Floats,
    alternative: Alternative,
    null: Floats,
    method: str,
    extra_codes: Codes,
) -> AlwaysValidEstimate:
    """The always-valid estimate of a mixture whose variance is `ratio` squared standard errors.

    One-sided alternatives mix over the positive half only (Howard et al. 2021, Annals of Statistics
    49:1055-1080, proposition 5), which is exact.
    """
    codes = first_reason(
        (extra_codes != 0, Reason.NO_INFORMATION),
        (~(np.isfinite(value) & np.isfinite(standard_error)), Reason.NOT_FINITE),
        (standard_error < 0, Reason.NEGATIVE_VARIANCE),
        (standard_error == 0, Reason.ZERO_VARIANCE),
    )
    with np.errstate(all="ignore"):
        statistic = blank((value - null) / standard_error, codes)
        log_e = _log_e_value(statistic, ratio, alternative)
        half_width = blank(critical_value(ratio, 1 - level, alternative) * standard_error, codes)
        lower, upper = ends(value, half_width, alternative)
        p_value = np.exp(np.minimum(-log_e, 0.0))
    return AlwaysValidEstimate(
        value=blank(value, codes),
        standard_error=blank(standard_error, codes),
        lower=lower,
        upper=upper,
        level=level,
        method=method,
        statistic=statistic,
        degrees_of_freedom=np.float64(np.inf),  # pyright: ignore[reportArgumentType]  # quacks as 0-d
        p_value=p_value,
        null=null,
        alternative=alternative,
        log_e_value=log_e,
        reason_codes=codes,
    )


def critical_value(ratio: Floats, alpha: Floats, alternative: Alternative) -> Floats:
    """Standard errors between the null value and the boundary of the mixture."""
    widening = np.sqrt((1 + ratio) / ratio)
    if alternative is Alternative.TWO_SIDED:
        return widening * np.sqrt(np.log1p(ratio) - 2 * np.log(alpha))
    return widening * _half_mixture_root(np.log1p(ratio) / 2 - np.log(alpha) - _LOG_2)


def running(sequence: AlwaysValidEstimate, *, axis: int = -1) -> AlwaysValidEstimate:
    """What all looks so far say together: the smallest p-value and the intersection of the intervals.

    Looks that are undefined say nothing.

    Args:
        sequence: Estimates with the looks, in order, along `axis`.
        axis: The axis of the looks.
    Returns:
        The shape of `sequence`. From the look on where no value lies in all intervals the ends are NaN with
        `Reason.CONTRADICTION`: the effect has changed, or this is one of the runs that miss at the stated
        level. The p-value stays valid there.
    Source: Howard et al. (2021), Annals of Statistics 49:1055-1080, section 2: intersections of a confidence
        sequence cover as it does.
    """
    shape = sequence.shape
    largest = np.fmax.accumulate(np.broadcast_to(sequence.log_e_value, shape), axis=axis)
    lower = np.fmax.accumulate(np.broadcast_to(sequence.lower, shape), axis=axis)
    upper = np.fmin.accumulate(np.broadcast_to(sequence.upper, shape), axis=axis)
    contradiction = first_reason((lower > upper, Reason.CONTRADICTION))
    return replace(
        sequence,
        lower=blank(lower, contradiction),
        upper=blank(upper, contradiction),
        method=f"{sequence.method}, all looks",
        p_value=np.exp(np.minimum(-largest, 0.0)),
        log_e_value=largest,
        reason_codes=merge_reasons(_until_known(sequence, axis), contradiction),
    )


def _log_e_value(statistic: Floats, ratio: Floats, alternative: Alternative) -> Floats:
    share = ratio / (1 + ratio)
    both = statistic**2 * share / 2 - np.log1p(ratio) / 2
    match alternative:
        case Alternative.TWO_SIDED:
            return both
        case Alternative.GREATER:
            return both + _LOG_2 + log_ndtr(statistic * np.sqrt(share))
        case Alternative.LESS:
            return both + _LOG_2 + log_ndtr(-statistic * np.sqrt(share))


def _until_known(sequence: AlwaysValidEstimate, axis: int) -> Codes:
    """The codes of the looks before the first defined one; later ones lack nothing."""
    codes = np.broadcast_to(sequence.reason_codes, sequence.shape)
    known = np.maximum.accumulate(codes == 0, axis=axis)
    return np.where(known, np.int8(0), codes)


def _half_mixture_root(target: Floats) -> Floats:
    """The x where x² / 2 + log Phi(x) = target, which rises in x and is convex: Newton from the right."""
    x = np.sqrt(2 * np.maximum(target, 0.0) + 2 * _LOG_2)
    for _ in range(_NEWTON_STEPS):
        log_cdf = log_ndtr(x)
        slope = x + np.exp(-(x**2) / 2 - log_cdf) / np.sqrt(2 * np.pi)
        step = (x**2 / 2 + log_cdf - target) / slope
        x = x - step
        if np.all(np.abs(step) <= 1e-14 * (1 + np.abs(x))):
            break
    return x


__all__ = ["AlwaysValidEstimate", "critical_value", "normal_mixture", "running"]
