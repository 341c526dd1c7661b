"""Results as a person meets them: reasons, tables, conversions."""

import numpy as np
import pytest

from assay_stats import Alternative, Direction, Moments, Reason, Result, sample_ratio, welch
from assay_stats.undefined import blank, first_reason, merge_reasons, reasons

ONE = welch(Moments.from_summary(10, 1.0, 1.0), Moments.from_summary(10, 2.0, 1.0))
MANY = welch(Moments([10, 1], [1.0, 1.0], [9.0, 0.0]), Moments.from_summary(10, 2.0, 1.0))


def html_of(result: Result) -> str:
    """What a notebook shows, by the protocol of IPython."""
    return str(getattr(result, "_repr_html_")())  # noqa: B009 — a protocol's name, private to type checkers


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_sentence_and_its_own_code(reason: Reason) -> None:
    assert len(reason.sentence) > 20
    assert reasons(np.array([reason.code]))[0] is reason


def test_a_defined_scalar_has_no_reason() -> None:
    assert ONE.reason is None
    assert bool(ONE.is_defined)
    assert ONE.shape == ()


def test_an_array_has_a_reason_per_entry() -> None:
    assert MANY.reasons.tolist() == [None, Reason.TOO_FEW_UNITS]
    assert MANY.is_defined.tolist() == [True, False]
    with pytest.raises(ValueError, match="read `reasons`"):
        _ = MANY.reason


def test_a_scalar_result_is_made_of_floats() -> None:
    assert isinstance(ONE.p_value, float)
    assert f"{ONE.value:.1f}" == "1.0"


def test_a_result_is_a_table_with_a_row_per_hypothesis() -> None:
    table = MANY.to_dict()

    assert table["p_value"].shape == (2,)
    assert table["reason"].tolist() == [None, Reason.TOO_FEW_UNITS]
    assert table["method"].tolist() == ["welch", "welch"]


def test_a_notebook_shows_numbers_and_reasons() -> None:
    html = html_of(MANY)

    assert html.startswith("<table><caption>Estimate</caption>")
    assert "fewer than two units" in html
    assert "—" in html
    assert "nan" not in html


def test_a_notebook_shows_the_first_rows_and_says_how_many_more() -> None:
    long = welch(Moments(np.full(60, 10), 1.0, 9.0), Moments.from_summary(10, 2.0, 1.0))

    assert "… 10 more rows" in html_of(long)


def test_every_result_prints_in_a_notebook() -> None:
    assert "p value" in html_of(sample_ratio([10, 12], [1, 1]))


def test_results_become_data_frames() -> None:
    pytest.importorskip("pandas", reason="pandas is not installed here")

    frame = MANY.to_pandas()

    assert list(frame["p_value"].notna()) == [True, False]


def test_results_become_arrow_tables() -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed here")

    assert MANY.to_arrow().num_rows == 2


def test_direction_has_a_sign() -> None:
    assert (Direction.HIGHER_IS_BETTER.sign, Direction.LOWER_IS_BETTER.sign) == (1, -1)


def test_mirroring_twice_changes_nothing() -> None:
    assert [side.mirrored.mirrored for side in Alternative] == list(Alternative)


def test_the_first_check_that_holds_gives_the_reason() -> None:
    codes = first_reason(
        (np.array([True, False, False]), Reason.EMPTY_ARM), (np.array([True, True, False]), Reason.NOT_FINITE)
    )

    assert reasons(codes).tolist() == [Reason.EMPTY_ARM, Reason.NOT_FINITE, None]


def test_merged_reasons_keep_the_first() -> None:
    first, second = np.array([1, 0, 0], np.int8), np.array([2, 2, 0], np.int8)

    assert merge_reasons(first, second).tolist() == [1, 2, 0]


def test_blanking_takes_only_what_has_a_reason() -> None:
    assert np.isnan(blank(np.array([1.0, 2.0]), np.array([0, 1], np.int8))).tolist() == [False, True]
