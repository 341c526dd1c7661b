"""The history of the schema: one line, agreeing with the models, and to be walked both ways."""

from pathlib import Path

import psycopg
import pytest
from alembic.script import ScriptDirectory

from assay import migrations
from support_postgres import fresh_database, libpq_url

SCHEMA = "assay"


@pytest.fixture
def empty_database(server_url: str, request: pytest.FixtureRequest) -> str:
    """The URL of a database without tables, dropped and made anew for each test."""
    return fresh_database(server_url, f"assay_{request.node.name}"[:60])


def test_the_history_has_one_head() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))

    assert scripts.get_heads() == [migrations.head_revision()]


def test_models_and_migrations_agree(empty_database: str) -> None:
    migrations.upgrade(empty_database, schema=SCHEMA)

    migrations.check(empty_database, schema=SCHEMA)


def test_down_leaves_nothing_and_up_again_restores_all(empty_database: str) -> None:
    migrations.upgrade(empty_database, schema=SCHEMA)
    made = tables(empty_database)

    migrations.downgrade(empty_database, schema=SCHEMA, revision="base")
    left = tables(empty_database)
    migrations.upgrade(empty_database, schema=SCHEMA)

    assert left == {"alembic_version"}
    assert tables(empty_database) == made > left


def test_an_upgrade_of_the_newest_schema_changes_nothing(empty_database: str) -> None:
    migrations.upgrade(empty_database, schema=SCHEMA)
    before = tables(empty_database)

    migrations.upgrade(empty_database, schema=SCHEMA)

    assert tables(empty_database) == before


def tables(url: str) -> set[str]:
    """The tables of the schema."""
    with psycopg.connect(libpq_url(url)) as connection:
        rows = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s", [SCHEMA]
        ).fetchall()
    return {str(name) for (name,) in rows}
