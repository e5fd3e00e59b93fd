"""Add other names for a pool's models, and the model that answered"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("pools", sa.Column("model_aliases", JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False))
    op.add_column("requests", sa.Column("served_model", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("requests", "served_model")
    op.drop_column("pools", "model_aliases")
