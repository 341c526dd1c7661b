"""Which flags would answer whom differently if a draft of a segment, layer or holdout were published."""

from collections import Counter
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import Field

from assay.audit.schemas import ChangeOut
from assay.core.database import ReadSession
from assay.evaluation.preview import STORED, Asked, RecentUnits, answer, contexts_of, remembering
from assay.events import service as events
from assay.flags import part_insight
from assay.flags.kinds import Address
from assay.flags.part_insight import PartComparison
from assay.flags.part_schemas import PartConfiguration
from assay.shared.schema import Outgoing
from assay_engine import Context, evaluate_all

C = TypeVar("C", bound=PartConfiguration)


class PartPreviewRequest(Asked, Generic[C]):
    """Whom to ask, and with which configuration."""

    configuration: C | None = Field(None, description=STORED)


class FlagChange(Outgoing):
    """A flag that would answer a context differently."""

    flag: str
    before: str | None = Field(description="Variant served now; null: the code's default.")
    after: str | None
    reason_before: str
    reason_after: str


class PartPreviewedContext(Outgoing):
    """What would change for one context."""

    targeting_key: str | None
    flags: list[FlagChange]


class TouchedFlag(Outgoing):
    """A flag whose answers rest on the part."""

    flag: str
    changed: int = Field(description="How many of those asked it would answer differently.")


class PartPreviewOut(Outgoing):
    """What publishing would do."""

    contexts: list[PartPreviewedContext]
    changed: int = Field(description="How many of the contexts would get another variant of some flag.")
    recent: RecentUnits
    flags: list[TouchedFlag]
    experiments: list[str] = Field(
        description="Experiments the part concerns, now or then, and those of flags that depend on theirs."
    )
    changes: list[ChangeOut]


async def preview_part(
    tx: ReadSession, at: Address, request: PartPreviewRequest[Any], *, now: datetime
) -> PartPreviewOut:
    """What flags answer the contexts and the units of recent exposures now, beside what they would.

    Raises:
        SegmentNotFound, LayerNotFound, HoldoutNotFound: There is neither a part nor a configuration.
        MalformedFlag, Unpublishable: The configuration could not be published.
    """
    configuration = None if request.configuration is None else request.configuration.model_dump()
    compared = await part_insight.compare(tx, at, configuration)
    contexts = [
        _previewed(compared, context, now) for context in await remembering(tx, compared, request.contexts)
    ]
    units = await events.recent_units(tx, compared.environment_id, limit=request.recent)
    recent = [
        _previewed(compared, context, now) for context in await remembering(tx, compared, contexts_of(units))
    ]
    counts = Counter(change.flag for each in (*contexts, *recent) for change in each.flags)
    return PartPreviewOut(
        contexts=contexts,
        changed=sum(bool(each.flags) for each in contexts),
        recent=RecentUnits(asked=len(recent), changed=sum(bool(each.flags) for each in recent)),
        flags=[TouchedFlag(flag=flag, changed=counts[flag]) for flag in compared.flags],
        experiments=list(compared.experiments),
        changes=[ChangeOut.model_validate(change) for change in compared.changes],
    )


def _previewed(compared: PartComparison, context: Context, now: datetime) -> PartPreviewedContext:
    # Both have the same flags in the same order: only the part differs between them.
    before, after = (evaluate_all(each, context, now=now) for each in (compared.before, compared.after))
    different = [pair for pair in zip(before, after, strict=True) if answer(pair[0]) != answer(pair[1])]
    return PartPreviewedContext(
        targeting_key=context.targeting_key,
        flags=[
            FlagChange(
                flag=then.flag_key,
                before=then.variant,
                after=later.variant,
                reason_before=then.reason.value,
                reason_after=later.reason.value,
            )
            for then, later in different
        ],
    )
