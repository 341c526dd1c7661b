"""Changes that other domains make to what an environment serves: an experiment's rule, a layer's slices.

They go the way of every publication. A draft waiting beside what is served gets the same change, so that
publishing it later does not undo it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio.to_thread

from assay.core.database import WriteSession
from assay.flags import documents, part_repository, publishing, repository, service
from assay.flags.documents import Document, Texts
from assay.flags.errors import NotPublished
from assay.flags.models import FlagRow, FlagState
from assay.flags.publishing import Next, Place, flag_subject
from assay.flags.repository import By, Standing
from assay_engine import Flag, Ruleset
from assay_engine.model import Holdout, Layer
from assay_engine.parsing import flag_from_json
from assay_engine.writing import flag_to_json, holdout_to_json, layer_to_json


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What becomes of a flag, and of layers and holdouts with it."""

    flag: Callable[[Flag], Flag]
    layers: Sequence[Layer] = ()
    holdouts: Sequence[Holdout] = ()


async def rewrite(
    tx: WriteSession,
    project_key: str,
    key: str,
    environment_key: str,
    decide: Callable[[Ruleset], Rewrite],
    *,
    action: str,
    by: By,
) -> int:
    """Publishes a change of what an environment serves of a flag, and returns the environment's revision.

    Nobody else changes the environment between what `decide` sees and the end of the transaction, so what it
    allots in a layer overlaps with nobody's part.

    Args:
        decide: Gives the change from all that the environment serves; what it raises stops the whole.
        action: What the change log calls it, as in `flag.<action>`.

    Raises:
        FlagNotFound, EnvironmentNotFound, FlagIsArchived: There is nothing to change.
        NotPublished: The environment has never served the flag.
        Unpublishable: What it would serve fails the check; nothing has been changed.
    """
    row = await service.locked_flag(tx, project_key, key)
    place = await publishing.place_of(tx, project_key, environment_key)
    revision = await publishing.hold(tx, place)
    state, served = await repository.state(tx, row.id, place.environment_id)
    if state is None or served is None:
        raise NotPublished(f"{environment_key!r} has never served flag {key!r}; publish it first", value=key)
    texts = await repository.served(tx, place.environment_id)
    wanted = decide(await _ruleset(texts, place, revision))
    await _rewrite_draft(tx, place, row, state, wanted, by=by)
    flag = wanted.flag(flag_from_json(served.document))
    standing = Standing(row.id, row.type, archived=False, number=served.number)
    parts = _parts(wanted)
    await publishing.serve(
        tx,
        place,
        {key: Next(standing, flag, documents.text_of(flag))},
        parts={at: documents.to_text(document) for at, document in parts.items()},
        action=action,
        by=by,
        revision=revision,
    )
    before, subject = served.document, flag_subject(key, environment_key)
    await publishing.record(
        tx, place, subject, action=f"flag.{action}", before=before, after=flag_to_json(flag), by=by
    )
    await _rewrite_part_drafts(tx, place, texts, parts, by=by)
    await _record_parts(tx, place, texts, parts, by=by)
    return revision


async def _ruleset(texts: Texts, place: Place, revision: int) -> Ruleset:
    # Thousands of flags take a while to parse; requests must not wait for it.
    return await anyio.to_thread.run_sync(
        lambda: texts.ruleset(environment=place.environment, revision=revision)
    )


async def _rewrite_draft(
    tx: WriteSession, place: Place, row: FlagRow, state: FlagState, wanted: Rewrite, *, by: By
) -> None:
    if state.draft is None:
        return
    definition = documents.Definition(row.key, row.type, row.variants, row.attached)
    drafted = wanted.flag(documents.compose(definition, state.draft))
    draft = documents.configuration_of(flag_to_json(drafted))
    kept = By(state.drafted_by or by.actor, state.drafted_at or by.at, by.note)
    await repository.set_draft(tx, row.id, place.environment_id, draft, by=kept)


def _parts(wanted: Rewrite) -> dict[tuple[str, str], Document]:
    layers = {("layer", each.id): layer_to_json(each) for each in wanted.layers}
    return layers | {("holdout", each.id): holdout_to_json(each) for each in wanted.holdouts}


async def _rewrite_part_drafts(
    tx: WriteSession, place: Place, texts: Texts, parts: Mapping[tuple[str, str], Document], *, by: By
) -> None:
    for (kind, key), after in parts.items():
        row = await part_repository.part(tx, place.environment_id, kind, key)
        if row is None or row.draft is None:
            continue
        draft = _with_changes(row.draft, json.loads(texts.parts[kind, key]), after)
        kept = By(row.drafted_by or by.actor, row.drafted_at or by.at, by.note)
        await part_repository.set_part_draft(tx, place.environment_id, kind, key, draft, by=kept)


def _with_changes(draft: Document, before: Document, after: Document) -> Document:
    """The draft with what came and without what went, in the lists that say whom a part is for."""
    changed = dict(draft)
    for name in ("slices", "experiments"):
        old, new, mine = (list[Any](each.get(name, [])) for each in (before, after, draft))
        gone = [each for each in old if each not in new]
        come = [each for each in new if each not in old and each not in mine]
        if gone or come:
            changed[name] = [each for each in mine if each not in gone] + come
    return changed


async def _record_parts(
    tx: WriteSession, place: Place, texts: Texts, parts: dict[tuple[str, str], Document], *, by: By
) -> None:
    for (kind, key), document in parts.items():
        subject = f"environments/{place.environment}/{kind}s/{key}"
        before = json.loads(texts.parts[kind, key])
        await publishing.record(
            tx, place, subject, action=f"{kind}.updated", before=before, after=document, by=by
        )


__all__ = ["By", "Rewrite", "rewrite"]
