"""A second base, which depends on the first."""

import sqlalchemy as sa
from alembic import op

revision = "e1"
down_revision = None
depends_on = "b1"


def upgrade():
    op.create_table("rates", sa.Column("code", sa.String(3), primary_key=True))
    op.execute("insert into rates values ('EUR')")


def downgrade():
    op.drop_table("rates")
