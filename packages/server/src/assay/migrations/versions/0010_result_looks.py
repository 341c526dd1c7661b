"""who read which result when."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "result_look",
        sa.Column("experiment_id", sa.Uuid(), nullable=False),
        sa.Column("result", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_exploratory", sa.Boolean(), nullable=False),
        sa.Column("is_early", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiment.id"],
            name=op.f("fk_result_look_experiment_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_result_look")),
        sa.UniqueConstraint("result", "actor", name=op.f("uq_result_look_result_actor")),
    )
    op.create_index("ix_result_look_experiment_id_id", "result_look", ["experiment_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_result_look_experiment_id_id", table_name="result_look")
    op.drop_table("result_look")
