"""Looking early without paying for it: group-sequential designs and sequences that hold at every sample
size."""

from assay_stats.sequential.confidence_sequences import (
    approximate_rho_squared,
    asymptotic_confidence_sequence,
    tuned_rho_squared,
)
from assay_stats.sequential.exact_sequences import (
    BetaMixture,
    bernoulli_difference_sequence,
    bernoulli_sequence,
    quantile_difference_sequence,
    quantile_ranks,
    quantile_sequence,
)
from assay_stats.sequential.group_sequential import (
    Boundary,
    Crossing,
    GroupSequentialPlan,
    RepeatedEstimate,
    boundary,
    crossing,
    repeated_estimate,
)
from assay_stats.sequential.mixtures import AlwaysValidEstimate, running
from assay_stats.sequential.msprt import mixture_sprt
from assay_stats.sequential.spending import HwangShihDeCani, OBrienFleming, Pocock, PowerFamily, Spending
from assay_stats.sequential.stagewise import StagewiseEstimate, stagewise_estimate

__all__ = [
    "AlwaysValidEstimate",
    "BetaMixture",
    "Boundary",
    "Crossing",
    "GroupSequentialPlan",
    "HwangShihDeCani",
    "OBrienFleming",
    "Pocock",
    "PowerFamily",
    "RepeatedEstimate",
    "Spending",
    "StagewiseEstimate",
    "approximate_rho_squared",
    "asymptotic_confidence_sequence",
    "bernoulli_difference_sequence",
    "bernoulli_sequence",
    "boundary",
    "crossing",
    "mixture_sprt",
    "quantile_difference_sequence",
    "quantile_ranks",
    "quantile_sequence",
    "repeated_estimate",
    "running",
    "stagewise_estimate",
    "tuned_rho_squared",
]
