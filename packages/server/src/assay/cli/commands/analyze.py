"""`assay analyze`."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from assay.analysis.bundle import Bundle, save
from assay.analysis.file import FileRequest, InvalidRequest, measure_file
from assay.analysis.record import concluded, write
from assay.cli.console import Format, err, out, print_json
from assay.cli.report import report

Value = TypeVar("Value")


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
    segments: Sequence[str],
    covariates: Sequence[str],
    alpha: float,
    zero_fill: bool,
    bundle: Path | None,
    output: Format,
) -> None:
    """Prints the result of the experiment in a file."""
    request = FileRequest(
        path=file,
        unit=unit,
        variant=variant,
        control=control,
        metrics=metrics,
        ratios=_once(_ratio(text) for text in ratios),
        caps=_once(_figure(text) for text in caps),
        weights=_once(_figure(text) for text in weights),
        segments=segments,
        covariates=_once(_sides(text, text.partition("=")) for text in covariates),
        alpha=alpha,
        zero_fill=zero_fill,
    )
    with err.status(f"Reading {file.name}"):
        record = measure_file(request)
    document = concluded(record)
    if bundle is not None:
        save(Bundle(document, write(record)), bundle)
    if output is Format.JSON:
        print_json(document.model_dump_json(indent=2))
    else:
        out.print(report(document))


def _once(pairs: Iterable[tuple[str, Value]]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, value in pairs:
        if name in values:
            raise InvalidRequest(f"{name!r} is given more than once", value=name)
        values[name] = value
    return values


def _ratio(text: str) -> tuple[str, tuple[str, str]]:
    name, spec = _sides(text, text.partition("="))
    numerator, found, denominator = spec.partition("/")
    if not (numerator and found and denominator):
        raise InvalidRequest(f"{spec!r} is not of the form NUMERATOR/DENOMINATOR", value=spec)
    return name, (numerator, denominator)


def _figure(text: str) -> tuple[str, float]:
    # From the right, because a column or an arm may have `=` in its name and a number has not.
    name, number = _sides(text, text.rpartition("="))
    try:
        return name, float(number)
    except ValueError as error:
        raise InvalidRequest(f"{name}={number!r} is not a number", value=number) from error


def _sides(text: str, parts: tuple[str, str, str]) -> tuple[str, str]:
    name, found, value = parts
    if not (name and found and value):
        raise InvalidRequest(f"{text!r} is not of the form NAME=VALUE", value=text)
    return name, value
