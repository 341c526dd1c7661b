"""A result as a notebook shows it and as tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

import assay.web
from assay.analysis.claimed import claimed_difference, claimed_lift
from assay.analysis.document import Comparison, Document, MetricResult
from assay.analysis.record import Record, concluded, write
from assay.shared.errors import Conflict
from assay.web import figures
from assay.web.interval_plot import Line, Plot, plot
from assay.web.metric_card import verdict_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from assay.analysis.record import Written


class NothingToSave(Conflict):
    """The result was computed by a server that kept no record of it."""

    code = "nothing_to_save"


@dataclass(frozen=True, slots=True)
class Shown:
    """A comparison as the page shows it."""

    metric: str
    arm: str
    difference: str
    lift: str
    p_value: str
    word: str
    tone: str
    sentence: str


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """A result: the typed document, shown as tables and a picture of its intervals.

    Attributes:
        document: The same that the API and `assay analyze` give.
        written: What it was concluded from, None when that was not kept.
    """

    document: Document
    written: "Written | None" = None

    def to_arrow(self) -> "pa.Table":
        """One row per metric and arm that is compared with the control."""
        import pyarrow as pa  # noqa: PLC0415 — a result that is only looked at needs no Arrow

        rows = [
            _row(metric, comparison, self.document)
            for metric in self.document.metrics
            for comparison in metric.comparisons
        ]
        return pa.Table.from_pylist(rows)

    def to_pandas(self) -> "pd.DataFrame":
        """The same as a data frame."""
        import pandas as pd  # noqa: PLC0415 — as above

        return pd.DataFrame(self.to_arrow().to_pylist())

    def save(self, path: str | Path) -> None:
        """Writes the result as a file for `assay results reproduce`.

        Raises:
            NothingToSave: What it was concluded from was not kept.
        """
        from assay.analysis.bundle import Bundle, save  # noqa: PLC0415 — as above

        if self.written is None:
            raise NothingToSave("the server kept no record of this result; analyze again")
        save(Bundle(self.document, self.written), Path(path))

    def __repr__(self) -> str:
        lines = [
            f"{shown.metric}, {shown.arm}: {shown.difference}, p {shown.p_value}: {shown.word}"
            for shown in self._shown()
        ]
        units = ", ".join(f"{arm.name or arm.arm} {arm.units:,}" for arm in self.document.arms)
        return "\n".join([f"Result of {units} units", *lines])

    def _repr_html_(self) -> str:
        template = _environment().get_template("result.html")
        return template.render(document=self.document, shown=self._shown(), plot=self._plot())

    def _shown(self) -> list[Shown]:
        return [
            _shown(metric, comparison, self.document)
            for metric in self.document.metrics
            for comparison in metric.comparisons
        ]

    def _plot(self) -> Plot | None:
        lines = [
            _line(metric, comparison, self.document)
            for metric in self.document.metrics
            for comparison in metric.comparisons
        ]
        level = f"{100 * (1 - self.document.alpha):.4g}%"
        return plot(lines, title=f"Lift of each metric with its {level} interval")


def result_of(record: Record) -> Result:
    """The result that follows from a record."""
    return Result(concluded(record), write(record))


def _shown(metric: MetricResult, comparison: Comparison, document: Document) -> Shown:
    scale = figures.scale_of(metric.kind)
    claim = comparison.claim
    difference = figures.interval(claimed_difference(comparison), scale)
    lift = figures.interval(claimed_lift(comparison), figures.PERCENT)
    names = {arm.arm: arm.name or arm.arm for arm in document.arms}
    arm = names[comparison.arm]
    found = verdict_of(comparison, metric, arm=arm, control=names[document.control])
    return Shown(
        metric=metric.name,
        arm=arm,
        difference=_words(difference),
        lift=_words(lift),
        p_value=figures.p_value(comparison.p_value if claim is None else claim.adjusted_p_value).text,
        word=found.word,
        tone=found.tone,
        sentence=found.sentence,
    )


def _words(range_: figures.Range) -> str:
    return f"{range_.estimate.text} ({range_.low.text} to {range_.high.text})"


def _line(metric: MetricResult, comparison: Comparison, document: Document) -> Line:
    shown = _shown(metric, comparison, document)
    lift = claimed_lift(comparison)
    return Line(
        metric=metric.name,
        arm=shown.arm,
        tone=verdict_of(comparison, metric, arm=comparison.arm, control=document.control).tone,
        estimate=lift.estimate,
        low=lift.low,
        high=lift.high,
        known=None,
        numbers=shown.lift,
        problem=None if lift.undefined is None else lift.undefined.sentence,
    )


def _row(metric: MetricResult, comparison: Comparison, document: Document) -> Mapping[str, Any]:
    arms = {arm.arm: arm for arm in metric.arms}
    control, treatment = arms[document.control], arms[comparison.arm]
    undefined = comparison.difference.undefined
    return {
        "metric": metric.metric,
        "name": metric.name,
        "kind": str(metric.kind),
        "arm": comparison.arm,
        "control": document.control,
        "units": treatment.units,
        "control_units": control.units,
        "value": treatment.mean,
        "control_value": control.mean,
        "difference": comparison.difference.estimate,
        "low": comparison.difference.low,
        "high": comparison.difference.high,
        "p_value": comparison.p_value,
        "lift": comparison.lift.estimate,
        "lift_low": comparison.lift.low,
        "lift_high": comparison.lift.high,
        "undefined": None if undefined is None else undefined.sentence,
    }


@cache
def _environment() -> jinja2.Environment:
    folders = [Path(__file__).parent / "templates", Path(assay.web.__file__).parent / "templates"]
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
