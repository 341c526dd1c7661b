"""Numbers as people read them, beside the numbers as they are."""

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from assay.analysis.plan import Kind
from assay.web.figures import PERCENT, PLAIN, POINTS, Scale, interval, p_value, plain, value_of, writer

from .factories import an_estimate, undefined

reals = st.floats(-1e9, 1e9).filter(lambda value: value == 0 or abs(value) > 1e-6)


@pytest.mark.parametrize(
    ("low", "high", "scale", "texts"),
    [
        (-0.01328, -0.00312, POINTS, ("−0.820 pp", "−1.328 pp", "−0.312 pp")),
        (-0.0692, -0.0170, PERCENT, ("−4.31%", "−6.92%", "−1.70%")),
        (-3.72, 1.4, PLAIN, ("−1.16", "−3.72", "+1.40")),
        (60_009.4, 91_019.2, PLAIN, ("+75,514", "+60,009", "+91,019")),
        (-2.5, 2.5, PLAIN, ("0.00", "−2.50", "+2.50")),
        (1e-12, 3e-12, PLAIN, ("+2e-12", "+1e-12", "+3e-12")),
    ],
)
def test_an_interval_is_written_to_three_digits_of_its_half_width(
    low: float, high: float, scale: Scale, texts: tuple[str, ...]
) -> None:
    shown = interval(an_estimate(low, high), scale)

    assert (shown.estimate.text, shown.low.text, shown.high.text) == texts


@settings(deadline=None)
@given(reals, reals, st.sampled_from([PLAIN, PERCENT, POINTS]))
def test_what_is_read_is_what_was_computed_up_to_rounding(first: float, second: float, scale: Scale) -> None:
    low, high = min(first, second), max(first, second)
    assume(high - low > 1e-6)

    shown = interval(an_estimate(low, high), scale)

    tolerance = (high - low) / 2 * scale.factor / 100
    assert shown.low.value == low
    assert read(shown.low.text) == pytest.approx(low * scale.factor, abs=max(tolerance, 0.5))
    if tolerance < 0.5:
        assert read(shown.high.text) == pytest.approx(high * scale.factor, abs=tolerance)


def test_an_end_that_does_not_exist_is_infinite() -> None:
    shown = interval(an_estimate(None, 2.0), PERCENT)

    assert (shown.low.value, shown.low.text) == (None, "−∞")


def test_an_undefined_interval_keeps_its_estimate_and_shows_no_ends() -> None:
    shown = interval(undefined(estimate=0.25), PLAIN)

    assert (shown.estimate.text, shown.low.text, shown.high.text) == ("+0.25", "—", "—")


def test_values_stand_to_the_digits_of_their_difference() -> None:
    beside = an_estimate(-3.72, 1.4)

    assert value_of(52.4563, Kind.MEAN, beside).text == "52.46"
    assert value_of(-51.3, Kind.MEAN, beside).text == "−51.30"
    assert value_of(0.190201, Kind.PROPORTION, an_estimate(-0.01328, -0.00312)).text == "19.020%"


def test_a_value_without_a_difference_has_four_digits() -> None:
    assert value_of(0.190201, Kind.PROPORTION, None).text == "19.02%"
    assert value_of(52.4563, Kind.MEAN, undefined()).text == "52.46"


def test_a_missing_number_is_a_dash() -> None:
    assert value_of(None, Kind.MEAN, None).text == plain(None).text == p_value(None).text == "—"


def test_a_tiny_p_keeps_its_magnitude() -> None:
    assert p_value(3.7e-21).text == "3.7e−21"


def read(text: str) -> float:
    """The number a person would take from the text."""
    return float(re.sub(r"[^0-9.e-]", "", text.replace("−", "-")))


@pytest.mark.parametrize(("low", "high"), [(0.0, 5e-324), (-1.7e308, 1.7e308), (1.0, 1.0), (2.0, 1.0)])
def test_a_width_that_says_nothing_about_digits_is_no_obstacle(low: float, high: float) -> None:
    assert writer(low, high, PLAIN)(1.5) == "1.5"
