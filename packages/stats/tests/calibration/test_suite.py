"""The calibration suite: its acceptance rule, its claims, its report."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from assay_stats import Moments, dunnett
from assay_stats.calibration import CLAIMS, Claim, Kind, Outcome, acceptance, claims_about, run
from assay_stats.undefined import Bools

CONTROLS = [claim for claim in CLAIMS if claim.must_fail]


def coins(share: float) -> Callable[[int, np.random.Generator], Bools]:
    return lambda count, rng: rng.random(count) < share


def a_claim(
    *, share: float = 0.05, target: float = 0.05, kind: Kind = Kind.EQUAL, name: str = "a coin"
) -> Claim:
    return Claim(
        name=name, family="coins", kind=kind, target=target, replications=20_000, simulate=coins(share)
    )


@given(
    st.sampled_from(Kind),
    st.floats(0.001, 0.999),
    st.floats(0, 0.01),
    st.integers(1, 5_000),
    st.floats(1e-6, 0.1),
)
def test_a_right_claim_is_rejected_at_most_as_often_as_stated(
    kind: Kind, target: float, slack: float, trials: int, false_alarm: float
) -> None:
    bounds = acceptance(kind, target=target, slack=slack, trials=trials, false_alarm=false_alarm)
    successes = np.arange(trials + 1)
    rejected = [count for count in successes if not bounds.accept(count / trials)]

    truths = {
        Kind.EQUAL: (target - slack, target + slack),
        Kind.AT_MOST: (target + slack,),
        Kind.AT_LEAST: (target - slack,),
    }
    for truth in truths[kind]:
        chance = np.sum(np.asarray(binom.pmf(rejected, trials, min(max(truth, 0.0), 1.0))))
        assert chance <= false_alarm * (1 + 1e-9)


def test_the_bounds_are_as_narrow_as_the_binomial_allows() -> None:
    bounds = acceptance(Kind.EQUAL, target=0.05, slack=0.0, trials=4_000, false_alarm=2e-5)

    low, high = round(bounds.lower * 4_000), round(bounds.upper * 4_000)
    assert binom.cdf(low - 1, 4_000, 0.05) <= 1e-5 < binom.cdf(low, 4_000, 0.05)
    assert binom.sf(high, 4_000, 0.05) <= 1e-5 < binom.sf(high - 1, 4_000, 0.05)


def test_one_sided_claims_have_one_bound() -> None:
    assert acceptance(Kind.AT_MOST, target=0.05, slack=0.0, trials=100, false_alarm=0.01).lower == 0
    assert acceptance(Kind.AT_LEAST, target=0.05, slack=0.0, trials=100, false_alarm=0.01).upper == 1


@pytest.mark.parametrize(("target", "trials"), [(0.0, 10), (1.5, 10), (0.5, 0)])
def test_a_claim_that_cannot_be_judged_is_refused(target: float, trials: int) -> None:
    with pytest.raises(ValueError, match=r"target must lie|at least one trial"):
        acceptance(Kind.EQUAL, target=target, slack=0.0, trials=trials, false_alarm=0.01)


def test_every_claim_holds_and_every_negative_control_is_noticed() -> None:
    report = run(scale=0.1, seed=20_261_120)

    assert [outcome.name for outcome in report.failures] == []
    assert report.passed


def test_there_are_enough_negative_controls_and_every_family_is_covered() -> None:
    assert len(CONTROLS) >= 5
    assert {claim.family for claim in CLAIMS} >= {
        "means",
        "lifts",
        "ratios",
        "adjustment",
        "clusters",
        "margins",
        "resampling",
        "ranks",
        "heavy tails",
        "quantiles",
        "sample ratio",
        "many tests",
        "planning",
        "always valid",
        "group sequential",
        "after stopping",
        "Bayes",
        "bandits",
        "negative controls",
    }


@pytest.mark.parametrize("claim", CONTROLS, ids=lambda claim: claim.name)
def test_a_negative_control_sold_as_a_claim_fails_the_run(claim: Claim) -> None:
    assert not run([replace(claim, must_fail=False)], scale=0.1).passed


def test_dunnetts_width_in_standard_errors_is_that_of_any_data_with_these_units() -> None:
    n = np.array([20.0, 30.0])
    template = dunnett(Moments(25.0, 0.0, 24.0), Moments(n, np.zeros(2), n - 1))
    other = dunnett(Moments(25.0, 3.0, 90.0), Moments(n, np.array([1.0, 7.0]), 5 * n))

    widths = (other.upper - other.value) / other.standard_error
    assert widths == pytest.approx(template.upper / template.standard_error, rel=1e-12)


def test_a_wrong_claim_fails_the_run_and_is_named() -> None:
    report = run([a_claim(), a_claim(share=0.08, name="a bent coin")])

    assert [outcome.name for outcome in report.failures] == ["a bent coin"]
    assert "1 of 2 claims and 0 negative controls FAILED" in report.verdict


def test_a_control_that_behaves_fails_the_run() -> None:
    assert not run([replace(a_claim(), must_fail=True)]).passed


def test_conservative_methods_meet_an_upper_limit_and_miss_an_equality() -> None:
    assert run([a_claim(share=0.02, kind=Kind.AT_MOST)]).passed
    assert not run([a_claim(share=0.02, kind=Kind.EQUAL)]).passed


def test_the_same_seed_gives_the_same_numbers_whatever_else_runs() -> None:
    alone = run([a_claim()], seed=3).outcomes[0].measured
    beside = run([a_claim(name="another"), a_claim()], seed=3).outcomes[1].measured
    elsewhere = run([a_claim()], seed=4).outcomes[0].measured

    assert alone == beside
    assert alone != elsewhere


def test_the_false_alarm_rate_is_shared_by_the_claims() -> None:
    outcome = run([a_claim(), a_claim(name="another")], scale=0.1, family_false_alarm=0.02).outcomes[0]

    shared = acceptance(Kind.EQUAL, target=0.05, slack=0.0, trials=2_000, false_alarm=0.01)
    assert (outcome.lower, outcome.upper) == (shared.lower, shared.upper)


def test_each_claim_draws_from_a_stream_of_its_own() -> None:
    first, second = run([a_claim(name="one"), a_claim(name="two")], seed=3).outcomes

    assert first.measured != second.measured


def test_scale_sets_the_number_of_experiments_down_to_a_floor() -> None:
    assert run([a_claim()], scale=0.5).outcomes[0].trials == 10_000
    assert run([a_claim()], scale=1e-6).outcomes[0].trials == 200


def test_progress_hears_of_every_outcome() -> None:
    heard: list[tuple[int, int, str]] = []

    def listen(done: int, total: int, outcome: Outcome) -> None:
        heard.append((done, total, outcome.name))

    run([a_claim(name="one"), a_claim(name="two")], progress=listen)

    assert heard == [(1, 2, "one"), (2, 2, "two")]


def test_a_report_reads_as_a_table_and_as_json() -> None:
    report = run([a_claim(), replace(a_claim(share=0.2, name="bent"), must_fail=True)], scale=0.1)
    text = report.to_text()
    parsed = json.loads(json.dumps(report.to_dict()))

    assert text.splitlines()[1].startswith("ok  a coin")
    assert "bent (must fail)" in text
    assert text.endswith(report.verdict)
    assert parsed["passed"] is True
    assert parsed["outcomes"][0]["measured"] == report.outcomes[0].measured
    assert parsed["outcomes"][1]["must_fail"] is True


@pytest.mark.parametrize("wrong", [{"scale": 0.0}, {"seed": -1}, {"family_false_alarm": 1.0}])
def test_a_run_that_means_nothing_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"scale|seed|family_false_alarm"):
        run([a_claim()], **wrong)  # pyright: ignore[reportArgumentType]  # one wrong value at a time


def test_claims_need_distinct_names() -> None:
    with pytest.raises(ValueError, match="a coin"):
        run([a_claim(), a_claim()])
    with pytest.raises(ValueError, match="at least one claim"):
        run([])


def test_methods_are_calibrated_on_a_metric_of_ones_own() -> None:
    rng = np.random.default_rng(1)
    before = rng.gamma(2.0, size=3_000)
    metric = before + rng.gamma(1.0, size=3_000) * (rng.random(3_000) < 0.3)
    report = run(claims_about(metric, covariate=before), scale=0.1)

    assert report.passed, report.to_text()
    assert len(report.outcomes) == 6


def test_a_metric_that_one_unit_dominates_is_found_out() -> None:
    metric = np.zeros(1_000)
    metric[:3] = 1e6

    assert not run(claims_about(metric), scale=0.2).passed


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.arange(10.0), "at least 40 units"),
        (np.full(100, 7.0), "nothing to calibrate"),
        (np.append(np.arange(99.0), np.nan), "1 of 100 entries of values are missing"),
        (np.zeros((50, 2)), "at least 40 units"),
    ],
)
def test_values_that_are_no_metric_are_refused(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        claims_about(values)


def test_a_covariate_of_other_units_is_refused() -> None:
    with pytest.raises(ValueError, match="100 units, got 50"):
        claims_about(np.arange(100.0), covariate=np.arange(50.0))


def test_a_control_runs_often_enough_to_be_noticed_at_any_scale() -> None:
    (outcome,) = run([replace(a_claim(), must_fail=True, target=0.2)], scale=0.001).outcomes

    assert outcome.trials == 2_000
