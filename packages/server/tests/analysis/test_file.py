"""Experiments in files: right digits, and bad input that says why."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.analysis.document import Document, MetricResult
from assay.analysis.errors import UnknownArm
from assay.analysis.file import FileRequest, InvalidRequest, analyze_file
from assay.analysis.plan import Kind
from assay.analysis.units import RepeatedUnits
from assay.sources.errors import UnknownColumn, UnreadableTable

HEADER = "unit,arm,bought,spent,orders\n"


def a_file(folder: Path, rows: str) -> Path:
    path = folder / "data.csv"
    path.write_text(HEADER + rows, encoding="utf-8")
    return path


def analyze(path: Path, **parts: Any) -> Document:
    question: dict[str, Any] = {"unit": "unit", "variant": "arm", "control": "a", "metrics": ["spent"]}
    return analyze_file(FileRequest(path=path, **(question | parts)))


def metric(document: Document, key: str = "spent") -> MetricResult:
    return next(metric for metric in document.metrics if metric.metric == key)


ROWS = "1,a,TRUE,10,1\n2,a,FALSE,0,0\n3,a,TRUE,8,2\n4,b,TRUE,12,1\n5,b,TRUE,14,3\n6,b,FALSE,0,0\n"


def test_means_are_compared_by_welch(tmp_path: Path) -> None:
    # scipy 1.17.1: ttest_ind([12, 14, 0], [10, 0, 8], equal_var=False).
    (comparison,) = metric(analyze(a_file(tmp_path, ROWS))).comparisons

    assert comparison.difference.estimate == pytest.approx(8 / 3)
    assert comparison.difference.method == "welch"
    assert comparison.p_value == pytest.approx(0.6462463294836991, rel=1e-12)


def test_true_and_false_are_a_proportion(tmp_path: Path) -> None:
    bought = metric(analyze(a_file(tmp_path, ROWS), metrics=["bought"]), "bought")

    assert bought.kind is Kind.PROPORTION
    assert bought.arms[0].mean == pytest.approx(2 / 3)


def test_a_ratio_is_a_sum_over_a_sum(tmp_path: Path) -> None:
    document = analyze(a_file(tmp_path, ROWS), metrics=[], ratios={"basket": ("spent", "orders")})

    assert [arm.mean for arm in metric(document, "basket").arms] == [6.0, 6.5]


def test_an_unknown_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownColumn, match="no column 'revenue'"):
        analyze(a_file(tmp_path, ROWS), metrics=["revenue"])


def test_an_unknown_control_lists_the_arms(tmp_path: Path) -> None:
    with pytest.raises(UnknownArm, match="'c' does not occur in column 'arm'; it has a, b"):
        analyze(a_file(tmp_path, ROWS), control="c")


def test_a_unit_in_two_arms_is_counted_and_left_out(tmp_path: Path) -> None:
    document = analyze(a_file(tmp_path, ROWS + "1,b,TRUE,99,1\n"))

    assert document.excluded.in_several_arms == 1
    assert [arm.units for arm in document.arms] == [2, 3]


def test_a_unit_twice_in_one_arm_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(
        RepeatedUnits, match="1 units have more than one row in the same arm, for example '4'"
    ):
        analyze(a_file(tmp_path, ROWS + "4,b,TRUE,99,1\n"))


def test_rows_without_unit_or_arm_are_counted_and_left_out(tmp_path: Path) -> None:
    document = analyze(a_file(tmp_path, ROWS + ",a,TRUE,1,1\n7,,TRUE,1,1\n8,NULL,TRUE,1,1\n"))

    assert (document.excluded.without_unit, document.excluded.without_arm) == (1, 2)
    assert [arm.units for arm in document.arms] == [3, 3]


def test_a_missing_value_is_left_out_and_counted(tmp_path: Path) -> None:
    spent = metric(analyze(a_file(tmp_path, ROWS + "7,a,TRUE,NULL,1\n")))

    assert (spent.arms[0].units, spent.arms[0].missing, spent.arms[0].mean) == (3, 1, 6.0)


def test_a_missing_value_counts_as_zero_when_asked(tmp_path: Path) -> None:
    spent = metric(analyze(a_file(tmp_path, ROWS + "7,a,TRUE,NULL,1\n"), zero_fill=True))

    assert (spent.arms[0].units, spent.arms[0].missing, spent.arms[0].mean) == (4, 0, 4.5)


def test_an_arm_with_one_unit_says_why_there_is_no_interval(tmp_path: Path) -> None:
    (comparison,) = metric(
        analyze(a_file(tmp_path, "1,a,TRUE,10,1\n2,a,TRUE,0,1\n3,b,TRUE,12,1\n"))
    ).comparisons

    assert comparison.difference.estimate == 7.0
    assert comparison.difference.low is None
    assert comparison.p_value is None
    assert comparison.difference.undefined is not None
    assert comparison.difference.undefined.reason == "too_few_units"


def test_an_arm_without_values_says_so(tmp_path: Path) -> None:
    rows = "1,a,TRUE,10,1\n2,a,TRUE,0,1\n3,b,TRUE,NULL,1\n4,b,TRUE,NULL,1\n"

    spent = metric(analyze(a_file(tmp_path, rows)))

    assert spent.arms[1].mean is None
    assert spent.comparisons[0].difference.undefined is not None
    assert spent.comparisons[0].difference.undefined.reason == "empty_arm"


def test_zero_variance_says_so(tmp_path: Path) -> None:
    rows = "1,a,TRUE,5,1\n2,a,TRUE,5,1\n3,b,TRUE,7,1\n4,b,TRUE,7,1\n"

    (comparison,) = metric(analyze(a_file(tmp_path, rows))).comparisons

    assert comparison.difference.estimate == 2.0
    assert comparison.difference.undefined is not None
    assert comparison.difference.undefined.reason == "zero_variance"


def test_a_single_arm_leaves_nothing_to_compare(tmp_path: Path) -> None:
    document = analyze(a_file(tmp_path, "1,a,TRUE,10,1\n2,a,TRUE,0,1\n"))

    assert metric(document).comparisons == []
    assert document.sample_ratio.undefined is not None
    assert document.sample_ratio.undefined.reason == "single_arm"


def test_too_many_arms_are_the_wrong_column(tmp_path: Path) -> None:
    rows = "".join(f"{n},arm{n},TRUE,1,1\n" for n in range(30))

    with pytest.raises(InvalidRequest, match="is it the right column"):
        analyze(a_file(tmp_path, rows), control="arm1")


def test_weights_shift_what_is_expected(tmp_path: Path) -> None:
    rows = "".join(f"{n},{'a' if n % 3 else 'b'},TRUE,{n},1\n" for n in range(300))

    equal = analyze(a_file(tmp_path, rows)).sample_ratio
    planned = analyze(a_file(tmp_path, rows), weights={"a": 2.0}).sample_ratio

    assert equal.suspicious
    assert not planned.suspicious


def test_a_cap_cuts_both_arms_at_one_value(tmp_path: Path) -> None:
    rows = "".join(f"{n},{'a' if n % 2 else 'b'},TRUE,{n},1\n" for n in range(101))

    document = analyze(a_file(tmp_path, rows), caps={"spent": 0.5})

    capped = metric(document, "spent_capped")
    # The type 7 median of 0..100 is 50; odd numbers below it sum to 625, even ones to 650.
    assert capped.arms[0].mean == pytest.approx((625 + 25 * 50) / 50)
    assert capped.arms[1].mean == pytest.approx((650 + 25 * 50) / 51)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"metrics": []}, "no metric given"),
        ({"alpha": 5.0}, "alpha must lie between 0 and 1, not 5.0"),
        ({"alpha": 1e-300}, "alpha must lie between 0 and 1, not 1e-300"),
        ({"weights": {"b": -1.0}}, "weight of 'b' must be a number from 0 on, not -1.0"),
        ({"weights": {"b": float("nan")}}, "weight of 'b' must be a number from 0 on, not nan"),
        ({"metrics": ["spent", "spent"]}, "two metrics would be called 'spent'"),
        ({"ratios": {"Spent": ("orders", "spent")}}, "two metrics would be called 'Spent'"),
        ({"caps": {"spent": 0.9}, "ratios": {"spent_capped": ("orders", "spent")}}, "called 'spent_capped'"),
        ({"caps": {"orders": 0.9}}, "cap for 'orders', which is not among the metrics"),
        ({"caps": {"spent": 99.9}}, "a cap is a quantile between 0 and 1, not 99.9"),
    ],
)
def test_a_question_that_does_not_fit_is_refused(
    tmp_path: Path, parts: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        analyze(a_file(tmp_path, ROWS), **parts)


def test_arms_and_units_are_names_however_they_look(tmp_path: Path) -> None:
    rows = "1e3,1.1,TRUE,1,1\n1000,1.1,TRUE,2,1\n7,1.10,TRUE,3,1\n07,1.10,TRUE,5,1\n"

    document = analyze(a_file(tmp_path, rows), control="1.1")

    assert [(arm.arm, arm.units) for arm in document.arms] == [("1.1", 2), ("1.10", 2)]


def test_true_and_false_may_name_arms(tmp_path: Path) -> None:
    document = analyze(a_file(tmp_path, "1,FALSE,TRUE,1,1\n2,TRUE,TRUE,2,1\n"), control="FALSE")

    assert [arm.arm for arm in document.arms] == ["FALSE", "TRUE"]


def test_damage_in_the_middle_of_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    pq.write_table(
        pa.table({"unit": ["1", "2", "3", "4"], "arm": ["a", "a", "b", "b"], "spent": [1, 2, 3, 5]}), path
    )
    content = bytearray(path.read_bytes())
    content[4:200] = b"\xff" * 196
    path.write_bytes(content)

    with pytest.raises(UnreadableTable, match=r"'data\.parquet' cannot be read"):
        analyze(path)


def test_columns_may_be_called_like_ours(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("arm,unit,n\nx,a,1\ny,a,2\nz,b,3\nw,b,5\n", encoding="utf-8")

    document = analyze_file(FileRequest(path=path, unit="arm", variant="unit", control="a", metrics=["n"]))

    assert metric(document, "n").comparisons[0].difference.estimate == 2.5
