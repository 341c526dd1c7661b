"""the buffer of events with its key alone, and JSON as the text it came as."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

DOCUMENTS = ("units", "properties")


def upgrade() -> None:
    op.drop_index("ix_event_environment_id_kind_name", "event")
    for column in DOCUMENTS:
        op.alter_column("event", column, type_=sa.String(), postgresql_using=f"{column}::text")


def downgrade() -> None:
    for column in DOCUMENTS:
        op.alter_column("event", column, type_=postgresql.JSONB(), postgresql_using=f"{column}::jsonb")
    op.create_index("ix_event_environment_id_kind_name", "event", ["environment_id", "kind", "name"])
