"""The one way into what an environment serves.

Every change locks the rows of its flags first and then, by raising the revision, the environment's: so the
changes of one environment happen one after the other, each checked against what the one before has left.
READ COMMITTED is enough for that, and nobody is sent away by a serialization failure.
"""

import asyncio
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
from msgspec.structs import replace

from assay.audit import service as audit
from assay.core.database import ReadSession, WriteSession
from assay.flags import documents, part_repository, repository
from assay.flags.documents import Texts
from assay.flags.repository import By, Revised, Standing
from assay.projects import service as projects
from assay_engine import Flag
from assay_engine.records import without_collecting


@dataclass(frozen=True, slots=True)
class Place:
    """An environment of a project."""

    project_id: uuid.UUID
    project: str
    environment_id: uuid.UUID
    environment: str


@dataclass(frozen=True, slots=True)
class Next:
    """What a flag becomes in an environment: the model, its document, and where it stands before."""

    standing: Standing
    flag: Flag
    document: str


async def place_of(tx: ReadSession, project_key: str, environment_key: str) -> Place:
    """The environment with this key.

    Raises:
        ProjectNotFound, EnvironmentNotFound: There is no such place.
    """
    environment = await projects.get_environment(tx, project_key, environment_key)
    return Place(environment.project_id, project_key, environment.id, environment.key)


async def serve(
    tx: WriteSession,
    place: Place,
    new: Mapping[str, Next],
    *,
    parts: Mapping[tuple[str, str], str] | None = None,
    action: str,
    by: By,
    revision: int | None = None,
) -> int:
    """Lets the environment serve these flags, whose rows the caller has locked, and returns its revision.

    Args:
        parts: Segments, layers and holdouts that come with them, as JSON text by kind and key.
        revision: The environment's next one, from a caller who holds the environment already.

    Raises:
        Unpublishable: What it would serve fails the check; nothing has been changed.
    """
    revision = await hold(tx, place) if revision is None else revision
    rest = (await repository.served(tx, place.environment_id)).without_flags(new).with_parts(parts or {})
    # While PostgreSQL writes, this process checks: what fails is rolled back with everything else.
    checking = asyncio.create_task(_check(place, rest, [each.flag for each in new.values()]))
    try:
        if parts:
            await part_repository.put_parts(
                tx, place.environment_id, parts, environment_revision=revision, action=action, by=by
            )
        await _revise(tx, place, new.values(), revision=revision, action=action, by=by)
    finally:
        await checking
    for each in new.values():
        documents.remember(each.document, each.flag)
    return revision


async def switch(tx: WriteSession, place: Place, new: Next, *, action: str, by: By) -> None:
    """Lets the environment serve a flag that differs from what it serves in being enabled or not.

    Nothing is checked: the check looks at disabled flags as at others, so it would find nothing new, and a
    fault elsewhere must not stand in the way of an emergency.
    """
    revision = await hold(tx, place)
    await _revise(tx, place, [new], revision=revision, action=action, by=by)


async def change(tx: WriteSession, place: Place, changed: Callable[[Texts], Texts]) -> int:
    """Raises the environment's revision, provided that what it would serve passes the check.

    Raises:
        Unpublishable: It does not; `details` holds every problem.
    """
    revision = await hold(tx, place)
    await check(tx, place, changed)
    return revision


async def hold(tx: WriteSession, place: Place) -> int:
    """The environment's next revision; nobody else changes the environment until the transaction ends."""
    return await projects.bump_revision(tx, place.environment_id)


async def check(tx: ReadSession, place: Place, changed: Callable[[Texts], Texts]) -> None:
    """Checks all that the environment would serve.

    Raises:
        Unpublishable: It fails; `details` holds every problem.
    """
    await _check(place, changed(await repository.served(tx, place.environment_id)), [])


async def _revise(
    tx: WriteSession, place: Place, new: Iterable[Next], *, revision: int, action: str, by: By
) -> None:
    revised = [Revised(each.standing.id, each.standing.number + 1, each.document) for each in new]
    await repository.revise(
        tx, place.environment_id, revised, environment_revision=revision, action=action, by=by
    )


async def _check(place: Place, rest: Texts, flags: Sequence[Flag]) -> None:
    def checked() -> None:
        with without_collecting():
            ruleset = rest.ruleset(environment=place.environment, revision=0)
            together = sorted((*ruleset.flags, *flags), key=lambda flag: flag.key)
            documents.check(replace(ruleset, flags=tuple(together)))

    # Thousands of flags take a while to check; requests must not wait for it.
    await anyio.to_thread.run_sync(checked)


async def place_by_id(tx: ReadSession, project_key: str, environment_id: uuid.UUID) -> Place:
    """The environment with this identifier."""
    environment = await projects.environment(tx, environment_id)
    return Place(environment.project_id, project_key, environment.id, environment.key)


async def record(
    tx: WriteSession,
    place: Place,
    subject: str,
    *,
    action: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    by: By,
) -> None:
    """Adds what was done in an environment to the change log."""
    await audit.record(
        tx,
        project_id=place.project_id,
        actor=by.actor,
        action=action,
        subject=subject,
        before=before,
        after=after,
        at=by.at,
        note=by.note,
    )


def flag_subject(key: str, environment: str | None = None) -> str:
    """A flag's place in the change log, everywhere or in one environment."""
    return f"flags/{key}" + (f"/environments/{environment}" if environment else "")
