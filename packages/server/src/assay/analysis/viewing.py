"""A Bayesian view on demand: what a prior makes of the latest look, beside the claim, never instead."""

import math

from assay.analysis.compare import number, undefined
from assay.analysis.document import View
from assay.analysis.inference import Question
from assay.analysis.methods import Bayesian, Reading
from assay.analysis.readers import BayesianReader
from assay_stats.bayesian import BayesianEstimate


def view(question: Question, prior: Bayesian, reading: Reading) -> View | None:
    """What the prior and the latest look say; None where there is no look yet.

    Args:
        prior: Of the lift.
        reading: Gives the level of the interval.
    """
    if not question.looks:
        return None
    found = BayesianReader(tuple(question.looks[-1:]), prior).interval(0, reading.alpha)
    benefit = found.as_benefit(question.direction) if isinstance(found, BayesianEstimate) else None
    return View(
        prior_mean=prior.prior_mean,
        prior_sd=prior.prior_sd if math.isfinite(prior.prior_sd) else None,
        estimate=number(found.value),
        low=number(found.lower),
        high=number(found.upper),
        level=1 - reading.alpha,
        chance_to_beat=None if benefit is None else number(benefit.chance_to_beat),
        loss_if_shipped=None if benefit is None else number(benefit.loss_if_shipped),
        loss_if_kept=None if benefit is None else number(benefit.loss_if_kept),
        undefined=undefined(found.reason),
    )
