"""lifecycle, plans, phases and decisions of experiments."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

JSONB = postgresql.JSONB()
DOUBLE: sa.Double[float] = sa.Double()
MOMENT = sa.DateTime(timezone=True)
CHECKS = {
    "state": "state IN ('DRAFT', 'ACTIVE', 'PAUSED', 'COMPLETED')",
    "outcome": "outcome IN ('SHIPPED', 'ROLLED_BACK', 'KEPT')",
    "planned": "(state IS NULL) = (plan IS NULL)",
    "completed": "(state = 'COMPLETED') = (outcome IS NOT NULL)",
    "order": "ended_at >= started_at",
}
# Words of what people call an experiment, as `experiments.repository` makes them.
WORDS = """
    UPDATE experiment SET words = to_tsvector(
        'simple', regexp_replace(lower(concat_ws(' ', key, name, description)), '[^[:alnum:]]+', ' ', 'g')
    )
"""


def upgrade() -> None:
    _add_columns()
    op.create_table(
        "experiment_phase",
        sa.Column("experiment_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("salt", sa.String(), nullable=False),
        sa.Column("coverage", DOUBLE, nullable=False),
        sa.Column("frozen", sa.JSON(), nullable=False),
        sa.Column("plan_hash", sa.String(), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("coverage > 0 AND coverage <= 1", name=op.f("ck_experiment_phase_coverage")),
        sa.CheckConstraint("ended_at >= started_at", name=op.f("ck_experiment_phase_order")),
        _experiment("experiment_phase"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiment_phase")),
        sa.UniqueConstraint("experiment_id", "number", name=op.f("uq_experiment_phase_experiment_id_number")),
    )
    op.create_table(
        "experiment_entry",
        sa.Column("experiment_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        _experiment("experiment_entry"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiment_entry")),
    )
    op.create_index("ix_experiment_entry_experiment_id_id", "experiment_entry", ["experiment_id", "id"])
    op.create_table(
        "experiment_due",
        sa.Column("experiment_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("coverage", DOUBLE, nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("settled_at", MOMENT, nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("action IN ('start', 'cover', 'stop')", name=op.f("ck_experiment_due_action")),
        sa.CheckConstraint(
            "state IN ('WAITING', 'DONE', 'CANCELLED', 'FAILED')", name=op.f("ck_experiment_due_state")
        ),
        sa.CheckConstraint(
            "(action = 'cover') = (coverage IS NOT NULL)", name=op.f("ck_experiment_due_coverage")
        ),
        _experiment("experiment_due"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiment_due")),
    )
    op.create_index("ix_experiment_due_state_at", "experiment_due", ["state", "at"])
    op.create_index("ix_experiment_due_experiment_id", "experiment_due", ["experiment_id"])
    op.create_table(
        "experiment_template",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_experiment_template_project_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiment_template")),
        sa.UniqueConstraint("project_id", "key", name=op.f("uq_experiment_template_project_id_key")),
    )


def downgrade() -> None:
    op.drop_table("experiment_template")
    op.drop_index("ix_experiment_due_experiment_id", table_name="experiment_due")
    op.drop_index("ix_experiment_due_state_at", table_name="experiment_due")
    op.drop_table("experiment_due")
    op.drop_index("ix_experiment_entry_experiment_id_id", table_name="experiment_entry")
    op.drop_table("experiment_entry")
    op.drop_table("experiment_phase")
    op.drop_index("ix_experiment_tags", table_name="experiment")
    op.drop_index("ix_experiment_words", table_name="experiment")
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_experiment_{name}"), "experiment")
    for column in (
        "words", "ended_at", "started_at", "outcome", "learnings", "tags", "plan", "version", "state",
    ):  # fmt: skip
        op.drop_column("experiment", column)


def _add_columns() -> None:
    filled = {
        "version": (sa.Integer(), "1"),
        "tags": (JSONB, "'[]'"),
        "learnings": (sa.String(), "''"),
        "words": (postgresql.TSVECTOR(), "''"),
    }
    for name, (kind, default) in filled.items():
        # The default is for the rows there are; new ones say what they hold.
        op.add_column("experiment", sa.Column(name, kind, server_default=sa.text(default), nullable=False))
        op.alter_column("experiment", name, server_default=None)
    op.add_column("experiment", sa.Column("state", sa.String(), nullable=True))
    op.add_column("experiment", sa.Column("plan", sa.JSON(), nullable=True))
    op.add_column("experiment", sa.Column("outcome", sa.String(), nullable=True))
    op.add_column("experiment", sa.Column("started_at", MOMENT, nullable=True))
    op.add_column("experiment", sa.Column("ended_at", MOMENT, nullable=True))
    op.execute(WORDS)
    for name, condition in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_experiment_{name}"), "experiment", condition)
    op.create_index("ix_experiment_words", "experiment", ["words"], postgresql_using="gin")
    op.create_index("ix_experiment_tags", "experiment", ["tags"], postgresql_using="gin")


def _experiment(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["experiment_id"], ["experiment.id"], name=op.f(f"fk_{table}_experiment_id")
    )
