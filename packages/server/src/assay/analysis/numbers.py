"""The numbers of a result as one table: a row per metric and compared arm, whole and by segment."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, assert_never

from assay.analysis.document import ArmSummary, Comparison, Document, Estimate

FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n")

Row = dict[str, str | int | float | bool | None]


class Format(StrEnum):
    """How a table of numbers is written."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"

    @property
    def media_type(self) -> str:
        """For the `Content-Type` of the answer."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.JSON: "application/json",
    Format.PARQUET: "application/vnd.apache.parquet",
}


def rows_of(document: Document) -> list[Row]:
    """Every comparison with its control, in the order of the document; the same columns in every row."""
    return [*_whole(document), *_segments(document)]


def written(rows: Sequence[Row], form: Format) -> bytes:
    """The table in a format; a missing number is empty in CSV, null elsewhere."""
    match form:
        case Format.CSV:
            return _csv(rows)
        case Format.JSON:
            return json.dumps(rows, allow_nan=False).encode()
        case Format.PARQUET:
            return _parquet(rows)
        case _:
            assert_never(form)


def _whole(document: Document) -> Iterator[Row]:
    for metric in document.metrics:
        for each in metric.comparisons:
            place: Row = {
                "metric": metric.metric,
                "kind": metric.kind.value,
                "dimension": None,
                "segment": None,
            }
            yield place | _row(metric.arms, document.control, each)


def _segments(document: Document) -> Iterator[Row]:
    kinds = {metric.metric: metric.kind.value for metric in document.metrics}
    for segment in document.segments:
        for metric in segment.metrics:
            for each in metric.comparisons:
                place: Row = {
                    "metric": metric.metric,
                    "kind": kinds[metric.metric],
                    "dimension": segment.dimension,
                    "segment": segment.value if segment.kind == "value" else segment.kind,
                }
                yield place | _row(metric.arms, document.control, each)


def _row(arms: Sequence[ArmSummary], control: str, found: Comparison) -> Row:
    by_arm = {arm.arm: arm for arm in arms}
    base, other = by_arm[control], by_arm[found.arm]
    claim, adjusted = found.claim, found.adjusted
    return {
        "arm": found.arm,
        "control_units": base.units,
        "arm_units": other.units,
        "control_value": base.mean,
        "arm_value": other.mean,
        **_ends("difference", found.difference),
        "p_value": found.p_value,
        **_ends("lift", found.lift),
        **_ends("adjusted", None if adjusted is None else adjusted.difference),
        "adjusted_method": None if adjusted is None else adjusted.method,
        "claim_finding": None if claim is None else claim.finding.value,
        "claim_method": None if claim is None else claim.method,
        "claim": None if claim is None else claim.estimate,
        "claim_low": None if claim is None else claim.low,
        "claim_high": None if claim is None else claim.high,
        "claim_level": None if claim is None else claim.level,
        "claim_p_value": None if claim is None else claim.p_value,
        "claim_adjusted_p_value": None if claim is None else claim.adjusted_p_value,
        "is_exploratory": claim is None or claim.is_exploratory,
    }


def _ends(name: str, found: Estimate | None) -> Row:
    return {
        name: None if found is None else found.estimate,
        f"{name}_low": None if found is None else found.low,
        f"{name}_high": None if found is None else found.high,
    }


def _csv(rows: Sequence[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _harmless(value: str | float | bool | None) -> str | int | float | bool | None:
    # A spreadsheet takes such a text for a formula and would run it; behind an apostrophe it is text.
    if isinstance(value, str) and value.startswith(FORMULA_BEGINS):
        return f"'{value}"
    return value


def _parquet(rows: Sequence[Row]) -> bytes:
    # Loaded by the first table that is asked for, not by every start.
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    schema = pa.schema([(name, _arrow(name)) for name in (rows[0] if rows else {})])
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema), sink)
    return sink.getvalue()


def _arrow(name: str) -> Any:  # noqa: ANN401 — a type of pyarrow, which is not loaded yet
    import pyarrow as pa  # noqa: PLC0415

    if name in {"metric", "kind", "dimension", "segment", "arm"} or name.endswith(("_method", "_finding")):
        return pa.string()
    if name.endswith("_units"):
        return pa.int64()
    return pa.bool_() if name == "is_exploratory" else pa.float64()
