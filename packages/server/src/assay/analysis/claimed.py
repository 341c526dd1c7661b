"""What may be shown of a comparison: its one interval and one p-value, on the page as in the terminal."""

from assay.analysis.document import Comparison, Diagnosis, Document, Estimate, Undefined
from assay.analysis.methods import Finding

TOO_EARLY = Undefined(reason="too_early", sentence="the plan allows no reading yet")


def claimed_difference(comparison: Comparison) -> Estimate:
    """The one interval of a comparison, which all words about it follow from."""
    claim = comparison.claim
    if claim is None or claim.finding is Finding.UNKNOWN:
        return comparison.difference
    if claim.finding is Finding.EARLY:
        return Estimate(method=claim.method, estimate=None, low=None, high=None, undefined=TOO_EARLY)
    method = comparison.difference.method
    if claim.basis == "adjusted" and comparison.adjusted is not None:
        method = comparison.adjusted.method
    return Estimate(
        method=method if claim.method == "fixed" else claim.method,
        estimate=claim.estimate,
        low=claim.low,
        high=claim.high,
        undefined=None,
    )


def claimed_lift(comparison: Comparison) -> Estimate:
    """The same as a share of the control."""
    claim = comparison.claim
    if claim is None or claim.finding is Finding.UNKNOWN:
        return comparison.lift
    if claim.lift is None:
        return Estimate(method="delta", estimate=None, low=None, high=None, undefined=TOO_EARLY)
    return claim.lift


def claimed_p_value(comparison: Comparison) -> float | None:
    """The p-value that belongs to that interval; None before the plan allows a reading."""
    claim = comparison.claim
    return comparison.p_value if claim is None else claim.adjusted_p_value


def split_p_value(document: Document) -> float | None:
    """Of the sample ratio: the fixed test at the end, and before it the one that holds at every look."""
    watched = watched_split(document)
    return document.sample_ratio.p_value if watched is None else watched.p_value


def watched_split(document: Document) -> Diagnosis | None:
    """The test that holds at every look, where the sample ratio is judged by it; None at the end."""
    is_under_way = document.read is not None and not document.read.is_final
    return document.diagnosis if is_under_way else None
