"""Moments in, inferences out: the statistics of experiments.

Start with `Moments` per arm and a comparison such as `welch`; `assay_stats.undefined` has the conventions.
"""

from assay_stats.estimands import ArmMean, ArmRatio, mean_of, ratio_of
from assay_stats.frequentist import (
    Lift,
    delta_lift,
    difference,
    fieller_lift,
    ratio_difference,
    t_inference,
    welch,
)
from assay_stats.moments import JointMoments, Moments, NullPolicy
from assay_stats.proportions import Counts, two_proportions
from assay_stats.results import Direction, Estimate, Interval, Result
from assay_stats.srm import SampleRatio, sample_ratio
from assay_stats.tails import Alternative
from assay_stats.undefined import Reason

__all__ = [
    "Alternative",
    "ArmMean",
    "ArmRatio",
    "Counts",
    "Direction",
    "Estimate",
    "Interval",
    "JointMoments",
    "Lift",
    "Moments",
    "NullPolicy",
    "Reason",
    "Result",
    "SampleRatio",
    "delta_lift",
    "difference",
    "fieller_lift",
    "mean_of",
    "ratio_difference",
    "ratio_of",
    "sample_ratio",
    "t_inference",
    "two_proportions",
    "welch",
]
