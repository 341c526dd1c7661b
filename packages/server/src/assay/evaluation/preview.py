"""Who would get another variant if a draft were published."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, JsonValue

from assay.assignments import service as assignments
from assay.assignments.keeping import all_keepings
from assay.audit.schemas import ChangeOut
from assay.core.database import ReadSession
from assay.events import service as events
from assay.flags import insight
from assay.flags.insight import Comparison
from assay.flags.part_insight import PartComparison
from assay.flags.schemas import Configuration
from assay.shared.schema import Incoming, Outgoing
from assay_engine import Context, Evaluation, evaluate

MOST_CONTEXTS = 1_000
MOST_RECENT = 10_000
STORED = "Null: the draft as it is stored."


class Asked(Incoming):
    """Whom to ask."""

    contexts: Annotated[list[dict[str, JsonValue]], Field(max_length=MOST_CONTEXTS)] = Field(
        default_factory=list[dict[str, JsonValue]], description="Answered one by one."
    )
    recent: int = Field(
        1_000, ge=0, le=MOST_RECENT, description="Units of the newest exposures to ask too; only counted."
    )


class PreviewRequest(Asked):
    """Whom to ask, and with which configuration."""

    configuration: Configuration | None = Field(None, description=STORED)


class PreviewedContext(Outgoing):
    """One context's answer now and then."""

    targeting_key: str | None
    before: str | None = Field(description="Variant served now; null: the code's default.")
    after: str | None
    reason_before: str = Field(description="`ERROR` while the flag is not published.")
    reason_after: str
    changed: bool


class RecentUnits(Outgoing):
    """Units of recent exposures, with the properties that came with them as attributes."""

    asked: int
    changed: int


class PreviewOut(Outgoing):
    """What publishing would do."""

    contexts: list[PreviewedContext]
    changed: int = Field(description="How many of the contexts would get another variant.")
    recent: RecentUnits
    experiments: list[str] = Field(
        description="Experiments in splits of this flag, before or after, and of flags that depend on it."
    )
    changes: list[ChangeOut]


async def preview(
    tx: ReadSession,
    project: str,
    flag: str,
    environment: str,
    request: PreviewRequest,
    *,
    now: datetime,
) -> PreviewOut:
    """What the contexts and the units of recent exposures are served now, beside what they would be.

    Raises:
        FlagNotFound, EnvironmentNotFound: There is no such thing.
        MalformedFlag, Unpublishable: The configuration could not be published.
    """
    configuration = None if request.configuration is None else request.configuration.model_dump()
    compared = await insight.compare(tx, project, flag, environment, configuration)
    contexts = [
        _previewed(compared, flag, context, now)
        for context in await remembering(tx, compared, request.contexts)
    ]
    units = await events.recent_units(tx, compared.environment_id, limit=request.recent)
    recent = [
        _previewed(compared, flag, context, now)
        for context in await remembering(tx, compared, contexts_of(units))
    ]
    return PreviewOut(
        contexts=contexts,
        changed=sum(each.changed for each in contexts),
        recent=RecentUnits(asked=len(recent), changed=sum(each.changed for each in recent)),
        experiments=list(compared.experiments),
        changes=[ChangeOut.model_validate(change) for change in compared.changes],
    )


async def remembering(
    tx: ReadSession, compared: Comparison | PartComparison, asked: Sequence[Mapping[str, Any]]
) -> list[Context]:
    """The contexts with what their units were assigned before, which a sticky split keeps."""
    contexts = [Context.from_json(attributes) for attributes in asked]
    keepings = all_keepings(compared.before.ruleset, compared.after.ruleset)
    return await assignments.given_to(tx, compared.environment_id, contexts, keepings)


def contexts_of(units: Sequence[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Contexts from units of exposures and the properties that came with them."""
    return [{**properties, "targetingKey": unit} for unit, properties in units]


def _previewed(compared: Comparison, flag: str, context: Context, now: datetime) -> PreviewedContext:
    before = evaluate(compared.before, flag, context, now=now)
    after = evaluate(compared.after, flag, context, now=now)
    return PreviewedContext(
        targeting_key=context.targeting_key,
        before=before.variant,
        after=after.variant,
        reason_before=before.reason.value,
        reason_after=after.reason.value,
        changed=answer(before) != answer(after),
    )


def answer(evaluation: Evaluation) -> tuple[str | None, str]:
    """What an evaluation gives, to compare with another."""
    # With the value, as a variant may keep its name; as text, since 1 equals 1.0 and True.
    return evaluation.variant, repr(evaluation.value)
