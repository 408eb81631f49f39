"""Index interest topics by keyword and by label

Revision ID: 5f2c8d1e7a90
Revises: c5bc995c619f
Create Date: 2025-10-16 07:55:12
"""

import sqlalchemy as sa
from alembic import op

revision = "5f2c8d1e7a90"
down_revision = "c5bc995c619f"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_character_interest_topics_keyword",
        "character_interest_topics",
        ["keyword", sa.text("weight DESC")],
    )
    op.create_index(
        "ix_character_interest_topics_label",
        "character_interest_topics",
        [sa.text("lower(label)")],
        postgresql_where=sa.text("weight >= 0.5"),
    )


def downgrade() -> None:
    op.drop_index("ix_character_interest_topics_label", "character_interest_topics")
    op.drop_index("ix_character_interest_topics_keyword", "character_interest_topics")
