"""drafts and revisions of segments, layers and holdouts."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# The identifier of the first revision orders by its time, as those of later ones do (RFC 9562, version 7).
FIRST_REVISIONS = """
    INSERT INTO part_revision (
        id, environment_id, kind, key, number, environment_revision, document, action, actor, note, at
    )
    SELECT CAST(
            lpad(to_hex(CAST(extract(epoch FROM part.updated_at) * 1000 AS bigint)), 12, '0') || '70008'
            || substr(md5(part.environment_id::text || part.kind || part.key), 1, 15) AS uuid
        ),
        part.environment_id, part.kind, part.key, 1, environment.revision, part.document, 'updated',
        'local', '', part.updated_at
    FROM ruleset_part AS part JOIN environment ON environment.id = part.environment_id
"""


def upgrade() -> None:
    """Adds drafts, and begins the history with what is served."""
    op.add_column("ruleset_part", sa.Column("number", sa.Integer(), server_default="1", nullable=False))
    op.alter_column("ruleset_part", "number", server_default=None)
    op.add_column("ruleset_part", sa.Column("draft", sa.JSON(), nullable=True))
    op.add_column("ruleset_part", sa.Column("drafted_by", sa.String(), nullable=True))
    op.add_column("ruleset_part", sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "part_revision",
        sa.Column("environment_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("environment_revision", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id", "kind", "key"],
            ["ruleset_part.environment_id", "ruleset_part.kind", "ruleset_part.key"],
            name=op.f("fk_part_revision_environment_id_kind_key"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_part_revision")),
        sa.UniqueConstraint(
            "environment_id",
            "kind",
            "key",
            "number",
            name=op.f("uq_part_revision_environment_id_kind_key_number"),
        ),
    )
    op.execute(FIRST_REVISIONS)


def downgrade() -> None:
    """Drops drafts and history; what is served stays."""
    op.drop_table("part_revision")
    for column in ("drafted_at", "drafted_by", "draft", "number"):
        op.drop_column("ruleset_part", column)
