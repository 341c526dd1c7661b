"""The mixture sequential probability ratio test (Johari, Koomen, Pekelis and Walsh 2022, Operations Research
70)."""

from numpy.typing import ArrayLike

from assay_stats.checks import as_floats, checked_level, checked_positive
from assay_stats.sequential.mixtures import AlwaysValidEstimate, normal_mixture
from assay_stats.tails import Alternative
from assay_stats.undefined import first_reason


def mixture_sprt(
    value: ArrayLike,
    standard_error: ArrayLike,
    *,
    mixture_variance: ArrayLike,
    level: ArrayLike = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
    null: ArrayLike = 0.0,
) -> AlwaysValidEstimate:
    """An always-valid test whose mixture is stated in the metric's own unit.

    The likelihood ratio is sqrt(V / (V + tau)) * exp(tau * d² / (2 * V * (V + tau))) with V the squared
    standard error. tau must be fixed before the start: a tau that follows the running variance makes the
    boundary a constant multiple of the standard error, which no test that is read forever can have.

    Args:
        value: Estimated difference, any shape.
        standard_error: Its standard error now.
        mixture_variance: tau, the variance of the effects expected before the start, squared units of the
            metric.
        level: Coverage over all looks together.
        alternative: Side that counts as evidence.
        null: The value tested against.
    Raises:
        ValueError: `mixture_variance` is not positive and finite, or `level` outside (0, 1).
    Source: Johari et al. (2022), equation 12.
    """
    se = as_floats(standard_error)
    tau = checked_positive(mixture_variance, name="mixture_variance")
    positive = abs(se) + (se == 0)
    return normal_mixture(
        as_floats(value),
        se,
        ratio=tau / positive / positive,
        level=checked_level(level),
        alternative=alternative,
        null=as_floats(null),
        method="mixture SPRT",
        extra_codes=first_reason(),
    )


__all__ = ["mixture_sprt"]
