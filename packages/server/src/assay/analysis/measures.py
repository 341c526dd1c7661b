"""From definitions of metrics to the numbers a plan needs, each number once; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assay.analysis.plan import Kind, MarginPlan, Measure, MetricPlan, Number, Window
from assay.metrics.definition import (
    AnyDefinition,
    Capped,
    Funnel,
    Proportion,
    Quantile,
    Quantity,
    Retention,
    Winsorised,
    quantities,
)
from assay.metrics.filters import Filtered, Windowed
from assay.metrics.schemas import MetricOut

HOURS_PER_DAY = 24


@dataclass(slots=True)
class Measured:
    """What a plan measures."""

    metrics: list[MetricPlan] = field(default_factory=list[MetricPlan])
    measures: list[Measure] = field(default_factory=list[Measure])
    numbers: list[Number] = field(default_factory=list[Number])

    def number(self, made_of: Quantity | tuple[Filtered, ...], window: Window, source: str | None) -> str:
        """The column of such a number, a new one only when there is none yet."""
        for known in self.numbers:
            if (known.made_of, known.window, known.source) == (made_of, window, source):
                return known.column
        new = Number(f"n{len(self.numbers)}", made_of, window, source)
        self.numbers.append(new)
        return new.column


def measured_by(
    metrics: Sequence[MetricOut],
    *,
    attribution_hours: int | None = None,
    covariates: Mapping[str, str] | None = None,
    is_adjusted: bool = True,
) -> Measured:
    """What the metrics need, in their order.

    Args:
        metrics: The definitions.
        attribution_hours: Until when events count for metrics that do not say so themselves.
        covariates: Keys of metrics, each with the key of another one that adjusts it; its own lookback says
            from when. Without an entry a metric with a lookback adjusts itself.
        is_adjusted: Whether there are covariates at all.
    Raises:
        KeyError: A covariate is not among the metrics.
    """
    measured = Measured()
    named = {metric.key: metric for metric in metrics}
    for metric in metrics:
        after = _after(metric.definition, attribution_hours)
        before = named[(covariates or {}).get(metric.key, metric.key)]
        measured.metrics.append(
            MetricPlan(
                key=metric.key,
                name=metric.name,
                kind=Kind(metric.definition.kind),
                columns=_columns(measured, metric, after, mark=""),
                direction=metric.direction,
                version=metric.version,
                covariates=_covariates(measured, metric, before) if is_adjusted else (),
                quantile=metric.definition.quantile if isinstance(metric.definition, Quantile) else None,
                margin=None
                if metric.margin is None
                else MarginPlan(metric.margin.value, is_relative=metric.margin.kind == "relative"),
            )
        )
    return measured


def _after(definition: AnyDefinition, attribution_hours: int | None) -> Window:
    match definition:
        case Retention():
            return Window(definition.from_day * HOURS_PER_DAY, (definition.to_day + 1) * HOURS_PER_DAY)
        case Funnel():
            return Window(0, definition.conversion_hours or attribution_hours)
        case _:
            return Window(definition.delay_hours or 0, definition.conversion_hours or attribution_hours)


def _covariates(measured: Measured, metric: MetricOut, before: MetricOut) -> tuple[str, ...]:
    looked_back = before.definition
    adjustable = not isinstance(metric.definition, Quantile | Retention | Funnel)
    if not adjustable or not isinstance(looked_back, Windowed) or looked_back.lookback_hours is None:
        return ()
    return _columns(measured, before, Window(-looked_back.lookback_hours, 0), mark="before:")


def _columns(measured: Measured, metric: MetricOut, window: Window, *, mark: str) -> tuple[str, ...]:
    parts = _parts(metric.definition)
    columns = tuple(f"{mark}{metric.key}:{part}" for part in range(len(parts)))
    known = {measure.column for measure in measured.measures}
    for column, made_of in zip(columns, parts, strict=True):
        if column not in known:
            measured.measures.append(
                _measure(measured, metric, window, column, made_of, is_before=bool(mark))
            )
    return columns


def _parts(definition: AnyDefinition) -> Sequence[Quantity | tuple[Filtered, ...]]:
    return [tuple(definition.steps)] if isinstance(definition, Funnel) else quantities(definition)


def _measure(
    measured: Measured,
    metric: MetricOut,
    window: Window,
    column: str,
    made_of: Quantity | tuple[Filtered, ...],
    *,
    is_before: bool,
) -> Measure:
    definition = metric.definition
    winsorised = definition if isinstance(definition, Winsorised) else None
    # Who did nothing before is a zero there: only the metric itself can be missing.
    leaves_out = (
        not is_before
        and isinstance(definition, Capped | Quantile)
        and definition.without_events == "left_out"
    )
    return Measure(
        column=column,
        number=measured.number(made_of, window, metric.source),
        is_share=isinstance(definition, Proportion | Retention | Funnel),
        cap_value=definition.cap_value if isinstance(definition, Capped) else None,
        cap_quantile=winsorised.cap_quantile if winsorised else None,
        floor_quantile=winsorised.floor_quantile if winsorised else None,
        counted_by=measured.number(_counted(made_of), window, metric.source) if leaves_out else None,
    )


def _counted(made_of: Quantity | tuple[Filtered, ...]) -> Quantity:
    if isinstance(made_of, tuple):
        raise TypeError("a funnel has a value for every unit")
    return Quantity(event=made_of.event, filters=made_of.filters, aggregate="count", property=None)
