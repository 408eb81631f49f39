"""Accounts."""

import sqlalchemy as sa
from alembic import op

revision = "a1"
down_revision = None


def upgrade():
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("email", sa.String(200), nullable=False, unique=True),
        sa.Column("state", sa.Enum("new", "active", name="account_state"), nullable=False),
    )


def downgrade():
    op.drop_table("accounts")
    op.execute("drop type account_state")
