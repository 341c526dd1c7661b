"""Asymptotic confidence sequences, also known as GAVI: intervals that hold at every sample size at once."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import lambertw

from assay_stats.checks import as_floats, checked_level, checked_positive
from assay_stats.sequential.mixtures import AlwaysValidEstimate, normal_mixture
from assay_stats.tails import Alternative
from assay_stats.undefined import Floats, Reason, first_reason


def tuned_rho_squared(
    tuned_for: ArrayLike, *, level: ArrayLike = 0.95, alternative: Alternative = Alternative.TWO_SIDED
) -> Floats:
    """The mixture that makes the interval narrowest at one sample size, fixed before the first look.

    Args:
        tuned_for: Units in both arms together at which it should be narrowest, any shape.
        level: Coverage of the sequence.
        alternative: One-sided sequences are tuned as two-sided ones at twice the error rate.
    Returns:
        Variance of the mixture per unit, shape of the input.
    Raises:
        ValueError: `tuned_for` is not positive, `level` outside (0, 1), or one-sided and at most 0.5.
    Source: Waudby-Smith et al. (2024), Annals of Statistics 52:2613-2640, with the lower branch of Lambert's
        W.
    """
    alpha = _tuning_alpha(level, alternative)
    units = checked_positive(tuned_for, name="tuned_for")
    return (-lambertw(-(alpha**2) / np.e, k=-1).real - 1) / units


def approximate_rho_squared(
    tuned_for: ArrayLike, *, level: ArrayLike = 0.95, alternative: Alternative = Alternative.TWO_SIDED
) -> Floats:
    """`tuned_rho_squared` without Lambert's W, as Eppo and GrowthBook tune it; the boundary differs by about
    1 %.

    Args:
        tuned_for: Units in both arms together at which the interval should be narrow, any shape.
        level: Coverage of the sequence.
        alternative: As in `tuned_rho_squared`.
    Returns:
        Variance of the mixture per unit, shape of the input.
    Raises:
        ValueError: `tuned_for` is not positive, `level` outside (0, 1), or one-sided and at most 0.5.
    Source: Waudby-Smith et al. (2024), equation 161 of arXiv:2103.06476v7.
    """
    alpha = _tuning_alpha(level, alternative)
    units = checked_positive(tuned_for, name="tuned_for")
    return (-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / units


def asymptotic_confidence_sequence(
    value: ArrayLike,
    standard_error: ArrayLike,
    n: ArrayLike,
    *,
    rho_squared: ArrayLike,
    level: ArrayLike = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
    null: ArrayLike = 0.0,
) -> AlwaysValidEstimate:
    """The interval and p-value that stay valid however often and whenever one looks.

    Args:
        value: Estimated difference, any shape.
        standard_error: Its standard error now.
        n: Units in both arms together now.
        rho_squared: Of the mixture, frozen before the start: `tuned_rho_squared(planned_units)`. Taking it
            from the running n would void the guarantee.
        level: Coverage over all looks together.
        alternative: Side that counts as evidence; one-sided sequences are exact half mixtures.
        null: The value tested against.
    Returns:
        The look alone; `running` joins several looks.
    Raises:
        ValueError: `rho_squared` is not positive and finite, or `level` outside (0, 1).
    Source: Waudby-Smith et al. (2024); the same boundary as Howard et al. (2021), equation 14, with v = n and
        rho = 1 / rho_squared.
    """
    units = as_floats(n)
    return normal_mixture(
        as_floats(value),
        as_floats(standard_error),
        ratio=units * checked_positive(rho_squared, name="rho_squared"),
        level=checked_level(level),
        alternative=alternative,
        null=as_floats(null),
        method="asymptotic confidence sequence",
        extra_codes=first_reason((~(units > 0), Reason.NO_INFORMATION)),
    )


def _tuning_alpha(level: ArrayLike, alternative: Alternative) -> Floats:
    alpha = 1 - checked_level(level)
    doubled = alpha if alternative is Alternative.TWO_SIDED else 2 * alpha
    if np.any(doubled >= 1):
        raise ValueError(f"a one-sided sequence needs a level above 0.5; got {level!r}")
    return doubled


__all__ = ["approximate_rho_squared", "asymptotic_confidence_sequence", "tuned_rho_squared"]
