"""Laws of a layer's slices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.experiments import layers
from assay.experiments.errors import LayerFull
from assay_engine import Ruleset, check
from assay_engine.model import Bucketing, Layer, LayerSlice

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
STEPS = st.lists(st.tuples(NAMES, st.floats(0, 1)), max_size=20)


def a_layer(*slices: LayerSlice, total: int = 1_000) -> Layer:
    return Layer("l", Bucketing("layer", total=total), slices)


@given(STEPS, st.integers(1, 1_000))
def test_whatever_is_reserved_and_released_no_two_slices_overlap(
    steps: list[tuple[str, float]], total: int
) -> None:
    layer = a_layer(total=total)

    for experiment, share in steps:
        before = layer
        try:
            layer = layers.reserved(layer, experiment, share) if share else layers.released(layer, experiment)
        except LayerFull:
            assert layer is before
            continue
        assert check(Ruleset(layers=(layer,))) == ()
        if share:
            size = round(layers.share_of(layer, experiment) * total)
            assert size == layers.buckets(layer, share)
            if share >= layers.share_of(before, experiment):
                assert _parts(before, experiment) <= _parts(layer, experiment)
        for other in {name for name, _ in steps} - {experiment}:
            assert _parts(layer, other) == _parts(before, other)


def test_the_tightest_gap_that_is_wide_enough_is_taken() -> None:
    layer = a_layer(LayerSlice("a", 400, 700), LayerSlice("b", 900, 1_000))

    found = layers.reserved(layer, "c", 0.2)

    assert LayerSlice("c", 700, 900) in found.slices


def test_room_in_pieces_is_room() -> None:
    layer = a_layer(LayerSlice("a", 100, 900))

    assert layers.share_of(layers.reserved(layer, "b", 0.2), "b") == pytest.approx(0.2)


def test_a_full_layer_says_how_much_is_left_and_what_to_do() -> None:
    with pytest.raises(LayerFull, match=r"has 30\.00% left, and experiment 'b' needs 50\.00% more; lower"):
        layers.reserved(a_layer(LayerSlice("a", 0, 700)), "b", 0.5)


def _parts(layer: Layer, experiment: str) -> set[int]:
    return {
        bucket
        for each in layer.slices
        if each.experiment == experiment
        for bucket in range(each.low, each.high)
    }
