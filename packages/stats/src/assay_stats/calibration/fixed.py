"""Claims about experiments that are read once."""

import numpy as np

from assay_stats.adjustment import cuped_difference, pair_difference, post_stratified
from assay_stats.balance import Population, acceptable_distance
from assay_stats.bayesian import bayesian_normal
from assay_stats.calibration.acceptance import Kind
from assay_stats.calibration.claims import Claim, Rng, Simulate, at_any, in_blocks, one_by_one
from assay_stats.calibration.worlds import bernoulli, normal, normal_pairs, revenue, sessions
from assay_stats.clusters import ClusterTotals, cluster_difference, clustered_difference
from assay_stats.frequentist import delta_lift, fieller_lift, ratio_difference, welch
from assay_stats.heterogeneity import segment_heterogeneity
from assay_stats.margins import equivalence, non_inferiority, relative_non_inferiority
from assay_stats.moments import Moments
from assay_stats.multiplicity import benjamini_hochberg, dunnett, holm
from assay_stats.posteriors import NormalPrior, normal_posterior
from assay_stats.power import mean_sample_size, sample_ratio_power
from assay_stats.proportions import Counts, two_proportions
from assay_stats.quantiles import quantile, quantile_difference
from assay_stats.rates import EventCounts, poisson_difference
from assay_stats.results import Interval
from assay_stats.srm import sample_ratio
from assay_stats.tails import Alternative, tail
from assay_stats.undefined import Bools, Floats

_ALPHA = 0.05
_NULLS, _TESTS, _SIGNAL = 15, 20, 3.0
_PLANNED = mean_sample_size(0.5, variance_control=1.0, variance_treatment=2.0, power=0.8)
_MISPLACED = sample_ratio_power(4_000, planned=[1, 1], actual=[0.53, 0.47], level=0.99)


def covers(interval: Interval, truth: Floats | float) -> Bools:
    """Whether an interval contains the truth; an undefined one does not."""
    return (interval.lower <= truth) & (truth <= interval.upper)


def _welch(count: int, rng: Rng) -> Bools:
    return welch(normal(rng, count, 20, sd=1), normal(rng, count, 45, sd=2)).p_value < _ALPHA


def _welch_unequal_allocation(count: int, rng: Rng) -> Bools:
    return welch(normal(rng, count, 900, sd=1), normal(rng, count, 100, sd=3)).p_value < _ALPHA


def _welch_one_sided(alternative: Alternative) -> Simulate:
    def simulate(count: int, rng: Rng) -> Bools:
        arms = normal(rng, count, 30), normal(rng, count, 12, sd=2)
        return welch(*arms, alternative=alternative).p_value < _ALPHA

    return simulate


def _welch_on_counts(count: int, rng: Rng) -> Bools:
    return welch(bernoulli(rng, count, 2_000, 0.02), bernoulli(rng, count, 2_000, 0.02)).p_value < _ALPHA


def _welch_on_revenue(count: int, rng: Rng) -> Bools:
    return welch(revenue(rng, count, 4_000), revenue(rng, count, 4_000)).p_value < _ALPHA


def _p_below_one_half(count: int, rng: Rng) -> Bools:
    return welch(normal(rng, count, 50), normal(rng, count, 50)).p_value < 0.5  # noqa: PLR2004 — the median


def _proportions(count: int, rng: Rng) -> Bools:
    control, treatment = (Counts(rng.binomial(n, 0.3, count), n) for n in (400, 300))
    return two_proportions(control, treatment).p_value < _ALPHA


def _proportion_coverage(count: int, rng: Rng) -> Bools:
    control, treatment = (
        Counts(rng.binomial(150, 0.1, count), 150),
        Counts(rng.binomial(150, 0.2, count), 150),
    )
    return covers(two_proportions(control, treatment), 0.1)


def _rates(count: int, rng: Rng) -> Bools:
    control, treatment = (
        EventCounts(rng.poisson(60.0, count), 30.0),
        EventCounts(rng.poisson(100.0, count), 50.0),
    )
    return poisson_difference(control, treatment).p_value < _ALPHA


def _delta_lift(count: int, rng: Rng) -> Bools:
    control, treatment = normal(rng, count, 400, mean=1.0, sd=1.4), normal(rng, count, 400, mean=1.2, sd=1.4)
    return covers(delta_lift(control, treatment), 0.2)


def _fieller_lift(count: int, rng: Rng) -> Bools:
    control, treatment = normal(rng, count, 100, mean=1.0, sd=1.5), normal(rng, count, 100, mean=1.5, sd=1.5)
    return covers(fieller_lift(control, treatment), 0.5)


def _fieller_lift_of_a_negative_baseline(count: int, rng: Rng) -> Bools:
    control, treatment = normal(rng, count, 100, mean=-1.0, sd=1.5), normal(rng, count, 60, mean=-1.5, sd=1.5)
    return covers(fieller_lift(control, treatment), -0.5)


def _ratio(count: int, rng: Rng) -> Bools:
    return ratio_difference(sessions(rng, count, 500), sessions(rng, count, 500)).p_value < _ALPHA


def _ratio_at_unequal_allocation(count: int, rng: Rng) -> Bools:
    return ratio_difference(sessions(rng, count, 900), sessions(rng, count, 100)).p_value < _ALPHA


def _adjusted(count: int, rng: Rng) -> Bools:
    control = normal_pairs(rng, count, 150, slope=0.8)
    treatment = normal_pairs(rng, count, 150, slope=0.2)
    return cuped_difference(control, treatment).p_value < _ALPHA


def _adjusted_at_unequal_allocation(count: int, rng: Rng) -> Bools:
    control = normal_pairs(rng, count, 900, slope=0.8)
    treatment = normal_pairs(rng, count, 100, slope=0.2)
    return cuped_difference(control, treatment).p_value < _ALPHA


def _post_stratified(count: int, rng: Rng) -> Bools:
    shares, means = np.array([0.2, 0.3, 0.5]), np.array([0.0, 1.0, 3.0])
    effects = np.array([1.0, 0.0, -0.4])
    arms: list[Moments] = []
    for arm, n in enumerate((300, 600)):
        sizes = rng.multinomial(n, shares, count).astype(np.float64)
        arms.append(normal(rng, sizes.shape, sizes, mean=means + arm * effects))
    return pair_difference(post_stratified(*arms)).p_value < _ALPHA


def _clusters(count: int, rng: Rng) -> Bools:
    arms = [_few_clusters(rng, count) for _ in range(2)]
    return cluster_difference(*arms).p_value < _ALPHA


def _switched_cities(count: int, rng: Rng) -> Bools:
    arms = _windows(rng, count, cities=6, pairs=12)
    by_city = [ClusterTotals(sizes.sum(axis=-1), totals.sum(axis=-1)) for sizes, totals in arms]
    return clustered_difference(*by_city).p_value < _ALPHA


def _one_switched_city(count: int, rng: Rng) -> Bools:
    arms = _windows(rng, count, cities=1, pairs=20)
    by_pair = [ClusterTotals(sizes[:, 0], totals[:, 0]) for sizes, totals in arms]
    return clustered_difference(*by_pair).p_value < _ALPHA


def _windows(rng: Rng, count: int, *, cities: int, pairs: int) -> list[tuple[Floats, Floats]]:
    """Both arms of a switchback, `(count, cities, pairs)` windows; what happens wears off slowly."""
    shocks = rng.normal(size=(2 * pairs, count, cities))
    for window in range(1, 2 * pairs):
        shocks[window] += 0.7 * shocks[window - 1]
    shocks += rng.normal(0.0, 3.0, (count, cities))
    paired = np.moveaxis(shocks, 0, -1).reshape(count, cities, pairs, 2)
    first = rng.integers(0, 2, (count, cities, pairs))[..., None]
    sizes = np.ones(first.shape[:-1])
    return [(sizes, np.take_along_axis(paired, choice, -1)[..., 0]) for choice in (first, 1 - first)]


def _rerandomised(count: int, rng: Rng) -> Bools:
    """The first of the assignments that balances two covariates on which the outcome depends."""
    found = np.empty(count, dtype=bool)
    limit = acceptable_distance(2, share=0.1)
    for experiment in range(count):
        covariates = rng.normal(size=(40, 2))
        treated = rng.random((60, 40)).argsort(axis=1) < 20  # noqa: PLR2004 — half of the units
        distances = Population.of(covariates).imbalance(~treated, treated).distance
        chosen = treated[int(np.argmax(distances <= limit))]
        outcome = covariates.sum(axis=1) + rng.normal(size=40)
        arms = Moments.from_values(outcome[~chosen]), Moments.from_values(outcome[chosen])
        found[experiment] = welch(*arms).p_value < _ALPHA
    return found


def _few_clusters(rng: Rng, count: int) -> ClusterTotals:
    sizes = rng.integers(20, 60, (count, 5)).astype(np.float64)
    means = rng.normal(0.0, 0.4, sizes.shape) + rng.normal(size=sizes.shape) / np.sqrt(sizes)
    return ClusterTotals(sizes, sizes * means)


def _not_inferior_at_the_margin(count: int, rng: Rng) -> Bools:
    control, treatment = normal(rng, count, 80, mean=5.0), normal(rng, count, 60, mean=4.8)
    return non_inferiority(control, treatment, margin=0.2).p_value < _ALPHA


def _not_inferior_at_the_relative_margin(count: int, rng: Rng) -> Bools:
    control, treatment = normal(rng, count, 200, mean=2.0), normal(rng, count, 200, mean=1.8)
    return relative_non_inferiority(control, treatment, margin=0.1).p_value < _ALPHA


def _equivalent_at(upper: float, lower: float, shift: float) -> Simulate:
    """Equivalence declared though the shift lies on a margin; far from the other one, the size is alpha."""

    def simulate(count: int, rng: Rng) -> Bools:
        control, treatment = normal(rng, count, 70, mean=5.0), normal(rng, count, 90, mean=5.0 + shift)
        return equivalence(control, treatment, lower_margin=lower, upper_margin=upper).p_value < _ALPHA

    return simulate


def _quantile(rng: Rng) -> bool:
    return bool(covers(quantile(rng.exponential(size=100), 0.9), -np.log(0.1)))


def _quantile_difference(rng: Rng) -> bool:
    arms = rng.lognormal(size=500), rng.lognormal(size=400)
    return bool(quantile_difference(*arms, 0.75).p_value < _ALPHA)


def _heterogeneity(count: int, rng: Rng) -> Bools:
    variances = np.array([0.5, 1.0, 2.0, 4.0, 0.1, 1.0])
    found = segment_heterogeneity(rng.normal(1.0, np.sqrt(variances), (count, 6)), variances)
    return found.p_value < _ALPHA


def _sample_ratio(count: int, rng: Rng) -> Bools:
    return sample_ratio(rng.multinomial(3_000, [0.5, 0.25, 0.25], count), [2, 1, 1]).p_value < _ALPHA


def _sample_ratio_power(count: int, rng: Rng) -> Bools:
    return sample_ratio(rng.multinomial(4_000, [0.53, 0.47], count), [1, 1]).p_value < 0.01  # noqa: PLR2004


def _any_of_three_arms(count: int, rng: Rng) -> Bools:
    """Dunnett's critical value depends on the numbers of units alone, so one call serves every experiment."""
    n = np.array([25.0, 20.0, 30.0, 60.0])
    template = dunnett(Moments(n[0], 0.0, n[0] - 1), Moments(n[1:], np.zeros(3), n[1:] - 1))
    critical = template.upper / template.standard_error
    arms = normal(rng, (count, n.size), n)
    pooled = arms.m2.sum(axis=1, keepdims=True) / (n - 1).sum()
    gaps = arms.mean[:, 1:] - arms.mean[:, :1]
    return at_any(np.abs(gaps) > critical * np.sqrt(pooled * (1 / n[0] + 1 / n[1:])))


def _some_true_p_values(count: int, rng: Rng) -> Floats:
    statistics = rng.normal(size=(count, _TESTS))
    statistics[:, _NULLS:] += _SIGNAL
    return tail(statistics, np.asarray(np.inf), Alternative.TWO_SIDED)


def _any_false_finding(count: int, rng: Rng) -> Bools:
    return at_any(holm(_some_true_p_values(count, rng))[:, :_NULLS] < _ALPHA)


def _false_among_findings(count: int, rng: Rng) -> Bools:
    """Whether a finding drawn at random is false: its probability is the false discovery rate."""
    found = benjamini_hochberg(_some_true_p_values(count, rng)) < _ALPHA
    false = found[:, :_NULLS].sum(axis=1) / np.maximum(found.sum(axis=1), 1)
    return rng.random(count) < false


def _power(count: int, rng: Rng) -> Bools:
    control = normal(rng, count, float(_PLANNED.control))
    treatment = normal(rng, count, float(_PLANNED.treatment), mean=0.5, sd=np.sqrt(2.0))
    return welch(control, treatment).p_value < _ALPHA


def _credible(count: int, rng: Rng) -> Bools:
    prior = NormalPrior(0.2, 0.7)
    truth = rng.normal(prior.mean, prior.sd, count)
    return covers(bayesian_normal(normal_posterior(rng.normal(truth, 0.5), 0.5, prior=prior)), truth)


def _beats_when_the_chance_is_90_percent(count: int, rng: Rng) -> Bools:
    """With prior and data equally precise the chance to beat is uniform, so the mean of this bin is 0.9."""
    truth = rng.normal(size=count)
    compared = bayesian_normal(normal_posterior(rng.normal(truth, 1.0), 1.0, prior=NormalPrior(0.0, 1.0)))
    chosen = np.abs(compared.chance_to_beat - 0.9) < 0.05  # noqa: PLR2004 — the bin
    return truth[chosen] > 0


FIXED_CLAIMS = tuple(
    Claim(name=name, family=family, kind=kind, target=target, slack=slack, replications=r, simulate=simulate)
    for name, family, kind, target, slack, r, simulate in (
        ("Welch, 20 against 45 units, sd 1 and 2", "means", Kind.EQUAL, 0.05, 0.001, 400_000, _welch),
        (
            "Welch, 900 against 100 units, sd 1 and 3",
            "means",
            Kind.EQUAL,
            0.05,
            0.001,
            400_000,
            _welch_unequal_allocation,
        ),
        (
            "Welch, downwards only, 30 against 12 units",
            "means",
            Kind.EQUAL,
            0.05,
            0.001,
            400_000,
            _welch_one_sided(Alternative.LESS),
        ),
        (
            "Welch, upwards only, 30 against 12 units",
            "means",
            Kind.EQUAL,
            0.05,
            0.001,
            400_000,
            _welch_one_sided(Alternative.GREATER),
        ),
        (
            "Welch on 0/1 values at 2 %, 2,000 units",
            "means",
            Kind.EQUAL,
            0.05,
            0.003,
            400_000,
            _welch_on_counts,
        ),
        (
            "Welch on zero-inflated revenue, 4,000 units",
            "means",
            Kind.EQUAL,
            0.05,
            0.003,
            20_000,
            in_blocks(_welch_on_revenue, 500),
        ),
        ("p-values below one half", "means", Kind.EQUAL, 0.5, 0.0, 400_000, _p_below_one_half),
        (
            "power of a planned sample size",
            "planning",
            Kind.EQUAL,
            float(_PLANNED.power),
            0.003,
            400_000,
            _power,
        ),
        (
            "two proportions, score test",
            "proportions",
            Kind.EQUAL,
            0.05,
            0.003,
            200_000,
            in_blocks(_proportions),
        ),
        (
            "two proportions, coverage at +10 points",
            "proportions",
            Kind.EQUAL,
            0.95,
            0.004,
            40_000,
            in_blocks(_proportion_coverage),
        ),
        ("two Poisson rates", "proportions", Kind.EQUAL, 0.05, 0.004, 200_000, in_blocks(_rates)),
        ("lift by delta, +20 %, baseline cv 0.07", "lifts", Kind.EQUAL, 0.95, 0.002, 400_000, _delta_lift),
        (
            "lift by Fieller, +50 %, baseline cv 0.15",
            "lifts",
            Kind.EQUAL,
            0.95,
            0.002,
            400_000,
            _fieller_lift,
        ),
        (
            "lift by Fieller, negative baseline",
            "lifts",
            Kind.EQUAL,
            0.95,
            0.002,
            400_000,
            _fieller_lift_of_a_negative_baseline,
        ),
        (
            "ratio of sums by delta, 500 users",
            "ratios",
            Kind.EQUAL,
            0.05,
            0.003,
            20_000,
            in_blocks(_ratio, 1_000),
        ),
        (
            "ratio of sums by delta, 900 against 100",
            "ratios",
            Kind.EQUAL,
            0.05,
            0.004,
            20_000,
            in_blocks(_ratio_at_unequal_allocation, 1_000),
        ),
        (
            "adjusted by covariate (Lin), 150 units",
            "adjustment",
            Kind.EQUAL,
            0.05,
            0.004,
            200_000,
            in_blocks(_adjusted),
        ),
        (
            "adjusted by covariate (Lin), 900 against 100",
            "adjustment",
            Kind.EQUAL,
            0.05,
            0.004,
            200_000,
            in_blocks(_adjusted_at_unequal_allocation),
        ),
        (
            "post-stratified, random strata",
            "adjustment",
            Kind.EQUAL,
            0.05,
            0.003,
            200_000,
            in_blocks(_post_stratified),
        ),
        (
            "10 clusters, CR2 and Satterthwaite",
            "clusters",
            Kind.AT_MOST,
            0.05,
            0.004,
            200_000,
            in_blocks(_clusters),
        ),
        (
            "first acceptable assignment of 60, Welch without adjustment",
            "clusters",
            Kind.AT_MOST,
            0.05,
            0.0,
            10_000,
            _rerandomised,
        ),
        (
            "switchback of 6 cities, CR2 by city",
            "clusters",
            Kind.AT_MOST,
            0.05,
            0.004,
            100_000,
            in_blocks(_switched_cities),
        ),
        (
            "switchback of one city, CR2 by pair of windows",
            "clusters",
            Kind.AT_MOST,
            0.05,
            0.004,
            100_000,
            in_blocks(_one_switched_city),
        ),
        (
            "non-inferiority at the margin",
            "margins",
            Kind.EQUAL,
            0.05,
            0.001,
            400_000,
            _not_inferior_at_the_margin,
        ),
        (
            "non-inferiority at the relative margin",
            "margins",
            Kind.EQUAL,
            0.05,
            0.002,
            400_000,
            _not_inferior_at_the_relative_margin,
        ),
        (
            "equivalence (TOST) at the upper margin",
            "margins",
            Kind.EQUAL,
            0.05,
            0.001,
            400_000,
            _equivalent_at(0.6, -1.2, shift=0.6),
        ),
        (
            "equivalence (TOST) at the lower margin",
            "margins",
            Kind.EQUAL,
            0.05,
            0.001,
            400_000,
            _equivalent_at(1.2, -0.6, shift=-0.6),
        ),
        (
            "equivalence (TOST) between close margins",
            "margins",
            Kind.AT_MOST,
            0.05,
            0.0,
            400_000,
            _equivalent_at(0.3, -0.3, shift=0.3),
        ),
        ("quantile, exact interval", "quantiles", Kind.AT_LEAST, 0.95, 0.0, 10_000, one_by_one(_quantile)),
        (
            "quantile difference",
            "quantiles",
            Kind.EQUAL,
            0.05,
            0.006,
            10_000,
            one_by_one(_quantile_difference),
        ),
        (
            "heterogeneity of segments, Cochran's Q",
            "segments",
            Kind.EQUAL,
            0.05,
            0.001,
            100_000,
            in_blocks(_heterogeneity),
        ),
        (
            "sample ratio, chi-square",
            "sample ratio",
            Kind.EQUAL,
            0.05,
            0.002,
            200_000,
            in_blocks(_sample_ratio),
        ),
        (
            "power to find a broken split",
            "planning",
            Kind.EQUAL,
            float(_MISPLACED.power),
            0.006,
            100_000,
            in_blocks(_sample_ratio_power),
        ),
        (
            "Holm, any false finding among 20 tests",
            "many tests",
            Kind.AT_MOST,
            0.05,
            0.0,
            200_000,
            in_blocks(_any_false_finding),
        ),
        (
            "Dunnett, any false finding among 3 arms",
            "many tests",
            Kind.EQUAL,
            0.05,
            0.0,
            400_000,
            in_blocks(_any_of_three_arms),
        ),
        (
            "Benjamini-Hochberg, false discovery rate",
            "many tests",
            Kind.EQUAL,
            0.0375,
            0.0,
            200_000,
            in_blocks(_false_among_findings),
        ),
        ("credible interval under the right prior", "Bayes", Kind.EQUAL, 0.95, 0.0, 400_000, _credible),
        (
            "treatment is better when the chance says 90 %",
            "Bayes",
            Kind.EQUAL,
            0.9,
            0.0,
            400_000,
            _beats_when_the_chance_is_90_percent,
        ),
    )
)

__all__ = ["FIXED_CLAIMS", "covers"]
