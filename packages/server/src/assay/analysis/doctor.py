"""Where a sample ratio mismatch comes from: which segment, version, rule or hour, most likely first.

The alarm is sequential: one test of the whole and one per segment share its error rate, so that it may be
looked at every hour. Then every cause is a model of the same counts: it frees the split in the cells that it
would disturb and keeps the planned one elsewhere. Its evidence is the Bayes factor against the plan, summed
over where it may have begun; a cause that explains all of the mismatch with few cells beats one that explains
a part or needs more. A segment is preferred to the whole only when the rest is as planned.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

import numpy as np

from assay.analysis.causes import Cause, Disturbance, cause_of
from assay.analysis.decision_words import NAMELESS, Names
from assay_stats.srm import sequential_sample_ratio
from assay_stats.undefined import Floats

ALARM_ALPHA = 0.01
MOST_VALUES = 20
# From all units in one arm to a few lost ones: how far splits are from the plan differs by cause.
_CONCENTRATIONS = (2.0, 50.0, 1_000.0)
# Of the alarm: finds practical mismatches early.
_CONCENTRATION = 100.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """New units per period and arm.

    Attributes:
        arms: Keys.
        weights: Planned, one per arm.
        periods: Starts of equal periods, in order; hours find a late start on its day.
        counts: `(n_periods, n_arms)`.
        segments: The same counts by dimension (browser, country, version, rule, is_bot) and value.
        shares: `(n_periods, n_arms)` what each period was split by, of a bandit, where a period in which
            weights moved stands once for each split; None where the weights stay.
    """

    arms: tuple[str, ...]
    weights: tuple[float, ...]
    periods: tuple[datetime, ...]
    counts: Floats
    segments: Mapping[str, Mapping[str, Floats]]
    shares: Floats | None = None

    @property
    def split(self) -> Floats:
        """`(n_periods, n_arms)` what each period was split by."""
        if self.shares is not None:
            return self.shares
        return np.broadcast_to(np.array(self.weights), self.counts.shape)


@dataclass(frozen=True, slots=True)
class SegmentAlarm:
    """A segment whose split is not the planned one.

    Attributes:
        p_value: Valid at all looks, corrected for the number of segments.
    """

    dimension: str
    value: str
    units: tuple[int, ...]
    p_value: float


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the doctor found.

    Attributes:
        p_value: Of the whole split, valid at all looks; None with fewer than two open arms.
        alarm_at: The first period at whose end the alarm had rung; None without an alarm.
        segments: Those that ring by themselves, most certain first.
        causes: Most likely first; none without an alarm.
    """

    p_value: float | None
    alarm_at: datetime | None
    segments: Sequence[SegmentAlarm]
    causes: Sequence[Cause]


def diagnose(traffic: Traffic, *, alpha: float = ALARM_ALPHA, arm_names: Names = NAMELESS) -> Diagnosis:
    """Whether the split has gone wrong, since when, and the likely causes.

    Args:
        alpha: Probability that an experiment whose split is as planned ever rings, whole and segments
            together.
        arm_names: What sentences call the arms.
    """
    if sum(weight > 0 for weight in traffic.weights) < 2 or not len(traffic.periods):  # noqa: PLR2004 — a split
        return Diagnosis(None, None, (), ())
    whole = _p_values(traffic.counts, traffic.split)
    names, by_segment = _segments(traffic)
    ringing = _p_values(by_segment, traffic.split) * max(len(names), 1)
    is_alarm = (whole < alpha / 2) | (ringing < alpha / 2).any(axis=0)
    alarms = _segment_alarms(names, by_segment, ringing[:, -1], alpha / 2)
    if not is_alarm.any():
        return Diagnosis(float(whole[-1]), None, (), ())
    return Diagnosis(
        p_value=float(whole[-1]),
        alarm_at=traffic.periods[int(np.argmax(is_alarm))],
        segments=alarms,
        causes=_ranked(traffic, names, by_segment, arm_names),
    )


def _p_values(counts: Floats, split: Floats) -> Floats:
    """`(..., n_periods)` always-valid p-values at the end of each period."""
    evidence = _log_bayes(counts, split, concentration=_CONCENTRATION)
    return np.exp(-np.maximum(np.maximum.accumulate(evidence, axis=-1), 0.0))


def _log_bayes(counts: Floats, split: Floats, *, concentration: float) -> Floats:
    """`(..., n_periods)` log Bayes factors against the split at the end of each period.

    Where the split changes, those of each part are multiplied: given the past each has mean 1 at most, and so
    has their product.
    """
    changes = 1 + np.flatnonzero((np.diff(split, axis=0) != 0).any(axis=-1))
    carried, parts = np.zeros((*counts.shape[:-2], 1)), list[Floats]()
    for begin, end in pairwise([0, *changes.tolist(), len(split)]):
        found = sequential_sample_ratio(
            np.cumsum(counts[..., begin:end, :], axis=-2), split[begin], concentration=concentration
        )
        parts.append(found.log_bayes_factor + carried)
        carried = parts[-1][..., -1:]
    return np.concatenate(parts, axis=-1)


def _segments(traffic: Traffic) -> tuple[list[tuple[str, str]], Floats]:
    """Names and `(n_segments, n_periods, n_arms)` counts of the largest values of each dimension."""
    names: list[tuple[str, str]] = []
    for dimension, values in traffic.segments.items():
        if len(values) > 1:  # one value is the whole
            largest = sorted(values, key=lambda value: (-values[value].sum(), value))[:MOST_VALUES]
            names += [(dimension, value) for value in largest]
    found = [traffic.segments[dimension][value] for dimension, value in names]
    return names, np.array(found).reshape(len(names), *traffic.counts.shape)


def _segment_alarms(
    names: Sequence[tuple[str, str]], counts: Floats, p_values: Floats, alpha: float
) -> list[SegmentAlarm]:
    found = [
        SegmentAlarm(dimension, value, tuple(int(n) for n in units.sum(axis=0)), min(float(p), 1.0))
        for (dimension, value), units, p in zip(names, counts, p_values, strict=True)
        if p < alpha
    ]
    return sorted(found, key=lambda alarm: alarm.p_value)


def _ranked(
    traffic: Traffic, names: Sequence[tuple[str, str]], by_segment: Floats, arm_names: Names
) -> list[Cause]:
    models = list(_models(traffic, names, by_segment))
    evidence = np.array([weight for _, weight in models])
    chances = np.exp(evidence - np.logaddexp.reduce(evidence))
    causes = [
        replace(
            cause_of(disturbance, traffic.arms, _planned(traffic, disturbance), arm_names),
            probability=float(chance),
        )
        for (disturbance, _), chance in zip(models, chances, strict=True)
    ]
    return sorted(causes, key=lambda cause: -cause.probability)


def _planned(traffic: Traffic, found: Disturbance) -> Sequence[float]:
    """The weights of the disturbed periods, on average over their units where they changed."""
    if traffic.shares is None:
        return traffic.weights
    disturbed = np.array(
        [
            (found.since is None or period >= found.since) and (found.until is None or period < found.until)
            for period in traffic.periods
        ]
    )
    sizes = np.where(disturbed, traffic.counts.sum(axis=-1), 0.0)
    return (sizes @ traffic.shares / sizes.sum()).tolist() if sizes.sum() else traffic.weights


def _models(
    traffic: Traffic, names: Sequence[tuple[str, str]], by_segment: Floats
) -> Iterator[tuple[Disturbance, float]]:
    """Each possible disturbance with its log evidence; the segments share the prior of one other cause."""
    counts, split = traffic.counts, traffic.split
    total = _log_evidence(counts, split)[-1]
    yield Disturbance(units=_units(counts)), float(total)
    if len(traffic.periods) > 1:
        yield _since(traffic, counts, split)
        yield _until(traffic, counts, split)
    for (dimension, value), segment in zip(names, by_segment, strict=True):
        always = _log_evidence(segment, split)[-1]
        found, evidence = Disturbance(dimension, value, units=_units(segment)), float(always)
        if len(traffic.periods) > 1:
            later, later_evidence = _since(traffic, segment, split)
            started = replace(later, dimension=dimension, value=value)
            found = started if later_evidence > evidence else found
            evidence = float(np.logaddexp(evidence, later_evidence) - np.log(2))
        yield found, evidence - float(np.log(len(names)))


def _since(traffic: Traffic, counts: Floats, split: Floats) -> tuple[Disturbance, float]:
    """Disturbed from some period on, any but the first."""
    evidence = _log_evidence(counts[::-1], split[::-1])[::-1][1:]
    best = int(np.argmax(evidence)) + 1
    return (
        Disturbance(since=traffic.periods[best], units=_units(counts[best:])),
        float(np.logaddexp.reduce(evidence) - np.log(len(evidence))),
    )


def _until(traffic: Traffic, counts: Floats, split: Floats) -> tuple[Disturbance, float]:
    """Disturbed before some period, any but the first."""
    evidence = _log_evidence(counts, split)[:-1]
    best = int(np.argmax(evidence)) + 1
    return (
        Disturbance(until=traffic.periods[best], units=_units(counts[:best])),
        float(np.logaddexp.reduce(evidence) - np.log(len(evidence))),
    )


def _log_evidence(counts: Floats, split: Floats) -> Floats:
    """`(n_periods,)` log Bayes factors of a free split against the planned one after each period."""
    found = [_log_bayes(counts, split, concentration=concentration) for concentration in _CONCENTRATIONS]
    return np.logaddexp.reduce(np.array(found), axis=0) - np.log(len(found))


def _units(counts: Floats) -> tuple[int, ...]:
    return tuple(int(n) for n in counts.sum(axis=0))
