"""owners, tags, margins and sources of metrics."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("metric", sa.Column("margin", postgresql.JSONB(), nullable=True))
    op.add_column("metric", sa.Column("owner", sa.String(), server_default="", nullable=False))
    op.add_column("metric", sa.Column("tags", postgresql.JSONB(), server_default="[]", nullable=False))
    op.add_column("metric", sa.Column("source", sa.String(), nullable=True))
    # The application says what a new metric has; the defaults were for those there are.
    op.alter_column("metric", "owner", server_default=None)
    op.alter_column("metric", "tags", server_default=None)
    op.create_index("ix_metric_tags", "metric", ["tags"], postgresql_using="gin")


def downgrade() -> None:
    op.drop_index("ix_metric_tags", table_name="metric")
    op.drop_column("metric", "source")
    op.drop_column("metric", "tags")
    op.drop_column("metric", "owner")
    op.drop_column("metric", "margin")
