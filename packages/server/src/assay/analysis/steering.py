"""What a bandit's weights follow: the arms as the newest finished result tells them."""

from collections.abc import Iterator

from assay.analysis import service
from assay.analysis.document import Document, MetricResult
from assay.core.database import ReadSession
from assay.experiments.allocating import KINDS, ArmSeen, Seen, Unseen
from assay.experiments.reweighing import Wanted


async def known(tx: ReadSession, wanted: Wanted) -> Seen | Unseen:
    """The arms by the newest result of the planned reading, or why it says nothing of the newest epoch."""
    found = await service.latest_if_any(tx, wanted.project, wanted.experiment)
    if found is None:
        return Unseen("there is no result yet")
    if found.task.created_at < wanted.since:
        return Unseen(
            f"the newest result is of {found.task.created_at:%Y-%m-%d %H:%M} UTC, before the epoch began"
        )
    return seen_in(found.document, wanted, result=str(found.task.id))


def seen_in(document: Document, wanted: Wanted, *, result: str) -> Seen | Unseen:
    """What a document says of the arms."""
    metric = next((each for each in document.metrics if each.metric == wanted.metric), None)
    if metric is None:
        return Unseen(f"the newest result does not measure {wanted.metric!r}")
    if metric.failure is not None:
        return Unseen(f"{wanted.metric!r} could not be computed: {metric.failure.sentence}")
    if metric.kind not in KINDS:
        return Unseen(f"{wanted.metric!r} is a {metric.kind} now, which has no posterior here")
    batches = [] if document.bandit is None else document.bandit.batches
    newest = next((batch for batch in batches if batch.began_at == wanted.moved_at), None)
    if newest is None:
        return Unseen("the newest result does not know of the newest weights")
    if unclear := next(_unclear(metric), None):
        return Unseen(f"{wanted.metric!r} has no mean in arm {unclear!r}")
    arms = {
        arm.arm: ArmSeen(arm.units, arm.mean or 0.0, arm.standard_deviation or 0.0, newest.units[arm.arm])
        for arm in metric.arms
    }
    return Seen(result, metric.kind, arms)


def _unclear(metric: MetricResult) -> Iterator[str]:
    yield from (arm.arm for arm in metric.arms if arm.mean is None or arm.standard_deviation is None)
