"""An index that no transaction may hold."""

from alembic import op

revision = "d1"
down_revision = "c1"


def upgrade():
    with op.get_context().autocommit_block():
        op.create_index("accounts_name", "accounts", ["name"], postgresql_concurrently=True)


def downgrade():
    op.drop_index("accounts_name", "accounts")
