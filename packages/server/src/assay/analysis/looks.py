"""Who read which result when, and what reading a fixed plan early does to its error rate."""

import uuid
from collections.abc import Sequence
from functools import cache

import anyio.to_thread

from assay.analysis import repository, service
from assay.analysis.requesting import is_early
from assay.analysis.schemas import LookOut, LooksOut, ResultOut
from assay.core.database import ReadSession, WriteSession
from assay.experiments import service as experiments
from assay.experiments.schemas import ExperimentOut
from assay.flags.rewriting import By
from assay.shared import pagination
from assay.shared.numbers import percent

MOST_COUNTED = 60
"""Looks beyond these hardly raise the error rate any more and take long to compute."""


async def record(tx: WriteSession, project: str, experiment: str, found: ResultOut, *, by: By) -> None:
    """Adds that a result was read, the first time each reader does."""
    read = await experiments.get(tx, project, experiment)
    values = {
        "experiment_id": await experiments.identify(tx, project, experiment),
        "result": found.task.id,
        "actor": by.actor,
        "at": by.at,
        "is_exploratory": found.task.kind == service.EXPLORATION,
        "is_early": is_early(read, found.task.created_at),
    }
    await repository.add_look(tx, values)


async def listing(
    tx: ReadSession, project: str, experiment: str, *, cursor: str | None, limit: int
) -> tuple[LooksOut, str | None]:
    """A page of who read an experiment's results, newest first, and the cursor of the next."""
    identifier = await experiments.identify(tx, project, experiment)
    rows = await repository.looks(tx, identifier, cursor=cursor, limit=limit)
    rows, following = pagination.split(rows, limit=limit)
    items = [LookOut.model_validate(row) for row in rows]
    return await _summed(tx, await experiments.get(tx, project, experiment), identifier, items), following


@cache
def error_rate(alpha: float, looks: int) -> float:
    """Chance of a false finding when a fixed test counts at each of several equally spaced looks."""
    # Statistics are loaded by the first calculation, not by every start.
    import numpy as np  # noqa: PLC0415

    from assay_stats.sequential import crossing  # noqa: PLC0415
    from assay_stats.tails import Alternative, critical_value  # noqa: PLC0415

    normal = np.asarray(np.inf)
    critical = np.full(looks, critical_value(np.asarray(1 - alpha), normal, Alternative.TWO_SIDED))
    leaves = crossing(np.arange(1, looks + 1) / looks, upper=critical, lower=-critical)
    return float(leaves.upper.sum() + leaves.lower.sum())


async def _summed(
    tx: ReadSession, experiment: ExperimentOut, identifier: uuid.UUID, items: Sequence[LookOut]
) -> LooksOut:
    early = await _early(tx, experiment, identifier)
    if not early or experiment.plan is None:
        return LooksOut(items=list(items), early=0, error_rate=None, sentence=None)
    alpha, counted = experiment.plan.alpha, min(early, MOST_COUNTED) + 1
    rate = await anyio.to_thread.run_sync(error_rate, alpha, counted)
    times = "once" if early == 1 else f"{early} times"
    return LooksOut(
        items=list(items),
        early=early,
        error_rate=rate,
        sentence=f"The plan is read once, at its end, and its results were opened early {times}. Had a "
        f"finding counted at each of these looks, {percent(rate)} of experiments without any effect would "
        f"have shown one, not {percent(alpha)}.",
    )


async def _early(tx: ReadSession, experiment: ExperimentOut, identifier: uuid.UUID) -> int:
    if experiment.phase is None:
        return 0
    return await repository.early_results(tx, identifier, since=experiment.phase.started_at)
