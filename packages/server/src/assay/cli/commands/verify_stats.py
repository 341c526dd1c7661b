"""`assay verify-stats`."""

import json
import sys
from pathlib import Path

import numpy as np
from rich.text import Text

from assay.cli.console import Format, err, out, print_json, progress, table
from assay.shared.errors import Invalid
from assay.sources import service as sources
from assay_stats.calibration import CLAIMS, Claim, Outcome, Report, claims_about, run


class UnusableMetric(Invalid):
    """The user's own values cannot be calibrated."""

    code = "unusable_metric"


def verify_stats(
    *, scale: float, seed: int, data: Path | None, metric: str | None, covariate: str | None, output: Format
) -> None:
    """Simulates every claim; exit code 1 when one does not hold or a control goes unnoticed."""
    claims = (*CLAIMS, *_own_claims(data, metric, covariate))
    report = _run(claims, scale=scale, seed=seed)
    if output is Format.JSON:
        print_json(json.dumps(report.to_dict(), indent=2))
    else:
        _print(report)
    sys.exit(0 if report.passed else 1)


def _run(claims: tuple[Claim, ...], *, scale: float, seed: int) -> Report:
    with progress() as bar:
        verifying = bar.add_task("Simulating", total=len(claims))

        def seen(done: int, _total: int, outcome: Outcome) -> None:
            bar.update(verifying, completed=done, description=outcome.name)

        return run(claims, scale=scale, seed=seed, progress=seen)


def _print(report: Report) -> None:
    rows = [
        [
            outcome.name + (" (must fail)" if outcome.must_fail else ""),
            f"{outcome.target:g}",
            f"{outcome.measured:.4f}",
            f"{outcome.lower:.4f} .. {outcome.upper:.4f}",
            f"{outcome.trials:,}",
            Text("ok", "green") if outcome.passed else Text("FAILED", "bold red"),
        ]
        for outcome in sorted(report.outcomes, key=lambda outcome: outcome.must_fail)
    ]
    columns = ["claim", "target", "measured", "accepted", "experiments", ""]
    out.print(table("What the methods promise, and what they did", columns, rows))
    for outcome in report.failures:
        err.print(f"[bold red]FAILED[/] {outcome.name}: {outcome.measured:.4f} instead of {outcome.target:g}")
    err.print(report.verdict, style="green" if report.passed else "bold red")


def _own_claims(data: Path | None, metric: str | None, covariate: str | None) -> tuple[Claim, ...]:
    if data is None:
        return ()
    if metric is None:
        raise UnusableMetric("--data needs --metric COLUMN, the column of your metric")
    columns = [metric] if covariate is None else [metric, covariate]
    values = _columns(data, columns)
    try:
        return claims_about(values[0], covariate=values[1] if covariate else None)
    except ValueError as error:
        raise UnusableMetric(f"{data.name!r}: {error}") from error


def _columns(data: Path, columns: list[str]) -> list[np.ndarray]:
    file = sources.open_file(sources.local_engine(), data)
    sources.require_columns(file, columns)
    for column in columns:
        sources.require_measurable(file, column)
    rows = file.select(**{column: file[column].cast("float64") for column in columns}).to_pyarrow()
    return [rows[column].to_numpy() for column in columns]
