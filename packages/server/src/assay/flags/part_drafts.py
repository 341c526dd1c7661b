"""Drafts of segments, layers and holdouts, and the way from a draft to what is served and back."""

from collections.abc import Mapping
from typing import Any

from assay.audit.diff import changes
from assay.audit.schemas import ChangeOut
from assay.core.database import ReadSession, WriteSession
from assay.flags import conditions, documents, part_repository, parts, publishing
from assay.flags.documents import Document
from assay.flags.errors import NothingToPublish, NotPublished, RevisionNotFound, UnknownRevision
from assay.flags.kinds import Address
from assay.flags.models import PartRevision
from assay.flags.part_schemas import PartState
from assay.flags.parts import Here
from assay.flags.repository import By
from assay.flags.schemas import Published
from assay.projects import service as projects
from assay.shared import pagination


async def state(tx: ReadSession, at: Address) -> PartState:
    """What an environment serves of a part, its draft, and the difference."""
    return await _out(tx, await parts.here(tx, at))


async def set_draft(
    tx: WriteSession,
    at: Address,
    new: Mapping[str, Any],
    *,
    whole: bool,
    if_match: str | None,
    by: By,
) -> PartState:
    """The part with another draft.

    Args:
        new: A configuration, or when not `whole` the parts of it that change.

    Raises:
        MalformedFlag: The draft is not of the wire format.
    """
    found = await _locked(tx, at, if_match=if_match)
    document = found.document(new if whole else {**found.draft, **new})
    return await _draft(tx, found, documents.part_configuration(document), by=by)


async def discard(
    tx: WriteSession,
    at: Address,
    *,
    if_match: str | None,
    by: By,
) -> PartState:
    """The part without a draft beside what is served."""
    found = await _locked(tx, at, if_match=if_match)
    return await _draft(tx, found, None, by=by)


async def copy(
    tx: WriteSession,
    at: Address,
    *,
    source: str,
    if_match: str | None,
    by: By,
) -> PartState:
    """The part with the draft that serves what another environment serves.

    Raises:
        UnknownEnvironment: The project has no such other environment.
        NotPublished: The other environment serves no such part.
    """
    found = await _locked(tx, at, if_match=if_match)
    await projects.require_environment(tx, at.project, source)
    other = await publishing.place_of(tx, at.project, source)
    row = await part_repository.part(tx, other.environment_id, at.kind.name, at.key)
    if row is None:
        raise NotPublished(f"{source!r} serves no {at.kind.name} {at.key!r}", value=at.key)
    return await _draft(tx, found, documents.part_configuration(row.document), by=by)


async def publish(
    tx: WriteSession,
    at: Address,
    *,
    if_match: str | None,
    by: By,
) -> PartState:
    """The part after its draft has become what the environment serves.

    Raises:
        NothingToPublish: The environment serves just that already.
        Unpublishable: The environment's ruleset would fail the check; nothing has been changed.
    """
    found = await parts.held(tx, at, if_match=if_match)
    document = found.document(found.draft)
    _require_other(found, document, f"{at.environment!r} serves this of {at.kind.name} {at.key!r} already")
    await part_repository.set_part_draft(tx, found.place.environment_id, at.kind.name, at.key, None, by=by)
    return await _serve(tx, found, document, action="published", by=by)


async def revert(
    tx: WriteSession,
    at: Address,
    *,
    number: int,
    by: By,
) -> PartState:
    """The part served again exactly as in an earlier revision; a draft stays.

    Raises:
        UnknownRevision: There is no such revision.
        NothingToPublish: It is what is served.
        Unpublishable: What was right then does not fit what the environment serves now.
    """
    found = await parts.held(tx, at, if_match="*")
    try:
        earlier = await _revision(tx, found, number)
    except RevisionNotFound as error:
        raise UnknownRevision(error.message, value=number) from error
    served = f"revision {number} of {at.kind.name} {at.key!r} is what {at.environment!r} serves already"
    _require_other(found, earlier.document, served)
    return await _serve(tx, found, earlier.document, action="reverted", by=by)


async def revisions(
    tx: ReadSession,
    at: Address,
    *,
    cursor: str | None,
    limit: int,
) -> tuple[list[Published], str | None]:
    """A page of what the environment has served of a part, newest first, and the cursor of the next."""
    found = await parts.here(tx, at)
    rows = await part_repository.part_revisions(
        tx, found.place.environment_id, at.kind.name, at.key, cursor=cursor, limit=limit
    )
    rows, following = pagination.split(rows, limit=limit)
    return [Published.model_validate(row) for row in rows], following


async def revision(tx: ReadSession, at: Address, number: int) -> Published:
    """What the environment served in one revision of a part.

    Raises:
        RevisionNotFound: There is no such revision.
    """
    found = await parts.here(tx, at)
    return Published.model_validate(await _revision(tx, found, number))


async def _locked(
    tx: WriteSession,
    at: Address,
    *,
    if_match: str | None,
) -> Here:
    """The part for drafting: the environment is left alone, as it serves nothing differently yet."""
    place = await publishing.place_of(tx, at.project, at.environment)
    found = Here(place, at.kind, await parts.locked_row(tx, place, at.kind, at.key))
    conditions.require(if_match, found.tag)
    return found


async def _draft(tx: WriteSession, found: Here, draft: Document | None, *, by: By) -> PartState:
    before = found.draft
    await part_repository.set_part_draft(
        tx, found.place.environment_id, found.kind.name, found.row.key, draft, by=by
    )
    changed = await parts.again(tx, found)
    action = "drafted" if draft is not None else "draft_discarded"
    await parts.record(tx, changed, action, before={"draft": before}, after={"draft": changed.draft}, by=by)
    return await _out(tx, changed)


async def _serve(tx: WriteSession, found: Here, document: Document, *, action: str, by: By) -> PartState:
    before = found.row.document
    await parts.serve(tx, found, document, action=action, by=by)
    await parts.record(tx, found, action, before=before, after=document, by=by)
    return await _out(tx, await parts.again(tx, found))


def _require_other(found: Here, document: Document, message: str) -> None:
    if documents.to_text(document) == documents.to_text(found.row.document):
        raise NothingToPublish(message, value=found.row.key)


async def _revision(tx: ReadSession, found: Here, number: int) -> PartRevision:
    key, place = found.row.key, found.place
    row = await part_repository.part_revision(tx, place.environment_id, found.kind.name, key, number)
    if row is None:
        raise RevisionNotFound(
            f"{found.kind.name} {key!r} has no revision {number} in {place.environment!r}", value=number
        )
    return row


async def _out(tx: ReadSession, found: Here) -> PartState:
    row = found.row
    published = await _revision(tx, found, row.number)
    difference = changes(row.document, found.document(found.draft))
    return found.kind.state.model_validate(
        {
            "key": row.key,
            "environment": found.place.environment,
            "published": Published.model_validate(published),
            "draft": found.draft,
            "drafted_by": row.drafted_by,
            "drafted_at": row.drafted_at,
            "changes": [ChangeOut.model_validate(change) for change in difference],
            "etag": found.tag,
        }
    )
