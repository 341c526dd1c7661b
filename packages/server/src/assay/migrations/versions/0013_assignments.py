"""which variant a unit was given first."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "assignment",
        sa.Column("environment_id", sa.Uuid(), nullable=False),
        sa.Column("experiment", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("variant", sa.String(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint(
            "environment_id", "experiment", "unit", "version", name=op.f("pk_assignment")
        ),
    )
    op.create_table(
        "assignment_experiment",
        sa.Column("environment_id", sa.Uuid(), nullable=False),
        sa.Column("experiment", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("arms", postgresql.JSONB(), nullable=False),
        sa.Column("unit_kind", sa.String(), nullable=True),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.CheckConstraint("ended_at >= since", name=op.f("ck_assignment_experiment_order")),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environment.id"], name=op.f("fk_assignment_experiment_environment_id")
        ),
        sa.PrimaryKeyConstraint("environment_id", "experiment", name=op.f("pk_assignment_experiment")),
    )


def downgrade() -> None:
    op.drop_table("assignment_experiment")
    op.drop_table("assignment")
