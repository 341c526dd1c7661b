"""The same figures from independent packages on random data; skipped where those are not installed."""

import numpy as np
import pytest

from assay_stats import (
    EventCounts,
    JointMoments,
    Moments,
    Theta,
    benjamini_yekutieli,
    cuped_difference,
    dunnett,
    hommel,
    poisson_difference,
    ratio_difference,
    segment_heterogeneity,
    superiority,
    welch,
)

SEEDS = range(5)


@pytest.mark.parametrize("seed", SEEDS)
def test_welch_agrees_with_scipy(seed: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(seed)
    control, treatment = rng.lognormal(size=rng.integers(2, 50)), rng.lognormal(0.3, size=rng.integers(2, 50))

    result = welch(Moments.from_values(control), Moments.from_values(treatment))

    expected = stats.ttest_ind(treatment, control, equal_var=False)
    assert result.p_value == pytest.approx(expected.pvalue, rel=1e-10)
    assert result.degrees_of_freedom == pytest.approx(expected.df, rel=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
def test_superiority_agrees_with_scipy_among_ties(seed: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(seed)
    control, treatment = rng.poisson(2, size=30), rng.poisson(2.5, size=25)

    expected = stats.brunnermunzel(control, treatment)

    assert superiority(control, treatment).p_value == pytest.approx(expected.pvalue, rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_dunnett_agrees_with_scipys_simulation(seed: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(seed)
    arms = [rng.normal(0.2 * i, 1, size=15 + 5 * i) for i in range(4)]
    control, *treatments = (Moments.from_values(arm) for arm in arms)
    stacked = Moments(*(np.array([getattr(one, name) for one in treatments]) for name in ("n", "mean", "m2")))

    expected = stats.dunnett(*arms[1:], control=arms[0], rng=np.random.default_rng(0))

    assert dunnett(control, stacked).p_value == pytest.approx(expected.pvalue, abs=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("method", "adjust"), [("hommel", hommel), ("fdr_by", benjamini_yekutieli)])
def test_multiplicity_agrees_with_statsmodels(seed: int, method: str, adjust: object) -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest", reason="statsmodels is not installed here")
    p_values = np.random.default_rng(seed).beta(0.5, 2, size=20)

    expected = multitest.multipletests(p_values, method=method)[1]

    assert callable(adjust)
    assert adjust(p_values) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
def test_heterogeneity_agrees_with_statsmodels(seed: int) -> None:
    meta = pytest.importorskip("statsmodels.stats.meta_analysis", reason="statsmodels is not installed here")
    rng = np.random.default_rng(seed)
    effects, errors = rng.normal(size=7), rng.gamma(2, 0.1, size=7)

    expected, result = (
        meta.combine_effects(effects, errors, method_re="dl"),
        segment_heterogeneity(effects, errors),
    )

    assert result.tau_squared == pytest.approx(max(expected.tau2, 0), rel=1e-9)
    assert result.statistic == pytest.approx(expected.q, rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_rates_agree_with_statsmodels(seed: int) -> None:
    rates = pytest.importorskip("statsmodels.stats.rates", reason="statsmodels is not installed here")
    rng = np.random.default_rng(seed)
    x0, x1, t0, t1 = *rng.integers(1, 80, size=2), *rng.uniform(10, 100, size=2)

    expected = rates.test_poisson_2indep(x1, t1, x0, t0, value=0.1, compare="diff", method="score")

    result = poisson_difference(EventCounts(x0, t0), EventCounts(x1, t1), null=0.1)
    assert result.statistic == pytest.approx(expected.statistic, rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_means_ratios_and_adjustment_agree_with_tea_tasting(seed: int) -> None:
    tea_tasting = pytest.importorskip("tea_tasting", reason="tea-tasting is not installed here")
    pandas = pytest.importorskip("pandas", reason="pandas is not installed here")
    rng = np.random.default_rng(seed)
    arms = [
        np.column_stack([rng.normal(10, 2, size=n), rng.poisson(4, size=n) + 1.0, rng.normal(3, 1, size=n)])
        for n in (80, 120)
    ]
    frame = pandas.DataFrame(np.concatenate(arms), columns=["y", "sessions", "x"])
    frame["variant"] = np.repeat([0, 1], [80, 120])
    control, treatment = (JointMoments.from_values(arm) for arm in arms)

    expected = tea_tasting.Experiment(
        mean=tea_tasting.Mean("y"),
        cuped=tea_tasting.Mean("y", "x"),
        ratio=tea_tasting.RatioOfMeans("y", "sessions"),
    ).analyze(frame)

    ours = {
        "mean": welch(control.column(0), treatment.column(0)),
        "cuped": cuped_difference(control, treatment, covariates=(2,), theta=Theta.POOLED),
        "ratio": ratio_difference(control, treatment),
    }
    for name, result in ours.items():
        assert result.p_value == pytest.approx(expected[name].pvalue, rel=1e-8)
        assert result.lower == pytest.approx(expected[name].effect_size_ci_lower, rel=1e-8)
