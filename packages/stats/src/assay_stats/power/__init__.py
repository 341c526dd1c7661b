"""Power, sample size and smallest detectable effect, before the start and from here on.

Planning has two halves. A *procedure* says how the experiment will be read: once, at the looks of a
group-sequential plan, or by a confidence sequence. A *variance per unit* says how noisy the metric is; the
helpers turn proportions, covariates, ratios, rates, quantiles and clusters into one. Every question then has
the same answer: the power of a procedure at an effect measured in final standard errors.
"""

from assay_stats.power.answers import DetectableEffect, Power, Remaining, SampleSize
from assay_stats.power.from_here import conditional_power, detectable_from_here, remaining
from assay_stats.power.means import (
    lift_detectable_effect,
    mean_detectable_effect,
    mean_power,
    mean_sample_size,
)
from assay_stats.power.procedures import (
    ConfidenceSequenceTest,
    FixedTest,
    GroupSequentialTest,
    Procedure,
    inflation_factor,
)
from assay_stats.power.proportions import (
    proportion_detectable_effect,
    proportion_power,
    proportion_sample_size,
    sample_ratio_power,
)
from assay_stats.power.variances import (
    adjusted_variance,
    cluster_variance,
    proportion_variance,
    quantile_variance,
    rate_variance,
    ratio_variance,
)

__all__ = [
    "ConfidenceSequenceTest",
    "DetectableEffect",
    "FixedTest",
    "GroupSequentialTest",
    "Power",
    "Procedure",
    "Remaining",
    "SampleSize",
    "adjusted_variance",
    "cluster_variance",
    "conditional_power",
    "detectable_from_here",
    "inflation_factor",
    "lift_detectable_effect",
    "mean_detectable_effect",
    "mean_power",
    "mean_sample_size",
    "proportion_detectable_effect",
    "proportion_power",
    "proportion_sample_size",
    "proportion_variance",
    "quantile_variance",
    "rate_variance",
    "ratio_variance",
    "remaining",
    "sample_ratio_power",
]
