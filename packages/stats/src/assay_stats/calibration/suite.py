"""Runs claims and judges them; `assay verify-stats` is this function with a progress bar."""

import zlib
from collections.abc import Callable, Sequence
from time import perf_counter

import numpy as np

from assay_stats.calibration.acceptance import acceptance
from assay_stats.calibration.adaptive import ADAPTIVE_CLAIMS
from assay_stats.calibration.claims import Claim
from assay_stats.calibration.controls import NEGATIVE_CONTROLS
from assay_stats.calibration.fixed import FIXED_CLAIMS
from assay_stats.calibration.looking import SEQUENTIAL_CLAIMS
from assay_stats.calibration.raw_values import RAW_VALUE_CLAIMS
from assay_stats.calibration.report import Outcome, Report
from assay_stats.checks import checked_level, checked_positive

Progress = Callable[[int, int, Outcome], None]
"""Called after each claim with how many are done, how many there are, and the outcome."""

FEWEST_REPLICATIONS = 200
CONTROL_SCALE = 0.1
CLAIMS: tuple[Claim, ...] = (
    *FIXED_CLAIMS,
    *RAW_VALUE_CLAIMS,
    *SEQUENTIAL_CLAIMS,
    *ADAPTIVE_CLAIMS,
    *NEGATIVE_CONTROLS,
)


def run(
    claims: Sequence[Claim] = CLAIMS,
    *,
    scale: float = 1.0,
    seed: int = 0,
    family_false_alarm: float = 1e-3,
    progress: Progress | None = None,
) -> Report:
    """Simulate every claim and compare it with its exact acceptance bounds.

    Each claim draws from a stream of its own, so that leaving one out does not change the others.

    Args:
        claims: The built-in suite, or those of `claims_about`, or both.
        scale: Replications over those at scale 1; no claim runs fewer than 200, and no negative control
            fewer than at scale 0.1, below which its fault could hide in the noise.
        seed: Not negative. The same seed and scale give the same numbers.
        family_false_alarm: Probability that a run of right claims contains any failure; shared evenly.
        progress: Told about every outcome as it comes.
    Raises:
        ValueError: No claims, two of one name, a scale that is not positive, a seed below 0.
    """
    _check(claims, scale, seed, family_false_alarm)
    began = perf_counter()
    outcomes: list[Outcome] = []
    for claim in claims:
        outcomes.append(_judged(claim, scale, seed, family_false_alarm / len(claims)))
        if progress is not None:
            progress(len(outcomes), len(claims), outcomes[-1])
    return Report(
        outcomes=tuple(outcomes),
        scale=scale,
        seed=seed,
        family_false_alarm=family_false_alarm,
        seconds=perf_counter() - began,
    )


def _check(claims: Sequence[Claim], scale: float, seed: int, family_false_alarm: float) -> None:
    names = [claim.name for claim in claims]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if not names or repeated:
        raise ValueError(f"claims need distinct names, and at least one claim; repeated: {repeated}")
    if seed < 0:
        raise ValueError(f"seed must not be negative; got {seed!r}")
    checked_positive(scale, name="scale")
    checked_level(family_false_alarm, name="family_false_alarm")


def _judged(claim: Claim, scale: float, seed: int, false_alarm: float) -> Outcome:
    began = perf_counter()
    rng = np.random.default_rng([seed, zlib.crc32(claim.name.encode())])
    happened = claim.simulate(_replications(claim, scale), rng)
    trials = happened.size
    measured = int(np.sum(happened)) / trials
    bounds = acceptance(
        claim.kind, target=claim.target, slack=claim.slack, trials=trials, false_alarm=false_alarm
    )
    return Outcome(
        name=claim.name,
        family=claim.family,
        kind=claim.kind,
        target=claim.target,
        slack=claim.slack,
        must_fail=claim.must_fail,
        trials=trials,
        measured=measured,
        lower=bounds.lower,
        upper=bounds.upper,
        agrees=bounds.accept(measured),
        seconds=perf_counter() - began,
    )


def _replications(claim: Claim, scale: float) -> int:
    # A control that goes unnoticed for want of replications would look like a fault of the suite.
    lowest = CONTROL_SCALE if claim.must_fail else 0.0
    return max(FEWEST_REPLICATIONS, round(claim.replications * max(scale, lowest)))


__all__ = ["CLAIMS", "Progress", "run"]
