"""Moments in, inferences out: the statistics of experiments.

Start with `Moments` per arm and a comparison such as `welch`; `assay_stats.undefined` has the conventions.
All public names are here; those of sequential, Bayesian, bandit and planning methods load when first asked
for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from assay_stats.bandits import (
        Allocation,
        batched_difference,
        thompson,
        top_two,
    )
    from assay_stats.bayesian import (
        BayesianEstimate,
        ChanceRule,
        LossRule,
        PeekingErrorRates,
        Ranking,
        bayesian_difference,
        bayesian_normal,
        best_of,
        peeking_error_rates,
        stacked,
    )
    from assay_stats.posteriors import (
        BetaPosterior,
        BetaPrior,
        GammaPosterior,
        GammaPrior,
        NormalPosterior,
        NormalPrior,
        Posterior,
        beta_posterior,
        gamma_posterior,
        normal_posterior,
    )
    from assay_stats.power import (
        ConfidenceSequenceTest,
        DetectableEffect,
        FixedTest,
        GroupSequentialTest,
        Power,
        Procedure,
        Remaining,
        SampleSize,
        adjusted_variance,
        cluster_variance,
        conditional_power,
        detectable_from_here,
        inflation_factor,
        lift_detectable_effect,
        mean_detectable_effect,
        mean_power,
        mean_sample_size,
        proportion_detectable_effect,
        proportion_power,
        proportion_sample_size,
        proportion_variance,
        quantile_variance,
        rate_variance,
        ratio_variance,
        remaining,
        sample_ratio_power,
    )
    from assay_stats.sequential import (
        AlwaysValidEstimate,
        BetaMixture,
        Boundary,
        Crossing,
        GroupSequentialPlan,
        HwangShihDeCani,
        OBrienFleming,
        Pocock,
        PowerFamily,
        RepeatedEstimate,
        Spending,
        StagewiseEstimate,
        approximate_rho_squared,
        asymptotic_confidence_sequence,
        bernoulli_difference_sequence,
        bernoulli_sequence,
        boundary,
        crossing,
        mixture_sprt,
        quantile_difference_sequence,
        quantile_ranks,
        quantile_sequence,
        repeated_estimate,
        running,
        stagewise_estimate,
        tuned_rho_squared,
    )

# In the order of their imports, so that a search loads little beyond what it finds.
_LATER = ("posteriors", "sequential", "bayesian", "bandits", "power")

__all__ = [
    "Allocation",
    "Alternative",
    "AlwaysValidEstimate",
    "ArmMean",
    "ArmPair",
    "ArmRatio",
    "BayesianEstimate",
    "BetaMixture",
    "BetaPosterior",
    "BetaPrior",
    "Boundary",
    "CapBasis",
    "ChanceRule",
    "ClusterTotals",
    "ConfidenceSequenceTest",
    "Counts",
    "Crossing",
    "Decision",
    "DetectableEffect",
    "Direction",
    "Equivalence",
    "Estimate",
    "EventCounts",
    "ExactMethod",
    "ExactTest",
    "FixedTest",
    "GammaPosterior",
    "GammaPrior",
    "Goal",
    "GroupSequentialPlan",
    "GroupSequentialTest",
    "Guardrail",
    "Heterogeneity",
    "HwangShihDeCani",
    "Interval",
    "JointMoments",
    "Lift",
    "LossRule",
    "Moments",
    "NormalPosterior",
    "NormalPrior",
    "NullPolicy",
    "OBrienFleming",
    "PeekingErrorRates",
    "Pocock",
    "Posterior",
    "Power",
    "PowerFamily",
    "Procedure",
    "QualityCheck",
    "RankTest",
    "Ranking",
    "Reason",
    "Remaining",
    "RepeatedEstimate",
    "Result",
    "Risks",
    "SampleRatio",
    "SampleSize",
    "SegmentSampleRatio",
    "SequentialSampleRatio",
    "Spending",
    "StagewiseEstimate",
    "Theta",
    "Verdict",
    "adjusted_arms",
    "adjusted_ratio_arms",
    "adjusted_variance",
    "approximate_rho_squared",
    "asymptotic_confidence_sequence",
    "batched_difference",
    "bayesian_difference",
    "bayesian_normal",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "bernoulli_difference_sequence",
    "bernoulli_sequence",
    "best_of",
    "beta_posterior",
    "bonferroni",
    "bootstrap_difference",
    "boundary",
    "cluster_difference",
    "cluster_mean",
    "cluster_variance",
    "conditional_power",
    "crossing",
    "cuped_difference",
    "decide",
    "delta_lift",
    "design_effect",
    "detectable_from_here",
    "difference",
    "dunnett",
    "effect_trend",
    "equivalence",
    "exact_proportions",
    "fieller_lift",
    "gamma_posterior",
    "hochberg",
    "holm",
    "hommel",
    "inflation_factor",
    "interaction",
    "lift_detectable_effect",
    "mann_whitney",
    "mean_detectable_effect",
    "mean_of",
    "mean_power",
    "mean_sample_size",
    "mean_statistic",
    "mixture_sprt",
    "non_inferiority",
    "normal_posterior",
    "novelty_trend",
    "pair_difference",
    "peeking_error_rates",
    "poisson_difference",
    "poisson_lift",
    "pooled_cap",
    "post_stratified",
    "post_stratified_adjusted",
    "proportion_detectable_effect",
    "proportion_power",
    "proportion_sample_size",
    "proportion_variance",
    "quantile",
    "quantile_difference",
    "quantile_difference_sequence",
    "quantile_of",
    "quantile_ranks",
    "quantile_sequence",
    "quantile_variance",
    "rate_variance",
    "ratio_difference",
    "ratio_of",
    "ratio_variance",
    "relative_non_inferiority",
    "remaining",
    "repeated_estimate",
    "running",
    "sample_ratio",
    "sample_ratio_by_segment",
    "sample_ratio_power",
    "segment_heterogeneity",
    "sequential_sample_ratio",
    "smallest_expected_count",
    "stacked",
    "stagewise_estimate",
    "superiority",
    "t_inference",
    "thompson",
    "top_two",
    "tuned_rho_squared",
    "two_proportions",
    "welch",
    "winsorised",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 — whatever the module holds
    """Names of the modules that a program pays for only when it uses them (PEP 562)."""
    if name in __all__:
        for module in _LATER:
            found = vars(import_module(f"assay_stats.{module}")).get(name)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(f"module 'assay_stats' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
