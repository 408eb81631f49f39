"""Allow one primary deployment for each character

Where there are several, the one that was started last stays the primary.

Revision ID: 0d5e92b7c386
Revises: f7319c28e0b4
Create Date: 2025-11-15 12:27:08
"""

import sqlalchemy as sa
from alembic import op

revision = "0d5e92b7c386"
down_revision = "f7319c28e0b4"
branch_labels = None
depends_on = None
release = "v1.0.30"


def upgrade() -> None:
    op.execute(
        """
        UPDATE bot_deployments
           SET is_primary = false
         WHERE is_primary
           AND id NOT IN (
               SELECT DISTINCT ON (character_id) id
                 FROM bot_deployments
                WHERE is_primary
                ORDER BY character_id, started_at DESC NULLS LAST, id DESC
           )
        """
    )
    op.create_index(
        "ux_bot_deployments_primary",
        "bot_deployments",
        ["character_id"],
        unique=True,
        postgresql_where=sa.text("is_primary"),
    )


def downgrade() -> None:
    op.drop_index("ux_bot_deployments_primary", "bot_deployments")
