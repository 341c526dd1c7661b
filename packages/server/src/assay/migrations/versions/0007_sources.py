"""connections, tables to analyse, requests to stop a query; the code of a task's failure."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("task_run", sa.Column("error_code", sa.String(), nullable=True))
    op.create_table(
        "source_connection",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("definition", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_source_connection_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_connection")),
        sa.UniqueConstraint("project_id", "key", name=op.f("uq_source_connection_project_id_key")),
    )
    op.create_table(
        "source_table",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("relation", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("roles", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["source_connection.id"], name=op.f("fk_source_table_connection_id")
        ),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_source_table_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_table")),
        sa.UniqueConstraint("project_id", "key", name=op.f("uq_source_table_project_id_key")),
    )
    op.create_index("ix_source_table_connection_id", "source_table", ["connection_id"], unique=False)
    op.create_table(
        "source_cancellation",
        sa.Column("task_run_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["task_run_id"],
            ["task_run.id"],
            name=op.f("fk_source_cancellation_task_run_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("task_run_id", name=op.f("pk_source_cancellation")),
    )


def downgrade() -> None:
    op.drop_table("source_cancellation")
    op.drop_index("ix_source_table_connection_id", table_name="source_table")
    op.drop_table("source_table")
    op.drop_table("source_connection")
    op.drop_column("task_run", "error_code")
