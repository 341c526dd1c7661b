"""Segments of an environment: named sets of units that conditions refer to, effective at once."""

from collections.abc import Mapping
from typing import Any

from assay.core.database import ReadSession, WriteSession
from assay.flags import conditions, documents, publishing, references, repository
from assay.flags.documents import Document
from assay.flags.errors import SegmentInUse, SegmentKeyTaken, SegmentNotFound, Unpublishable
from assay.flags.models import RulesetPart
from assay.flags.publishing import Place
from assay.flags.repository import By
from assay.flags.schemas import SegmentCreate, SegmentOut
from assay.shared.errors import Detail
from assay_engine.writing import segment_to_json

KIND = "segment"


async def create(
    tx: WriteSession, project_key: str, environment_key: str, new: SegmentCreate, *, by: By
) -> SegmentOut:
    """A new segment of an environment.

    Raises:
        SegmentKeyTaken: The environment has a segment with this key.
        MalformedFlag, Unpublishable: It is not of the wire format, or fails the check.
    """
    place = await publishing.place_of(tx, project_key, environment_key)
    await publishing.hold(tx, place)
    if await repository.part(tx, place.environment_id, KIND, new.key) is not None:
        raise SegmentKeyTaken(f"{environment_key!r} has a segment {new.key!r} already", value=new.key)
    document = _document(new.key, new.model_dump(exclude={"key", "description"}))
    return await _put(tx, place, None, document, description=new.description, action="created", by=by)


async def get(tx: ReadSession, project_key: str, environment_key: str, key: str) -> SegmentOut:
    """A segment of an environment.

    Raises:
        SegmentNotFound: The environment has none of this key.
    """
    place = await publishing.place_of(tx, project_key, environment_key)
    return _out(await _row(tx, place, key))


async def listing(
    tx: ReadSession, project_key: str, environment_key: str, *, cursor: str | None, limit: int
) -> tuple[list[SegmentOut], str | None]:
    """A page of an environment's segments by key, and the cursor of the next."""
    place = await publishing.place_of(tx, project_key, environment_key)
    rows = await repository.parts(tx, place.environment_id, KIND, beyond=cursor or "", limit=limit + 1)
    page = [_out(row) for row in rows[:limit]]
    return page, page[-1].key if len(rows) > limit else None


async def update(
    tx: WriteSession,
    project_key: str,
    environment_key: str,
    key: str,
    change: Mapping[str, Any],
    *,
    if_match: str | None,
    by: By,
) -> SegmentOut:
    """The segment as changed; flags that refer to it serve accordingly at once.

    Args:
        change: The fields that change.

    Raises:
        VersionMissing, StaleVersion: The change was not made from the current version.
        MalformedFlag, Unpublishable: It is not of the wire format, or fails the check.
    """
    place = await publishing.place_of(tx, project_key, environment_key)
    await publishing.hold(tx, place)
    row = await _row(tx, place, key)
    conditions.require(if_match, conditions.tag(row.version))
    fields = {name: value for name, value in change.items() if name != "description"}
    description = change.get("description", row.description)
    document = _document(key, {**row.document, **fields})
    return await _put(tx, place, _out(row), document, description=description, action="updated", by=by)


async def delete(
    tx: WriteSession, project_key: str, environment_key: str, key: str, *, if_match: str | None, by: By
) -> None:
    """Removes a segment.

    Raises:
        SegmentInUse: Flags, drafts or other segments refer to it; `details` names them.
    """
    place = await publishing.place_of(tx, project_key, environment_key)
    await publishing.hold(tx, place)
    row = await _row(tx, place, key)
    conditions.require(if_match, conditions.tag(row.version))
    await _require_unused(tx, place, key)
    await _record(tx, place, key, "deleted", before=_recorded(_out(row)), after=None, by=by)
    await repository.delete_part(tx, place.environment_id, KIND, key)


async def _require_unused(tx: WriteSession, place: Place, key: str) -> None:
    drafts = await repository.drafts(tx, place.environment_id)
    users = [
        Detail(f"draft of flag {flag!r}", f"it names segment {key!r}")
        for flag, draft in drafts.items()
        if key in references.segments_in(draft)
    ]
    try:
        await publishing.check(tx, place, lambda served: served.without_part(KIND, key))
    except Unpublishable as error:
        users = [*error.details, *users]
    if users:
        first = f"{users[0].where}: {users[0].message}"
        raise SegmentInUse(f"segment {key!r} is in use ({first})", value=key, details=users)


async def _put(
    tx: WriteSession,
    place: Place,
    before: SegmentOut | None,
    document: Document,
    *,
    description: str,
    action: str,
    by: By,
) -> SegmentOut:
    key = str(document["id"])
    parts = {(KIND, key): documents.to_text(document)}
    await publishing.check(tx, place, lambda served: served.with_parts(parts))
    await repository.put_parts(tx, place.environment_id, parts)
    await repository.describe_part(tx, place.environment_id, KIND, key, description)
    after = _out(await _row(tx, place, key))
    recorded = None if before is None else _recorded(before)
    await _record(tx, place, key, action, before=recorded, after=_recorded(after), by=by)
    return after


async def _record(
    tx: WriteSession,
    place: Place,
    key: str,
    action: str,
    *,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    by: By,
) -> None:
    subject = f"environments/{place.environment}/segments/{key}"
    await publishing.record(tx, place, subject, action=f"segment.{action}", before=before, after=after, by=by)


def _document(key: str, fields: Mapping[str, Any]) -> Document:
    return segment_to_json(documents.segment({**fields, "id": key}))


async def _row(tx: ReadSession, place: Place, key: str) -> RulesetPart:
    row = await repository.part(tx, place.environment_id, KIND, key)
    if row is None:
        raise SegmentNotFound(f"{place.environment!r} has no segment {key!r}", value=key)
    return row


def _out(row: RulesetPart) -> SegmentOut:
    document = row.document
    return SegmentOut(
        key=row.key,
        description=row.description,
        unit=document.get("unit"),
        include=document.get("include", []),
        exclude=document.get("exclude", []),
        condition=document.get("condition"),
        created_at=row.created_at,
        updated_at=row.updated_at,
        etag=conditions.tag(row.version),
    )


def _recorded(segment: SegmentOut) -> dict[str, Any]:
    return segment.model_dump(mode="json", exclude={"etag", "created_at", "updated_at"})
