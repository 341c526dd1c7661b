"""Two arms of a bandit, joined over its batches by weights of 1 / standard error; pure.

Source: Zhang, Janson and Murphy (2020), Inference for batched bandits, NeurIPS 33.
"""

from dataclasses import dataclass

import numpy as np

from assay.analysis.collected import Batches
from assay.analysis.plan import Kind
from assay_stats.bandits import batch_errors, batched_difference
from assay_stats.estimands import ArmMean, mean_of, ratio_of
from assay_stats.moments import JointMoments
from assay_stats.results import Estimate
from assay_stats.tails import Alternative
from assay_stats.undefined import Bools, Floats, Reason, first_reason


@dataclass(frozen=True, slots=True)
class _Compared:
    """Both arms in each batch: values and squared errors `(..., 2, n_batches)`, and which batches count."""

    values: Floats
    errors: Floats
    counts: Bools

    @property
    def weights(self) -> Floats:
        """`(..., n_batches)` 1 / standard error of the difference, 0 where a batch does not count."""
        with np.errstate(all="ignore"):
            return np.where(self.counts, 1 / np.sqrt(self.errors.sum(axis=-2)), 0.0)


def joined_difference(kind: Kind, control: Batches, treatment: Batches, *, level: float) -> Estimate:
    """The difference of two arms over all batches that count, tested as such."""
    found = _compared(kind, control, treatment)
    used = np.flatnonzero(found.counts)
    if not len(used):
        return _undefined(level)
    values = found.values[1] - found.values[0]
    return batched_difference(values[used], np.sqrt(found.errors.sum(axis=0))[used], level=level)


def joined_arms(kind: Kind, control: Batches, treatment: Batches) -> tuple[ArmMean, ArmMean]:
    """Both arms as the joined difference weighs their batches, of any leading shape.

    The difference of these two with its standard error is the joined one.
    """
    found = _compared(kind, control, treatment)
    weights = found.weights[..., None, :]
    counted = np.isfinite(weights) & (weights > 0)
    with np.errstate(all="ignore"):
        total = weights.sum(axis=-1)
        value = np.where(counted, found.values * weights, 0.0).sum(axis=-1) / total
        error = np.where(counted, found.errors * weights**2, 0.0).sum(axis=-1) / total**2
    codes = first_reason(
        (~found.counts.any(axis=-1), Reason.NO_BATCH),
        (~np.isfinite(total[..., 0]), Reason.ZERO_VARIANCE),
    )
    known = np.full(codes.shape, np.inf)
    base, other = (ArmMean(value[..., arm], error[..., arm], error[..., arm], known, codes) for arm in (0, 1))
    return base, other


def counting(control: Batches, treatment: Batches) -> Bools:
    """`(..., n_batches)` whether each batch has enough units in both arms."""
    return np.asarray((control.units >= control.least) & (treatment.units >= treatment.least))


def _compared(kind: Kind, control: Batches, treatment: Batches) -> _Compared:
    means = [_mean(kind, each.moments) for each in (control, treatment)]
    n = np.stack([each.moments.n for each in (control, treatment)], axis=-2)
    counts = counting(control, treatment) & (n > 0).all(axis=-2)
    with np.errstate(all="ignore"):
        variances = np.stack([np.asarray(mean.squared_error) for mean in means], axis=-2) * n
        errors = batch_errors(variances, np.where(counts[..., None, :], n, 0.0))
    return _Compared(np.stack([np.asarray(mean.value) for mean in means], axis=-2), errors, counts)


def _mean(kind: Kind, moments: JointMoments) -> ArmMean:
    return ratio_of(moments) if kind is Kind.RATIO else mean_of(moments.column(0))


def _undefined(level: float) -> Estimate:
    nothing = np.asarray(np.nan)
    return Estimate(
        value=nothing,
        standard_error=nothing,
        lower=nothing,
        upper=nothing,
        level=np.asarray(level),
        method="batched difference",
        statistic=nothing,
        degrees_of_freedom=nothing,
        p_value=nothing,
        null=np.asarray(0.0),
        alternative=Alternative.TWO_SIDED,
        reason_codes=np.asarray(Reason.NO_BATCH.code),
    )
