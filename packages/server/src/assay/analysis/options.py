"""From what is asked of an analysis to options, with a sentence for every departure from the plan; pure."""

from collections.abc import Iterator

from assay.analysis.experiment import Options
from assay.analysis.methods import Bayesian
from assay.analysis.plan import Dimension
from assay.analysis.planned import method_of
from assay.analysis.requesting import end_of
from assay.analysis.schemas import ResultRequest


def options_of(asked: ResultRequest) -> Options:
    """The options that a request stands for."""
    segments = [Dimension(each.key, each.top) for each in asked.segments]
    if asked.strata is not None and asked.strata not in {each.key for each in segments}:
        segments.append(Dimension(asked.strata))
    return Options(
        alpha=asked.alpha,
        method=None if asked.method is None else method_of(asked.method),
        segments=segments,
        strata=asked.strata,
        covariates=asked.covariates,
        is_adjusted=asked.adjusted,
        until=None if asked.until is None else end_of(asked.until),
        view=None
        if asked.view is None
        else Bayesian(prior_mean=asked.view.mean, prior_sd=asked.view.standard_deviation),
        exploration=tuple(departures(asked)),
    )


def departures(asked: ResultRequest) -> Iterator[str]:
    """How a request departs from the planned reading; segments and a view beside the claims do not."""
    if asked.method is not None:
        yield f"read by the method {asked.method.kind}"
    if asked.alpha is not None:
        yield f"at alpha {asked.alpha:g}"
    if asked.metrics is not None:
        yield f"of the metrics {', '.join(asked.metrics)} alone"
    if asked.until is not None:
        yield f"as of the end of {asked.until.isoformat()}"
    if asked.strata is not None:
        yield f"with arms compared within {asked.strata}"
    if not asked.adjusted:
        yield "without adjustment by what was known before"
    for metric, other in sorted(asked.covariates.items()):
        yield f"with {metric} adjusted by {other}"
