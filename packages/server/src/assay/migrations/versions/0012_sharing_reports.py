"""what a report is about, links that share it, and effects for the archive."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("report", sa.Column("subject", sa.JSON(), nullable=True))
    op.create_table(
        "share_link",
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["report_id"], ["report.id"], name=op.f("fk_share_link_report_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_link")),
        sa.UniqueConstraint("digest", name=op.f("uq_share_link_digest")),
    )
    op.create_index("ix_share_link_report_id_id", "share_link", ["report_id", "id"])
    op.create_table(
        "past_effect",
        sa.Column("experiment_id", sa.Uuid(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("finding", sa.String(), nullable=False),
        *(sa.Column(name, sa.Float(), nullable=True) for name in ("lift", "low", "high", "error")),
        sa.Column("level", sa.Float(), nullable=False),
        sa.Column("computed_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiment.id"],
            name=op.f("fk_past_effect_experiment_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_past_effect_project_id")),
        sa.PrimaryKeyConstraint("experiment_id", "metric", "arm", name=op.f("pk_past_effect")),
    )
    op.create_index("ix_past_effect_project_id_metric", "past_effect", ["project_id", "metric"])


def downgrade() -> None:
    op.drop_index("ix_past_effect_project_id_metric", table_name="past_effect")
    op.drop_table("past_effect")
    op.drop_index("ix_share_link_report_id_id", table_name="share_link")
    op.drop_table("share_link")
    op.drop_column("report", "subject")
