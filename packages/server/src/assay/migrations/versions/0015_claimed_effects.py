"""the interval that was claimed beside the plain one of past effects."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

CLAIMED = ("claimed_lift", "claimed_low", "claimed_high")


def upgrade() -> None:
    op.add_column("past_effect", sa.Column("method", sa.String(), nullable=True))
    for name in CLAIMED:
        op.add_column("past_effect", sa.Column(name, sa.Float(), nullable=True))


def downgrade() -> None:
    for name in ("method", *CLAIMED):
        op.drop_column("past_effect", name)
