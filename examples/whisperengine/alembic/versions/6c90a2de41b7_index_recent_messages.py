"""Index the recent messages of a conversation

Revision ID: 6c90a2de41b7
Revises: 2be8f05c9d61
Create Date: 2025-10-27 06:38:54
"""

import sqlalchemy as sa
from alembic import op

revision = "6c90a2de41b7"
down_revision = "2be8f05c9d61"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_messages_recent",
        "messages",
        ["conversation_id", sa.text("sent_at DESC")],
        postgresql_include=["author"],
    )


def downgrade() -> None:
    op.drop_index("ix_messages_recent", "messages")
