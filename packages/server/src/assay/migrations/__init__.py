"""The database schema's history, and running it from code."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.schema import CreateSchema

from assay.core.database import (
    DatabaseUnusable,
    ReadSession,
    connection_arguments,
    explained,
    sqlalchemy_url,
    wait_while_starting,
)

# Any number does, as long as every Assay asks for the same one.
MIGRATION_LOCK = 0x41535341
OLDEST_POSTGRESQL = (15,)


def upgrade(url: str, *, schema: str, revision: str = "head") -> None:
    """Brings the schema to a revision, making it when it is missing; others wait their turn."""
    _run(url, schema=schema, work=lambda config: command.upgrade(config, revision))


def downgrade(url: str, *, schema: str, revision: str) -> None:
    """Takes the schema back to a revision."""
    _run(url, schema=schema, work=lambda config: command.downgrade(config, revision))


def check(url: str, *, schema: str) -> None:
    """Fails when the models and the migrations disagree.

    Raises:
        alembic.util.CommandError: With the operations that are missing.
    """
    _run(url, schema=schema, work=command.check)


@cache
def head_revision() -> str | None:
    """The newest revision this program knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


async def current_revision(tx: ReadSession) -> str | None:
    """The revision the database is at, None before the first."""
    connection = await tx.connection()
    if not await connection.run_sync(_has_version_table):
        return None
    return await tx.scalar(text("SELECT version_num FROM alembic_version"))


def _has_version_table(connection: Connection) -> bool:
    return inspect(connection).has_table("alembic_version")


def _run(url: str, *, schema: str, work: Callable[[Config], None]) -> None:
    wait_while_starting(url)
    engine = create_engine(sqlalchemy_url(url), connect_args=connection_arguments(schema))
    try:
        with explained(url), engine.connect() as connection:
            _require_version(connection)
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": MIGRATION_LOCK})
            if not inspect(connection).has_schema(schema):
                # IF NOT EXISTS would ask for the right to make one even where an administrator did.
                connection.execute(CreateSchema(schema))
            connection.commit()
            config = _config()
            config.attributes["connection"] = connection
            work(config)
            connection.commit()
    finally:
        engine.dispose()


def _require_version(connection: Connection) -> None:
    version = connection.dialect.server_version_info
    if version is not None and version < OLDEST_POSTGRESQL:
        found = ".".join(map(str, version))
        raise DatabaseUnusable(
            f"PostgreSQL {found} is too old; Assay needs PostgreSQL 15 or newer", value=found
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config
