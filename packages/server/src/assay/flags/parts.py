"""Segments, layers and holdouts of an environment: made, changed at once, never taken from under a flag."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import anyio.to_thread

from assay.core.database import ReadSession, WriteSession
from assay.flags import conditions, documents, part_repository, publishing, references, repository
from assay.flags.documents import Document, Texts
from assay.flags.errors import Unpublishable
from assay.flags.kinds import HOLDOUT, Address, Kind
from assay.flags.models import RulesetPart
from assay.flags.part_schemas import PartCreate, PartOut
from assay.flags.publishing import Place
from assay.flags.repository import By
from assay.shared.errors import Detail


@dataclass(frozen=True, slots=True)
class Here:
    """A part of an environment, and the environment's next revision when the caller holds it."""

    place: Place
    kind: Kind
    row: RulesetPart
    revision: int | None = None

    @property
    def tag(self) -> str:
        """The entity tag of the part with its draft."""
        return conditions.tag(self.row.version)

    @property
    def draft(self) -> Document:
        """The configuration that the next publication serves."""
        return (
            self.row.draft if self.row.draft is not None else documents.part_configuration(self.row.document)
        )

    def document(self, configuration: Mapping[str, Any]) -> Document:
        """The part's document with another configuration."""
        return self.kind.document(self.row.key, configuration)


async def create(
    tx: WriteSession, kind: Kind, project_key: str, environment_key: str, new: PartCreate, *, by: By
) -> PartOut:
    """A new part of an environment, served at once: nothing refers to it yet.

    Raises:
        SegmentKeyTaken, LayerKeyTaken, HoldoutKeyTaken: The environment has one with this key.
        MalformedFlag, Unpublishable: It is not of the wire format, or fails the check.
    """
    place = await publishing.place_of(tx, project_key, environment_key)
    revision = await publishing.hold(tx, place)
    if await part_repository.part(tx, place.environment_id, kind.name, new.key) is not None:
        raise kind.key_taken(f"{environment_key!r} has a {kind.name} {new.key!r} already", value=new.key)
    document = kind.document(new.key, new.model_dump(exclude={"key", "description"}))
    await put(tx, place, kind, document, revision=revision, action="created", by=by)
    await part_repository.describe_part(tx, place.environment_id, kind.name, new.key, new.description)
    made = Here(place, kind, await _row(tx, place, kind, new.key))
    await record(tx, made, "created", before=None, after=_recorded(out(made)), by=by)
    return out(made)


async def get(tx: ReadSession, at: Address) -> PartOut:
    """A part of an environment.

    Raises:
        SegmentNotFound, LayerNotFound, HoldoutNotFound: The environment has none of this key.
    """
    return out(await here(tx, at))


async def listing(
    tx: ReadSession, kind: Kind, project_key: str, environment_key: str, *, cursor: str | None, limit: int
) -> tuple[list[PartOut], str | None]:
    """A page of an environment's parts by key, and the cursor of the next."""
    place = await publishing.place_of(tx, project_key, environment_key)
    rows = await part_repository.parts(
        tx, place.environment_id, kind.name, beyond=cursor or "", limit=limit + 1
    )
    page = [out(Here(place, kind, row)) for row in rows[:limit]]
    return page, page[-1].key if len(rows) > limit else None


async def history(tx: ReadSession, at: Address) -> list[tuple[datetime, Document]]:
    """What the environment served of a part from which moment on, oldest first.

    Raises:
        SegmentNotFound, LayerNotFound, HoldoutNotFound: The environment has none of this key.
    """
    found = await here(tx, at)
    rows = await part_repository.part_history(tx, found.place.environment_id, at.kind.name, at.key)
    return [(row.at, row.document) for row in rows]


async def update(
    tx: WriteSession,
    at: Address,
    change: Mapping[str, Any],
    *,
    if_match: str | None,
    by: By,
) -> PartOut:
    """The part as changed; flags serve accordingly at once, and a draft stays as it is.

    Args:
        change: The fields that change.

    Raises:
        VersionMissing, StaleVersion: The change was not made from the current version.
        MalformedFlag, Unpublishable: It is not of the wire format, or fails the check.
    """
    found = await held(tx, at, if_match=if_match)
    before = _recorded(out(found))
    document = found.document({**documents.part_configuration(found.row.document), **_served_fields(change)})
    if documents.to_text(document) != documents.to_text(found.row.document):
        await serve(tx, found, document, action="updated", by=by)
    if change.get("description", found.row.description) != found.row.description:
        await part_repository.describe_part(
            tx, found.place.environment_id, at.kind.name, at.key, change["description"]
        )
    changed = await again(tx, found)
    await record(tx, changed, "updated", before=before, after=_recorded(out(changed)), by=by)
    return out(changed)


async def delete(
    tx: WriteSession,
    at: Address,
    *,
    if_match: str | None,
    by: By,
) -> None:
    """Removes a part with its history.

    Raises:
        SegmentInUse, LayerInUse, HoldoutInUse: Others need it; `details` names them.
    """
    found = await held(tx, at, if_match=if_match)
    await _require_unused(tx, found)
    await record(tx, found, "deleted", before=_recorded(out(found)), after=None, by=by)
    await part_repository.delete_part(tx, found.place.environment_id, at.kind.name, at.key)


async def here(tx: ReadSession, at: Address) -> Here:
    """A part of an environment, for reading.

    Raises:
        SegmentNotFound, LayerNotFound, HoldoutNotFound: The environment has none of this key.
    """
    place = await publishing.place_of(tx, at.project, at.environment)
    return Here(place, at.kind, await _row(tx, place, at.kind, at.key))


async def held(
    tx: WriteSession,
    at: Address,
    *,
    if_match: str | None,
) -> Here:
    """A part of an environment, neither of which anybody else changes until the transaction ends.

    Raises:
        SegmentNotFound, LayerNotFound, HoldoutNotFound: The environment has none of this key.
        VersionMissing, StaleVersion: The caller has not read the current version.
    """
    place = await publishing.place_of(tx, at.project, at.environment)
    # The environment first, as imports do, so that two changes cannot deadlock.
    revision = await publishing.hold(tx, place)
    row = await locked_row(tx, place, at.kind, at.key)
    conditions.require(if_match, conditions.tag(row.version))
    return Here(place, at.kind, row, revision)


async def locked_row(tx: WriteSession, place: Place, kind: Kind, key: str) -> RulesetPart:
    """The row of a part that nobody else changes until the transaction ends."""
    return _found(await part_repository.lock_part(tx, place.environment_id, kind.name, key), place, kind, key)


async def again(tx: ReadSession, found: Here) -> Here:
    """The part as it is after a change."""
    return Here(found.place, found.kind, await _row(tx, found.place, found.kind, found.row.key))


async def serve(tx: WriteSession, found: Here, document: Document, *, action: str, by: By) -> None:
    """Lets the environment serve another document of a part that the caller holds.

    Raises:
        Unpublishable: What it would serve fails the check; nothing has been changed.
    """
    assert found.revision is not None  # noqa: S101 — `held` raised it
    await put(tx, found.place, found.kind, document, revision=found.revision, action=action, by=by)


async def put(
    tx: WriteSession, place: Place, kind: Kind, document: Document, *, revision: int, action: str, by: By
) -> None:
    """Lets the environment serve this document too, as of the revision that the caller holds."""
    new = kind.text(document)
    await publishing.check(tx, place, lambda served: served.with_parts(new))
    await part_repository.put_parts(
        tx, place.environment_id, new, environment_revision=revision, action=action, by=by
    )


async def record(
    tx: WriteSession,
    found: Here,
    action: str,
    *,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    by: By,
) -> None:
    """Adds what was done with a part to the change log."""
    subject = f"environments/{found.place.environment}/{found.kind.plural}/{found.row.key}"
    named = f"{found.kind.name}.{action}"
    await publishing.record(tx, found.place, subject, action=named, before=before, after=after, by=by)


def out(found: Here) -> PartOut:
    """A part as the API gives it."""
    row = found.row
    return found.kind.out.model_validate(
        {
            **documents.part_configuration(row.document),
            "key": row.key,
            "description": row.description,
            "created_at": row.created_at,
            "updated_at": row.updated_at,
            "etag": found.tag,
        }
    )


async def _require_unused(tx: WriteSession, found: Here) -> None:
    kind, key = found.kind, found.row.key
    if users := [*await _served_users(tx, found), *await _drafted_users(tx, found)]:
        first = f"{users[0].where}: {users[0].message}"
        message = f"{kind.name} {key!r} is in use ({first}){kind.way_out}"
        raise kind.in_use(message, value=key, details=users)


async def _served_users(tx: ReadSession, found: Here) -> list[Detail]:
    if found.kind is HOLDOUT:
        served = await repository.served(tx, found.place.environment_id)
        return await anyio.to_thread.run_sync(_held_out, served, found.row.key)
    where = (found.kind.name, found.row.key)
    try:
        await publishing.check(tx, found.place, lambda served: served.without_part(*where))
    except Unpublishable as error:
        return list(error.details)
    return []


def _held_out(served: Texts, key: str) -> list[Detail]:
    names = references.held_out(served.ruleset(environment="", revision=0), key)
    return [Detail(f"flag {flag!r}", f"it runs experiment {name!r}") for flag, name in names]


async def _drafted_users(tx: ReadSession, found: Here) -> list[Detail]:
    kind, key = found.kind.name, found.row.key
    environment_id = found.place.environment_id
    flags = await repository.drafts(tx, environment_id)
    parts = await part_repository.part_drafts(tx, environment_id)
    drafts = {f"flag {flag!r}": draft for flag, draft in flags.items()}
    drafts |= {f"{of} {each!r}": draft for (of, each), draft in parts.items() if (of, each) != (kind, key)}
    return [
        Detail(f"draft of {user}", f"it names {kind} {key!r}")
        for user, draft in drafts.items()
        if key in references.named_in(draft, kind)
    ]


async def _row(tx: ReadSession, place: Place, kind: Kind, key: str) -> RulesetPart:
    return _found(await part_repository.part(tx, place.environment_id, kind.name, key), place, kind, key)


def _found(row: RulesetPart | None, place: Place, kind: Kind, key: str) -> RulesetPart:
    if row is None:
        raise kind.not_found(f"{place.environment!r} has no {kind.name} {key!r}", value=key)
    return row


def _served_fields(change: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in change.items() if name != "description"}


def _recorded(part: PartOut) -> dict[str, Any]:
    return part.model_dump(mode="json", exclude={"etag", "created_at", "updated_at"})
