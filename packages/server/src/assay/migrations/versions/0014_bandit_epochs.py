"""Weights of bandits from one epoch to the next."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ACTIONS = ("start", "cover", "stop")


def upgrade() -> None:
    op.create_table(
        "bandit_epoch",
        sa.Column("phase_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("weights", sa.JSON(), nullable=False),
        sa.Column("moved", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("basis", sa.JSON(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["phase_id"], ["experiment_phase.id"], name=op.f("fk_bandit_epoch_phase_id_experiment_phase")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bandit_epoch")),
        sa.UniqueConstraint("phase_id", "number", name=op.f("uq_bandit_epoch_phase_id_number")),
    )
    _allow(*ACTIONS, "reweigh")


def downgrade() -> None:
    op.execute("DELETE FROM experiment_due WHERE action = 'reweigh'")
    _allow(*ACTIONS)
    op.drop_table("bandit_epoch")


def _allow(*actions: str) -> None:
    name = op.f("ck_experiment_due_action")
    op.drop_constraint(name, "experiment_due")
    listed = ", ".join(f"'{action}'" for action in actions)
    op.create_check_constraint(name, "experiment_due", f"action IN ({listed})")
