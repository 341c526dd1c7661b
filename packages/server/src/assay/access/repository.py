"""Queries over keys and secrets."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from assay.access.models import ApiKey, ServerSecret
from assay.core.database import ReadSession, WriteSession
from assay.shared import pagination

KEYS_CHANNEL = "assay_keys"


async def insert_key(tx: WriteSession, key: ApiKey) -> None:
    """Adds a key and tells every process."""
    tx.add(key)
    await tx.flush()
    await _announce(tx, key.environment_id)


async def keys(
    tx: ReadSession, environment_id: uuid.UUID, *, cursor: str | None, limit: int
) -> Sequence[ApiKey]:
    """One row more than a page of an environment's keys."""
    statement = select(ApiKey).where(ApiKey.environment_id == environment_id)
    return (await tx.scalars(pagination.after(statement, ApiKey.id, cursor=cursor, limit=limit))).all()


async def all_keys(tx: ReadSession) -> Sequence[ApiKey]:
    """Every key there is."""
    return (await tx.scalars(select(ApiKey))).all()


async def key_by_digest(tx: ReadSession, digest: bytes) -> ApiKey | None:
    """The key whose token has this digest."""
    return await tx.scalar(select(ApiKey).where(ApiKey.digest == digest))


async def delete_key(tx: WriteSession, environment_id: uuid.UUID, key_id: uuid.UUID) -> ApiKey | None:
    """Takes a key away and tells every process; None when the environment has no such key."""
    statement = delete(ApiKey).where(ApiKey.environment_id == environment_id, ApiKey.id == key_id)
    gone = await tx.scalar(statement.returning(ApiKey))
    if gone is not None:
        await _announce(tx, environment_id)
    return gone


async def record_use(tx: WriteSession, used: Mapping[uuid.UUID, datetime]) -> None:
    """Notes when keys were last used."""
    # In order, so that two processes lock the rows alike and cannot deadlock.
    for key_id, at in sorted(used.items()):
        unknown_or_older = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < at)
        statement = update(ApiKey).where(ApiKey.id == key_id, unknown_or_older).values(last_used_at=at)
        await tx.execute(statement.execution_options(synchronize_session=False))


async def secret(tx: ReadSession, name: str) -> bytes | None:
    """The secret of this name."""
    return await tx.scalar(select(ServerSecret.value).where(ServerSecret.name == name))


async def insert_secret(tx: WriteSession, name: str, value: bytes) -> None:
    """Keeps the secret, unless another process was first."""
    await tx.execute(insert(ServerSecret).values(name=name, value=value).on_conflict_do_nothing())


async def _announce(tx: WriteSession, environment_id: uuid.UUID) -> None:
    await tx.execute(select(func.pg_notify(KEYS_CHANNEL, str(environment_id))))
