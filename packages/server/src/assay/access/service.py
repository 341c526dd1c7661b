"""Making, listing, revoking and recognising keys."""

import secrets
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

from assay.access import repository
from assay.access.errors import AccessKeyNotFound
from assay.access.keys import AccessKey, KeyKind, Keyring, digest, mint, shown
from assay.access.models import ApiKey
from assay.access.policy import Role
from assay.access.repository import KEYS_CHANNEL
from assay.access.schemas import KeyCreate
from assay.audit import service as audit
from assay.core.database import ReadSession, WriteSession
from assay.projects import service as projects
from assay.shared import pagination
from assay.shared.ids import new_id

__all__ = [
    "KEYS_CHANNEL",
    "create",
    "identify",
    "keyring",
    "listing",
    "record_use",
    "revoke",
    "role_of",
    "secret",
]

SECRET_BYTES = 32


async def create(
    tx: WriteSession, project: str, environment: str, new: KeyCreate, *, now: datetime
) -> tuple[ApiKey, str]:
    """A key for an environment, and its token, which is kept nowhere.

    Raises:
        ProjectNotFound, EnvironmentNotFound: There is no such place.
    """
    place = await projects.get_environment(tx, project, environment)
    token = mint(new.kind)
    key = ApiKey(
        id=new_id(),
        environment_id=place.id,
        kind=new.kind.value,
        name=new.name,
        prefix=shown(token),
        digest=digest(token),
        created_at=now,
        last_used_at=None,
    )
    await repository.insert_key(tx, key)
    await _record(tx, place.project_id, environment, "access_key.create", None, key, at=now)
    return key, token


async def listing(
    tx: ReadSession, project: str, environment: str, *, cursor: str | None, limit: int
) -> tuple[Sequence[ApiKey], str | None]:
    """A page of an environment's keys, oldest first, and the cursor of the next."""
    place = await projects.get_environment(tx, project, environment)
    rows = await repository.keys(tx, place.id, cursor=cursor, limit=limit)
    return pagination.split(rows, limit=limit)


async def revoke(
    tx: WriteSession, project: str, environment: str, key_id: uuid.UUID, *, now: datetime
) -> None:
    """Takes a key away; every process stops answering to it within a second.

    Raises:
        AccessKeyNotFound: The environment has no such key.
    """
    place = await projects.get_environment(tx, project, environment)
    gone = await repository.delete_key(tx, place.id, key_id)
    if gone is None:
        raise AccessKeyNotFound(
            f"environment {environment!r} of project {project!r} has no key {key_id}", value=key_id
        )
    await _record(tx, place.project_id, environment, "access_key.revoke", gone, None, at=now)


async def keyring(tx: ReadSession) -> Keyring:
    """All keys, ready to be looked up without the database."""
    return Keyring(_access_key(row) for row in await repository.all_keys(tx))


async def identify(tx: ReadSession, token: str) -> AccessKey | None:
    """The key whose token this is, as the database knows it now."""
    row = await repository.key_by_digest(tx, digest(token))
    return None if row is None else _access_key(row)


async def role_of(tx: ReadSession, token: str, project: str) -> Role | None:
    """What the holder of a token is to a project; None when the token opens nothing of it.

    Until there are people, whoever holds a server key of one of its environments develops it.
    """
    key = await identify(tx, token)
    if key is None or key.kind is not KeyKind.SERVER:
        return None
    place = await projects.environment(tx, key.environment_id)
    return Role.DEVELOPER if place.project_id == (await projects.get(tx, project)).id else None


async def record_use(tx: WriteSession, used: Mapping[uuid.UUID, datetime]) -> None:
    """Notes when keys were last used."""
    await repository.record_use(tx, used)


async def secret(tx: WriteSession, name: str) -> bytes:
    """Random bytes that all processes share under this name, made when first asked for."""
    known = await repository.secret(tx, name)
    if known is not None:
        return known
    await repository.insert_secret(tx, name, secrets.token_bytes(SECRET_BYTES))
    stored = await repository.secret(tx, name)
    assert stored is not None  # noqa: S101 — inserted above, by us or by whoever was first
    return stored


def _access_key(row: ApiKey) -> AccessKey:
    return AccessKey(row.id, row.environment_id, KeyKind(row.kind), row.digest)


async def _record(
    tx: WriteSession,
    project_id: uuid.UUID,
    environment: str,
    action: str,
    before: ApiKey | None,
    after: ApiKey | None,
    *,
    at: datetime,
) -> None:
    key = before or after
    assert key is not None  # noqa: S101 — a key appears or disappears
    await audit.record(
        tx,
        project_id=project_id,
        actor=audit.LOCAL_ACTOR,
        action=action,
        subject=f"environments/{environment}/keys/{key.id}",
        before=None if before is None else _document(before),
        after=None if after is None else _document(after),
        at=at,
    )


def _document(key: ApiKey) -> dict[str, str]:
    return {"kind": key.kind, "name": key.name, "prefix": key.prefix}
