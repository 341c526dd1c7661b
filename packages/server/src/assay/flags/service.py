"""What can be done with flags."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import anyio.to_thread
from msgspec.structs import replace

from assay.audit import service as audit
from assay.core.database import ReadSession, WriteSession
from assay.flags import conditions, documents, publishing, references, repository, searching
from assay.flags.documents import Definition, Texts
from assay.flags.errors import (
    FlagInUse,
    FlagIsArchived,
    FlagKeyTaken,
    FlagNotFound,
    MalformedFlag,
    NotPublished,
    Unpublishable,
)
from assay.flags.models import FlagRow
from assay.flags.publishing import Next, Place, flag_subject
from assay.flags.repository import By, Standing
from assay.flags.schemas import FlagCreate, FlagOut, FlagUpdate, RulesetPublished
from assay.projects import service as projects
from assay.shared import pagination
from assay.shared.ids import is_key
from assay_engine import Flag, Ruleset
from assay_engine.records import without_collecting
from assay_engine.writing import holdout_to_json, layer_to_json, segment_to_json


async def create(tx: WriteSession, project_key: str, new: FlagCreate, *, by: By) -> FlagOut:
    """A new flag of a project.

    Raises:
        FlagKeyTaken: The project has a flag with this key.
        MalformedFlag: Variants or metadata do not fit the type.
    """
    project = await projects.get(tx, project_key)
    variants = new.variants or (documents.BOOLEAN_VARIANTS if new.type == "boolean" else {})
    definition = documents.define(Definition(new.key, new.type, variants, new.metadata))
    row = await repository.insert_flag(tx, project.id, _columns(definition, new))
    if row is None:
        raise FlagKeyTaken(f"project {project_key!r} has a flag {new.key!r} already", value=new.key)
    made = flag_out(row)
    await _record(tx, row, "flag.created", before=None, after=_recorded(made), by=by)
    return made


async def get(tx: ReadSession, project_key: str, key: str) -> FlagOut:
    """A flag of a project.

    Raises:
        FlagNotFound: The project has none of this key.
    """
    return flag_out(await flag_row(tx, project_key, key))


async def listing(
    tx: ReadSession,
    project_key: str,
    *,
    search: str | None,
    tag: str | None,
    archived: bool,
    cursor: str | None,
    limit: int,
) -> tuple[list[FlagOut], str | None]:
    """A page of a project's flags, oldest first, and the cursor of the next.

    Args:
        search: Only flags with a word beginning with each of these in key, owner, description or tags.
    """
    project = await projects.get(tx, project_key)
    matching = searching.query(search) if search else None
    if search and matching is None:
        return [], None
    rows = await repository.flags(
        tx, project.id, matching=matching, tag=tag, archived=archived, cursor=cursor, limit=limit
    )
    rows, following = pagination.split(rows, limit=limit)
    return [flag_out(row) for row in rows], following


async def update(
    tx: WriteSession, project_key: str, key: str, change: FlagUpdate, *, if_match: str | None, by: By
) -> FlagOut:
    """The flag as changed; environments serve other variants once they publish.

    Raises:
        VersionMissing, StaleVersion: The change was not made from the current version.
        MalformedFlag: Variants or metadata do not fit the type.
    """
    row = await locked_flag(tx, project_key, key)
    before = flag_out(row)
    conditions.require(if_match, before.etag)
    given = change.model_dump(exclude_none=True)
    definition = documents.define(
        Definition(key, row.type, given.get("variants", row.variants), given.get("metadata", row.attached))
    )
    texts = {name: given[name] for name in ("description", "owner", "tags") if name in given}
    values = {"variants": definition.variants, "attached": definition.metadata, **texts}
    after = flag_out(await repository.update_flag(tx, row, values))
    await _record(tx, row, "flag.updated", before=_recorded(before), after=_recorded(after), by=by)
    return after


async def archive(tx: WriteSession, project_key: str, key: str, *, by: By) -> FlagOut:
    """The flag, served nowhere any more; what it was stays for `unarchive`.

    Raises:
        FlagInUse: It is a prerequisite of other flags.
    """
    row = await locked_flag(tx, project_key, key, archived=True)
    if row.archived_at is not None:
        return flag_out(row)
    try:
        await _in_each_environment(tx, project_key, row, lambda served, _: served.without_flags({key}))
    except Unpublishable as error:
        raise FlagInUse(f"flag {key!r} is needed: {error.message}", details=error.details) from error
    return await _set_archived(tx, row, by.at, action="flag.archived", by=by)


async def unarchive(tx: WriteSession, project_key: str, key: str, *, by: By) -> FlagOut:
    """The flag, served again as it was before it was archived.

    Raises:
        Unpublishable: What it was does not fit what its environments serve now.
    """
    row = await locked_flag(tx, project_key, key, archived=True)
    if row.archived_at is None:
        return flag_out(row)
    await _in_each_environment(
        tx, project_key, row, lambda served, document: served.with_flags({key: document})
    )
    return await _set_archived(tx, row, None, action="flag.unarchived", by=by)


async def delete(tx: WriteSession, project_key: str, key: str, *, if_match: str | None, by: By) -> None:
    """Removes a flag that no environment ever served.

    Raises:
        FlagInUse: It has been published; archive it instead.
    """
    row = await locked_flag(tx, project_key, key, archived=True)
    before = flag_out(row)
    conditions.require(if_match, before.etag)
    if await repository.serving_environments(tx, row.id):
        raise FlagInUse(
            f"flag {key!r} has been published; archive it, so that its history is kept", value=key
        )
    await _record(tx, row, "flag.deleted", before=_recorded(before), after=None, by=by)
    await repository.delete_flag(tx, row.id)


async def put_published(
    tx: WriteSession, project_key: str, environment_key: str, ruleset: Ruleset, *, by: By
) -> RulesetPublished:
    """Publishes the flags, segments, layers and holdouts of a ruleset at once, checked once, as a whole.

    Flags that do not exist are made; what the ruleset does not name or change stays as it is.

    Args:
        ruleset: As the datafile's parser gives it; its structure is not checked again.

    Raises:
        MalformedFlag: A key or type is not possible here.
        FlagIsArchived: It names archived flags.
        Unpublishable: What the environment would serve fails the check; nothing has been changed.
    """
    place = await publishing.place_of(tx, project_key, environment_key)
    _require_possible_keys(ruleset)
    served = await repository.served(tx, place.environment_id)
    texts = await anyio.to_thread.run_sync(_texts, ruleset)
    new = {flag.key: flag for flag in ruleset.flags if served.flags.get(flag.key) != texts[flag.key]}
    parts = {at: text for at, text in _parts(ruleset).items() if served.parts.get(at) != text}
    if not new and not parts:
        environment = await projects.environment(tx, place.environment_id)
        return RulesetPublished(revision=environment.revision, changed=0)
    standing = await _define(tx, place, new, at=by.at)
    revised = {key: Next(standing[key], flag, texts[key]) for key, flag in new.items()}
    revision = await publishing.serve(tx, place, revised, parts=parts, action="imported", by=by)
    await publishing.record(
        tx,
        place,
        f"environments/{place.environment}",
        action="ruleset.imported",
        before=None,
        after={
            # As lists: thousands of flags would else be thousands of entries that nobody reads.
            "new": [key for key, known in standing.items() if not known.number],
            "changed": [key for key, known in standing.items() if known.number],
            "parts": [f"{kind}s/{key}" for kind, key in parts],
        },
        by=by,
    )
    return RulesetPublished(revision=revision, changed=len(new) + len(parts))


async def clone(
    tx: WriteSession,
    project_key: str,
    environment_key: str,
    *,
    source: str,
    keys: Sequence[str] | None,
    by: By,
) -> RulesetPublished:
    """Publishes what another environment serves: all of it, or some flags with what they need.

    Raises:
        NotPublished: The other environment does not serve one of the flags.
        Unpublishable: What the environment would serve fails the check; nothing has been changed.
    """
    await projects.require_environment(tx, project_key, source)
    other = await publishing.place_of(tx, project_key, source)
    ruleset = await published_ruleset(tx, other.environment_id)
    if keys is not None:
        ruleset = replace(references.only(ruleset, keys), holdouts=())
        if missing := [key for key in keys if key not in {flag.key for flag in ruleset.flags}]:
            raise NotPublished(f"{source!r} does not serve flag {missing[0]!r}", value=missing)
    return await put_published(tx, project_key, environment_key, ruleset, by=by)


@dataclass(frozen=True, slots=True)
class Published:
    """All that an environment serves, as a model and as a datafile."""

    ruleset: Ruleset
    datafile: bytes


async def published_ruleset(tx: ReadSession, environment_id: uuid.UUID) -> Ruleset:
    """The ruleset of `published`."""
    return (await published(tx, environment_id)).ruleset


async def published(tx: ReadSession, environment_id: uuid.UUID) -> Published:
    """All that an environment serves, ordered by key, with its revision.

    These are its published flags that are not archived, its segments, layers and holdouts.

    Raises:
        EnvironmentNotFound: There is no such environment.
    """
    # The revision first: should a publication come in between, it is announced with a higher one.
    environment = await projects.environment(tx, environment_id)
    texts = await repository.served(tx, environment_id)
    key, revision = environment.key, environment.revision

    def read() -> Published:
        with without_collecting():
            return Published(
                texts.ruleset(environment=key, revision=revision),
                texts.datafile(environment=key, revision=revision),
            )

    # Thousands of flags take a while to parse; requests must not wait for it.
    return await anyio.to_thread.run_sync(read)


async def record_evaluations(
    tx: WriteSession, environment_id: uuid.UUID, counts: Mapping[tuple[str, str], int], at: datetime
) -> None:
    """Adds to how often each variant of each flag was served on the day of `at`.

    Args:
        counts: Number of evaluations by flag and variant; the empty name stands for no variant.
    """
    if counts:
        await repository.add_evaluations(tx, environment_id, counts, at=at)


async def flag_row(tx: ReadSession, project_key: str, key: str) -> FlagRow:
    """The row of a flag.

    Raises:
        FlagNotFound: The project has none of this key.
    """
    project = await projects.get(tx, project_key)
    row = await repository.flag_by_key(tx, project.id, key)
    if row is None:
        raise FlagNotFound(f"project {project_key!r} has no flag {key!r}", value=key)
    return row


async def locked_flag(tx: WriteSession, project_key: str, key: str, *, archived: bool = False) -> FlagRow:
    """The row of a flag that nobody else changes until the transaction ends.

    Raises:
        FlagNotFound: The project has none of this key.
        FlagIsArchived: It is archived, and the caller does not ask for archived ones too.
    """
    project = await projects.get(tx, project_key)
    row = await repository.lock_flag(tx, project.id, key)
    if row is None:
        raise FlagNotFound(f"project {project_key!r} has no flag {key!r}", value=key)
    if row.archived_at is not None and not archived:
        raise FlagIsArchived(f"flag {key!r} is archived; unarchive it to change it", value=key)
    return row


def flag_out(row: FlagRow) -> FlagOut:
    """A flag as the API gives it."""
    columns = set(FlagOut.model_fields) - {"metadata", "etag"}
    values = {name: getattr(row, name) for name in columns}
    tag = conditions.tag(row.version)
    return FlagOut.model_validate({**values, "metadata": row.attached, "etag": tag})


def _columns(definition: Definition, new: FlagCreate) -> dict[str, Any]:
    return {
        "key": definition.key,
        "type": definition.type,
        "variants": definition.variants,
        "attached": definition.metadata,
        "description": new.description,
        "owner": new.owner,
        "tags": new.tags,
    }


def _recorded(flag: FlagOut) -> dict[str, Any]:
    return flag.model_dump(mode="json", exclude={"etag", "created_at", "updated_at"})


async def _record(
    tx: WriteSession,
    row: FlagRow,
    action: str,
    *,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    by: By,
) -> None:
    await audit.record(
        tx,
        project_id=row.project_id,
        actor=by.actor,
        action=action,
        subject=flag_subject(row.key),
        before=before,
        after=after,
        at=by.at,
        note=by.note,
    )


async def _set_archived(
    tx: WriteSession, row: FlagRow, at: datetime | None, *, action: str, by: By
) -> FlagOut:
    before = flag_out(row)
    after = flag_out(await repository.update_flag(tx, row, {"archived_at": at}))
    await _record(tx, row, action, before=_recorded(before), after=_recorded(after), by=by)
    return after


async def _in_each_environment(
    tx: WriteSession, project_key: str, row: FlagRow, changed: Callable[[Texts, str], Texts]
) -> None:
    """Changes what every environment serves that has published the flag."""
    for environment_id in await repository.serving_environments(tx, row.id):
        place = await publishing.place_by_id(tx, project_key, environment_id)
        _, published = await repository.state(tx, row.id, environment_id)
        document = documents.to_text(published.document) if published else ""
        await publishing.change(tx, place, partial(_swapped, changed, document))


def _swapped(changed: Callable[[Texts, str], Texts], document: str, served: Texts) -> Texts:
    return changed(served, document)


async def _define(
    tx: WriteSession, place: Place, new: Mapping[str, Flag], *, at: datetime
) -> dict[str, Standing]:
    """Makes and locks the flags of an import, and tells where they stand."""
    definitions = [documents.definition_of(flag) for flag in new.values()]
    await repository.define(tx, place.project_id, definitions, at=at)
    standing = await repository.standing(tx, place.project_id, place.environment_id, list(new))
    if archived := [key for key, known in standing.items() if known.archived]:
        raise FlagIsArchived(f"flag {archived[0]!r} is archived; unarchive it to change it", value=archived)
    for key, known in standing.items():
        if known.type != new[key].type:
            raise MalformedFlag(f"flag {key!r} is of type {known.type} and cannot become {new[key].type}")
    return standing


def _texts(ruleset: Ruleset) -> dict[str, str]:
    with without_collecting():
        return {flag.key: documents.text_of(flag) for flag in ruleset.flags}


def _require_possible_keys(ruleset: Ruleset) -> None:
    parts = (*ruleset.segments, *ruleset.layers, *ruleset.holdouts)
    keys = [flag.key for flag in ruleset.flags] + [each.id for each in parts]
    if wrong := [key for key in keys if not is_key(key)]:
        raise MalformedFlag(
            f"{wrong[0]!r} cannot be a key here: up to 64 of a-z 0-9 _ . -, beginning with a letter or digit",
            value=wrong,
        )


def _parts(ruleset: Ruleset) -> dict[tuple[str, str], str]:
    segments = {("segment", each.id): segment_to_json(each) for each in ruleset.segments}
    layers = {("layer", each.id): layer_to_json(each) for each in ruleset.layers}
    holdouts = {("holdout", each.id): holdout_to_json(each) for each in ruleset.holdouts}
    return {at: documents.to_text(document) for at, document in (segments | layers | holdouts).items()}
