"""the buffer of events, what was refused, and what is sealed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

JSON = postgresql.JSONB()
DOUBLE: sa.Double[float] = sa.Double()
NOTHING = sa.text("0")
FILL_BUFFER = """
    INSERT INTO event (
        slot, environment_id, event_id, kind, name, unit, at, received_at, variant, value, properties
    )
    SELECT 0, environment_id, event_id, kind, name, unit, at, received_at, variant, value, properties
    FROM event_before
"""
FILL_SIMPLE = """
    INSERT INTO event (
        environment_id, event_id, kind, name, unit, at, received_at, variant, value, properties
    )
    SELECT DISTINCT ON (environment_id, event_id)
        environment_id, event_id, kind, name, unit, at, received_at, variant, value, properties
    FROM event_before
    ORDER BY environment_id, event_id, received_at
"""


def upgrade() -> None:
    _set_aside()
    _make_buffer()
    _make_records()
    op.execute(FILL_BUFFER)
    op.execute(
        "INSERT INTO event_tally (environment_id, accepted) "
        "SELECT environment_id, count(*) FROM event GROUP BY environment_id"
    )
    op.drop_table("event_before")


def downgrade() -> None:
    # What is sealed is in files that the older schema does not know of; it stays there.
    for table in ("event_recent", "lake_table", "event_rejected", "event_tally", "event_buffer"):
        op.drop_table(table)
    _set_aside()
    _make_simple()
    op.execute(FILL_SIMPLE)
    op.drop_table("event_before")


def _set_aside() -> None:
    # Names of indexes are unique in a schema, and the new table takes the old one's.
    op.execute("ALTER TABLE event RENAME TO event_before")
    op.execute("ALTER TABLE event_before DROP CONSTRAINT pk_event")
    op.execute("DROP INDEX ix_event_environment_id_kind_name")
    op.execute("ALTER TABLE event_before DROP CONSTRAINT IF EXISTS fk_event_environment_id")


def _make_buffer() -> None:
    op.create_table(
        "event",
        sa.Column("slot", sa.SmallInteger(), nullable=False),
        sa.Column("environment_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("units", JSON, nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("variant", sa.String(), nullable=True),
        sa.Column("value", DOUBLE, nullable=True),
        sa.Column("properties", JSON, nullable=True),
        sa.PrimaryKeyConstraint("slot", "environment_id", "event_id", name=op.f("pk_event")),
        postgresql_partition_by="LIST (slot)",
    )
    op.create_index(
        "ix_event_environment_id_kind_name", "event", ["environment_id", "kind", "name"], unique=False
    )
    op.execute("CREATE TABLE event_0 PARTITION OF event FOR VALUES IN (0)")
    op.execute("CREATE TABLE event_1 PARTITION OF event FOR VALUES IN (1)")
    op.create_table(
        "event_buffer",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("slot", sa.SmallInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("error_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_event_buffer_single")),
        sa.CheckConstraint("slot IN (0, 1)", name=op.f("ck_event_buffer_slot")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_buffer")),
    )
    op.execute("INSERT INTO event_buffer (id, slot, generation, rotated_at) VALUES (1, 0, 0, now())")


def _make_records() -> None:
    op.create_table(
        "event_tally",
        sa.Column("environment_id", sa.Uuid(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), server_default=NOTHING, nullable=False),
        sa.Column("repeated", sa.BigInteger(), server_default=NOTHING, nullable=False),
        sa.Column("rejected", sa.BigInteger(), server_default=NOTHING, nullable=False),
        sa.Column("ahead", sa.BigInteger(), server_default=NOTHING, nullable=False),
        sa.Column("max_ahead_seconds", DOUBLE, server_default=NOTHING, nullable=False),
        sa.Column("sealed", sa.BigInteger(), server_default=NOTHING, nullable=False),
        sa.Column("sealed_repeated", sa.BigInteger(), server_default=NOTHING, nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environment.id"], name=op.f("fk_event_tally_environment_id")
        ),
        sa.PrimaryKeyConstraint("environment_id", name=op.f("pk_event_tally")),
    )
    op.create_table(
        "event_rejected",
        sa.Column("environment_id", sa.Uuid(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("cut", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environment.id"], name=op.f("fk_event_rejected_environment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_rejected")),
    )
    op.create_index(
        "ix_event_rejected_environment_id_id", "event_rejected", ["environment_id", "id"], unique=False
    )
    op.create_table(
        "lake_table",
        sa.Column("environment_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environment.id"], name=op.f("fk_lake_table_environment_id")
        ),
        sa.PrimaryKeyConstraint("environment_id", name=op.f("pk_lake_table")),
    )
    op.create_table(
        "event_recent",
        sa.Column("environment_id", sa.Uuid(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("properties", JSON, nullable=True),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environment.id"], name=op.f("fk_event_recent_environment_id")
        ),
        sa.PrimaryKeyConstraint("environment_id", "unit", name=op.f("pk_event_recent")),
    )


def _make_simple() -> None:
    op.create_table(
        "event",
        sa.Column("environment_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("variant", sa.String(), nullable=True),
        sa.Column("value", DOUBLE, nullable=True),
        sa.Column("properties", JSON, nullable=True),
        sa.ForeignKeyConstraint(["environment_id"], ["environment.id"], name=op.f("fk_event_environment_id")),
        sa.PrimaryKeyConstraint("environment_id", "event_id", name=op.f("pk_event")),
    )
    op.create_index(
        "ix_event_environment_id_kind_name", "event", ["environment_id", "kind", "name"], unique=False
    )
