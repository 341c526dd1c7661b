"""Slices of a layer: who gets which part of its line. Pure; whoever calls holds the environment's lock."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from msgspec.structs import replace

from assay.experiments.errors import LayerFull
from assay_engine.bucketing import BUCKETERS
from assay_engine.model import Layer, LayerSlice
from assay_engine.rules.splits import slices_of

# Shares are decimal and binary fractions are not: 0.3 of 10,000 is 3,000, not 3,001.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Room:
    """How much of a layer there is, and how much is free, in its own buckets."""

    total: int
    free: int

    @property
    def free_share(self) -> float:
        """The free part, in [0, 1]."""
        return self.free / self.total


def room(layer: Layer) -> Room:
    """What is left of a layer."""
    return Room(layer.bucketing.total, sum(high - low for low, high in _gaps(layer)))


def share_of(layer: Layer, experiment: str) -> float:
    """The part of a layer that an experiment has, in [0, 1]."""
    return _size(layer, experiment) / layer.bucketing.total


def reserved(layer: Layer, experiment: str, share: float) -> Layer:
    """The layer in which an experiment has this share; what it has already stays its own.

    Raises:
        LayerFull: There is not enough room; the message says how much there is.
    """
    needed = buckets(layer, share) - _size(layer, experiment)
    if needed < 0:
        return _with(_trimmed(layer, experiment, -needed), [])
    if needed > room(layer).free:
        raise LayerFull(
            f"layer {layer.id!r} has {room(layer).free_share:.2%} left, and experiment {experiment!r} needs "
            f"{needed / layer.bucketing.total:.2%} more; lower its coverage, complete another, or choose "
            "another layer",
            value=layer.id,
        )
    return _with(layer, [LayerSlice(experiment, low, high) for low, high in _taken(layer, needed)])


def released(layer: Layer, experiment: str) -> Layer:
    """The layer without the experiment's slices."""
    return replace(layer, slices=tuple(each for each in layer.slices if each.experiment != experiment))


def buckets(layer: Layer, share: float) -> int:
    """How many of a layer's buckets a share is, at least one."""
    return max(1, math.ceil(share * layer.bucketing.total - _ROUNDING))


def _with(layer: Layer, new: list[LayerSlice]) -> Layer:
    slices = sorted((*layer.slices, *new), key=lambda each: (each.low, each.high))
    return replace(layer, slices=tuple(_joined(slices)))


def _joined(slices: list[LayerSlice]) -> Iterator[LayerSlice]:
    """The same parts of the line with neighbours of one experiment as one slice."""
    current: LayerSlice | None = None
    for each in slices:
        if current is not None and current.experiment == each.experiment and current.high == each.low:
            current = replace(current, high=each.high)
            continue
        if current is not None:
            yield current
        current = each
    if current is not None:
        yield current


def _taken(layer: Layer, needed: int) -> Iterator[tuple[int, int]]:
    gaps = list(_gaps(layer))
    # The tightest gap that is wide enough keeps the wide ones whole; else from the left, in pieces.
    wide = sorted((high - low, low) for low, high in gaps if high - low >= needed)
    if needed and wide:
        yield wide[0][1], wide[0][1] + needed
        return
    for low, high in gaps:
        if not needed:
            return
        part = min(high - low, needed)
        yield low, low + part
        needed -= part


def _trimmed(layer: Layer, experiment: str, surplus: int) -> Layer:
    kept: list[LayerSlice] = []
    for each in sorted(layer.slices, key=lambda slice_: slice_.low, reverse=True):
        cut = min(each.high - each.low, surplus) if each.experiment == experiment else 0
        surplus -= cut
        if each.high - cut > each.low or not cut:
            kept.append(replace(each, high=each.high - cut))
    return replace(layer, slices=tuple(kept))


def _gaps(layer: Layer) -> Iterator[tuple[int, int]]:
    lowest = BUCKETERS[layer.bucketing.bucketer].lowest
    slices = sorted((each.low, each.high) for each in layer.slices)
    edges = [(lowest, lowest), *slices, (lowest + layer.bucketing.total,) * 2]
    for (_, end), (start, _) in pairwise(edges):
        if start > end:
            yield end, start


def _size(layer: Layer, experiment: str) -> int:
    return sum(each.high - each.low for each in slices_of(experiment, layer))
