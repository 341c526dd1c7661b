"""Moments in, inferences out: the statistics of experiments.

Start with `Moments` per arm and a comparison such as `welch`; `assay_stats.undefined` has the conventions.
"""

from assay_stats.adjustment import (
    ArmPair,
    Theta,
    adjusted_arms,
    adjusted_ratio_arms,
    cuped_difference,
    pair_difference,
    post_stratified,
    post_stratified_adjusted,
)
from assay_stats.clusters import ClusterTotals, cluster_difference, cluster_mean, design_effect
from assay_stats.decision import Decision, Goal, Guardrail, QualityCheck, Risks, Verdict, decide
from assay_stats.estimands import ArmMean, ArmRatio, mean_of, ratio_of
from assay_stats.exact import ExactMethod, ExactTest, exact_proportions, smallest_expected_count
from assay_stats.frequentist import (
    Lift,
    delta_lift,
    difference,
    fieller_lift,
    ratio_difference,
    t_inference,
    welch,
)
from assay_stats.heterogeneity import (
    Heterogeneity,
    effect_trend,
    interaction,
    novelty_trend,
    segment_heterogeneity,
)
from assay_stats.margins import Equivalence, equivalence, non_inferiority, relative_non_inferiority
from assay_stats.moments import JointMoments, Moments, NullPolicy
from assay_stats.multiplicity import (
    benjamini_hochberg,
    benjamini_yekutieli,
    bonferroni,
    dunnett,
    hochberg,
    holm,
    hommel,
)
from assay_stats.proportions import Counts, two_proportions
from assay_stats.quantiles import quantile, quantile_difference, quantile_of
from assay_stats.ranks import RankTest, mann_whitney, superiority
from assay_stats.rates import EventCounts, poisson_difference, poisson_lift
from assay_stats.resampling import CapBasis, bootstrap_difference, mean_statistic, pooled_cap, winsorised
from assay_stats.results import Direction, Estimate, Interval, Result
from assay_stats.srm import (
    SampleRatio,
    SegmentSampleRatio,
    SequentialSampleRatio,
    sample_ratio,
    sample_ratio_by_segment,
    sequential_sample_ratio,
)
from assay_stats.tails import Alternative
from assay_stats.undefined import Reason

__all__ = [
    "Alternative",
    "ArmMean",
    "ArmPair",
    "ArmRatio",
    "CapBasis",
    "ClusterTotals",
    "Counts",
    "Decision",
    "Direction",
    "Equivalence",
    "Estimate",
    "EventCounts",
    "ExactMethod",
    "ExactTest",
    "Goal",
    "Guardrail",
    "Heterogeneity",
    "Interval",
    "JointMoments",
    "Lift",
    "Moments",
    "NullPolicy",
    "QualityCheck",
    "RankTest",
    "Reason",
    "Result",
    "Risks",
    "SampleRatio",
    "SegmentSampleRatio",
    "SequentialSampleRatio",
    "Theta",
    "Verdict",
    "adjusted_arms",
    "adjusted_ratio_arms",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "bonferroni",
    "bootstrap_difference",
    "cluster_difference",
    "cluster_mean",
    "cuped_difference",
    "decide",
    "delta_lift",
    "design_effect",
    "difference",
    "dunnett",
    "effect_trend",
    "equivalence",
    "exact_proportions",
    "fieller_lift",
    "hochberg",
    "holm",
    "hommel",
    "interaction",
    "mann_whitney",
    "mean_of",
    "mean_statistic",
    "non_inferiority",
    "novelty_trend",
    "pair_difference",
    "poisson_difference",
    "poisson_lift",
    "pooled_cap",
    "post_stratified",
    "post_stratified_adjusted",
    "quantile",
    "quantile_difference",
    "quantile_of",
    "ratio_difference",
    "ratio_of",
    "relative_non_inferiority",
    "sample_ratio",
    "sample_ratio_by_segment",
    "segment_heterogeneity",
    "sequential_sample_ratio",
    "smallest_expected_count",
    "superiority",
    "t_inference",
    "two_proportions",
    "welch",
    "winsorised",
]
