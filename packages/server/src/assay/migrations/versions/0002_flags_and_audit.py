"""flags and audit."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_audit_entry_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )
    op.create_index(
        "ix_audit_entry_project_id_subject_id",
        "audit_entry",
        ["project_id", "subject", "id"],
        unique=False,
        postgresql_ops={"subject": "text_pattern_ops"},
    )
    op.create_table(
        "flag",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("variants", sa.JSON(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("tags", postgresql.JSONB(), nullable=False),
        sa.Column("words", postgresql.TSVECTOR(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_flag_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flag")),
        sa.UniqueConstraint("project_id", "key", name=op.f("uq_flag_project_id_key")),
    )
    op.create_index("ix_flag_tags", "flag", ["tags"], unique=False, postgresql_using="gin")
    op.create_index("ix_flag_words", "flag", ["words"], unique=False, postgresql_using="gin")
    op.create_table(
        "flag_evaluations",
        sa.Column("environment_id", sa.Uuid(), nullable=False),
        sa.Column("flag", sa.String(), nullable=False),
        sa.Column("variant", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environment.id"], name=op.f("fk_flag_evaluations_environment_id")
        ),
        sa.PrimaryKeyConstraint("environment_id", "flag", "variant", "day", name=op.f("pk_flag_evaluations")),
    )
    op.create_table(
        "flag_revision",
        sa.Column("flag_id", sa.Uuid(), nullable=False),
        sa.Column("environment_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("environment_revision", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environment.id"], name=op.f("fk_flag_revision_environment_id")
        ),
        sa.ForeignKeyConstraint(["flag_id"], ["flag.id"], name=op.f("fk_flag_revision_flag_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flag_revision")),
        sa.UniqueConstraint(
            "flag_id", "environment_id", "number", name=op.f("uq_flag_revision_flag_id_environment_id_number")
        ),
    )
    op.create_table(
        "ruleset_part",
        sa.Column("environment_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environment.id"], name=op.f("fk_ruleset_part_environment_id")
        ),
        sa.PrimaryKeyConstraint("environment_id", "kind", "key", name=op.f("pk_ruleset_part")),
    )
    op.create_table(
        "flag_state",
        sa.Column("flag_id", sa.Uuid(), nullable=False),
        sa.Column("environment_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision_id", sa.Uuid(), nullable=True),
        sa.Column("draft", sa.JSON(), nullable=True),
        sa.Column("drafted_by", sa.String(), nullable=True),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environment.id"], name=op.f("fk_flag_state_environment_id")
        ),
        sa.ForeignKeyConstraint(["flag_id"], ["flag.id"], name=op.f("fk_flag_state_flag_id")),
        sa.ForeignKeyConstraint(
            ["revision_id"], ["flag_revision.id"], name=op.f("fk_flag_state_revision_id")
        ),
        sa.PrimaryKeyConstraint("flag_id", "environment_id", name=op.f("pk_flag_state")),
    )
    op.create_index("ix_flag_state_environment_id", "flag_state", ["environment_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_flag_state_environment_id", table_name="flag_state")
    op.drop_table("flag_state")
    op.drop_table("ruleset_part")
    op.drop_table("flag_revision")
    op.drop_table("flag_evaluations")
    op.drop_index("ix_flag_words", table_name="flag", postgresql_using="gin")
    op.drop_index("ix_flag_tags", table_name="flag", postgresql_using="gin")
    op.drop_table("flag")
    op.drop_index(
        "ix_audit_entry_project_id_subject_id",
        table_name="audit_entry",
        postgresql_ops={"subject": "text_pattern_ops"},
    )
    op.drop_table("audit_entry")
