"""`assay analyze`."""

from collections.abc import Sequence
from pathlib import Path

from assay.analysis.file import FileRequest, InvalidRequest, analyze_file
from assay.cli.console import Format, err, out, print_json
from assay.cli.report import report


def analyze(
    file: Path,
    *,
    unit: str,
    variant: str,
    control: str,
    metrics: Sequence[str],
    ratios: Sequence[str],
    caps: Sequence[str],
    weights: Sequence[str],
    alpha: float,
    zero_fill: bool,
    output: Format,
) -> None:
    """Prints the result of the experiment in a file."""
    request = FileRequest(
        path=file,
        unit=unit,
        variant=variant,
        control=control,
        metrics=metrics,
        ratios={name: _ratio(spec) for name, spec in map(_assignment, ratios)},
        caps={name: _float(name, text) for name, text in map(_assignment, caps)},
        weights={arm: _float(arm, text) for arm, text in map(_assignment, weights)},
        alpha=alpha,
        zero_fill=zero_fill,
    )
    with err.status(f"Reading {file.name}"):
        document = analyze_file(request)
    if output is Format.JSON:
        print_json(document.model_dump_json(indent=2))
    else:
        out.print(report(document))


def _assignment(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not (name and found and value):
        raise InvalidRequest(f"{text!r} is not of the form NAME=VALUE", value=text)
    return name, value


def _ratio(text: str) -> tuple[str, str]:
    numerator, found, denominator = text.partition("/")
    if not (numerator and found and denominator):
        raise InvalidRequest(f"{text!r} is not of the form NUMERATOR/DENOMINATOR", value=text)
    return numerator, denominator


def _float(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InvalidRequest(f"{name}={text!r} is not a number", value=text) from error
