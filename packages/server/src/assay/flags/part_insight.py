"""What a draft of a segment, layer or holdout would change in the flags that rest on it."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio.to_thread

from assay.audit.diff import Change, changes
from assay.core.database import ReadSession
from assay.flags import documents, part_repository, publishing, references, repository
from assay.flags.documents import Document, Texts
from assay.flags.kinds import Address
from assay.flags.models import RulesetPart
from assay_engine import CompiledRuleset, Ruleset, compile_ruleset


@dataclass(frozen=True, slots=True)
class PartComparison:
    """The flags that rest on a part, as they are served and as they would be, and the experiments in them."""

    environment_id: uuid.UUID
    before: CompiledRuleset
    after: CompiledRuleset
    flags: tuple[str, ...]
    changes: tuple[Change, ...]
    experiments: tuple[str, ...]


async def compare(tx: ReadSession, at: Address, configuration: Mapping[str, Any] | None) -> PartComparison:
    """What is served beside what would be with this configuration, or with the part's draft when it is None.

    With a configuration the part need not exist: a new holdout concerns experiments from its first moment.

    Raises:
        SegmentNotFound, LayerNotFound, HoldoutNotFound: There is neither a part nor a configuration.
        MalformedFlag, Unpublishable: It could not be published.
    """
    place = await publishing.place_of(tx, at.project, at.environment)
    row = await part_repository.part(tx, place.environment_id, at.kind.name, at.key)
    document = _wanted(at, row, configuration)
    served = await repository.served(tx, place.environment_id)
    after = served.with_parts(at.kind.text(document))
    difference = changes(row.document if row else None, document)
    compared = await anyio.to_thread.run_sync(_compared, at, served, after)
    before, after_ruleset, touched = compared
    return PartComparison(
        environment_id=place.environment_id,
        before=before,
        after=after_ruleset,
        flags=tuple(sorted(touched)),
        changes=difference,
        experiments=tuple(sorted(set[str]().union(*touched.values()))) if difference else (),
    )


def _wanted(at: Address, row: RulesetPart | None, configuration: Mapping[str, Any] | None) -> Document:
    if configuration is not None:
        return at.kind.document(at.key, configuration)
    if row is None:
        raise at.kind.not_found(
            f"{at.environment!r} has no {at.kind.name} {at.key!r}; give the configuration it would have",
            value=at.key,
        )
    draft = row.draft if row.draft is not None else documents.part_configuration(row.document)
    return at.kind.document(at.key, draft)


def _compared(
    at: Address, served: Texts, wanted: Texts
) -> tuple[CompiledRuleset, CompiledRuleset, dict[str, set[str]]]:
    before, after = (texts.ruleset(environment=at.environment, revision=0) for texts in (served, wanted))
    documents.check(after)
    touched = references.resting_on(before, at.kind.name, at.key)
    for flag, experiments in references.resting_on(after, at.kind.name, at.key).items():
        touched[flag] = touched.get(flag, set()) | experiments
    return _compiled(before, touched), _compiled(after, touched), touched


def _compiled(ruleset: Ruleset, touched: Mapping[str, object]) -> CompiledRuleset:
    return compile_ruleset(references.only(ruleset, touched.keys()))
