"""The history of the schema: one line, agreeing with the models, and to be walked both ways."""

from pathlib import Path

import psycopg
import pytest
from alembic.script import ScriptDirectory

from assay import migrations
from assay.shared.ids import new_id
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


def test_events_survive_the_way_up_and_down(empty_database: str) -> None:
    migrations.upgrade(empty_database, schema=SCHEMA, revision="0003")
    with psycopg.connect(libpq_url(empty_database), options=f"-csearch_path={SCHEMA}") as connection:
        connection.execute(
            "INSERT INTO project (id, key, name) VALUES (gen_random_uuid(), 'p', 'P');"
            "INSERT INTO environment (id, project_id, key, name, revision)"
            " SELECT gen_random_uuid(), id, 'e', 'E', 0 FROM project;"
            "INSERT INTO event (environment_id, event_id, kind, name, unit, at, received_at, properties)"
            " SELECT id, number, 'event', 'n', 'u', now(), now(), '{\"a\": 1}'"
            " FROM environment, generate_series(1, 3) AS number"
        )
    before = events(empty_database)

    migrations.upgrade(empty_database, schema=SCHEMA)
    upgraded = events(empty_database)
    migrations.downgrade(empty_database, schema=SCHEMA, revision="0003")

    assert len(before) == 3
    assert upgraded == before == events(empty_database)


def events(url: str) -> list[tuple[object, ...]]:
    """The events of the database, as every revision knows them."""
    with psycopg.connect(libpq_url(url), options=f"-csearch_path={SCHEMA}") as connection:
        return connection.execute(
            "SELECT environment_id, event_id, kind, name, unit, at, received_at, variant, value,"
            " properties::jsonb FROM event ORDER BY event_id"
        ).fetchall()


def test_what_an_earlier_version_served_begins_the_history_of_its_parts(empty_database: str) -> None:
    migrations.upgrade(empty_database, schema=SCHEMA, revision="0004")
    with psycopg.connect(libpq_url(empty_database), options=f"-c search_path={SCHEMA}") as connection:
        connection.execute("INSERT INTO project (id, key, name) VALUES (gen_random_uuid(), 'shop', 'Shop')")
        connection.execute("""
            INSERT INTO environment (id, project_id, key, name, revision)
            SELECT gen_random_uuid(), id, 'production', 'Production', 7 FROM project
        """)
        connection.execute("""
            INSERT INTO ruleset_part (environment_id, kind, key, document, description, version, updated_at)
            SELECT environment.id, 'segment', part.id, json_build_object('id', part.id), '', 4,
                '2026-01-02T03:04:05Z'
            FROM environment, unnest(ARRAY['a', 'b']) AS part (id)
        """)

    migrations.upgrade(empty_database, schema=SCHEMA)

    with psycopg.connect(libpq_url(empty_database), options=f"-c search_path={SCHEMA}") as connection:
        first = connection.execute(
            "SELECT key, number, environment_revision, document->>'id', id FROM part_revision ORDER BY key"
        ).fetchall()
        numbers = connection.execute("SELECT number, draft FROM ruleset_part").fetchall()
    assert [row[:4] for row in first] == [("a", 1, 7, "a"), ("b", 1, 7, "b")]
    assert numbers == [(1, None), (1, None)]
    assert all(row[4] < new_id() and row[4].version == 7 for row in first)


def tables(url: str) -> set[str]:
    """The tables of the schema."""
    with psycopg.connect(libpq_url(url)) as connection:
        rows = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s", [SCHEMA]
        ).fetchall()
    return {str(name) for (name,) in rows}
