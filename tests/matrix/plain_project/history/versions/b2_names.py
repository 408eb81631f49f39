"""Names, with a backfill."""

import sqlalchemy as sa
from alembic import op

import surefoot.guards  # noqa: F401 (it adds to op)

revision = "b2"
down_revision = "a1"


def upgrade():
    op.require_columns("accounts", ["email"])
    op.add_column("accounts", sa.Column("name", sa.Text))
    accounts = sa.table("accounts", sa.column("name"), sa.column("email"))
    op.execute(accounts.update().values(name=accounts.c.email))
    op.alter_column("accounts", "name", nullable=False)


def downgrade():
    op.drop_column("accounts", "name")
