"""An experiment in a file, without any server."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from assay.analysis.file import FileRequest, measure_file
from assay.notebook.result import Result, result_of


def analyze_file(
    path: str | Path,
    *,
    unit: str | None = None,
    arm: str,
    control: str,
    metrics: Sequence[str] = (),
    ratios: Mapping[str, tuple[str, str]] | None = None,
    caps: Mapping[str, float] | None = None,
    weights: Mapping[str, float] | None = None,
    covariates: Mapping[str, str] | None = None,
    segments: Sequence[str] = (),
    alpha: float = 0.05,
    zero_fill: bool = False,
) -> Result:
    """The result of the experiment in a CSV or Parquet file of one row per unit.

    A column of true and false or of 0 and 1 is a proportion, any other number a mean.

    Args:
        path: The file.
        unit: Column that identifies the unit; None takes every row for another unit.
        arm: Column that names the arm.
        control: The arm that the others are compared with.
        metrics: Columns to compare.
        ratios: Names of ratio metrics, each with its numerator and denominator column.
        caps: Metrics that are also read capped, each with the pooled quantile to cap at.
        weights: Planned weights per arm, where they were not meant to be equal.
        covariates: Metrics that are also adjusted, each with a column known before the experiment.
        segments: Columns to cut the result by.
        alpha: Intervals cover with probability 1 - alpha.
        zero_fill: Count a unit without a value as 0 instead of leaving it out.
    Raises:
        AssayError: With the value that is wrong and the way out.
    """
    return result_of(
        measure_file(
            FileRequest(
                path=Path(path),
                unit=unit,
                variant=arm,
                control=control,
                metrics=metrics,
                ratios=ratios or {},
                caps=caps or {},
                weights=weights or {},
                covariates=covariates or {},
                segments=segments,
                alpha=alpha,
                zero_fill=zero_fill,
            )
        )
    )
