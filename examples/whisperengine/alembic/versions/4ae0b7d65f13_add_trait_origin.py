"""Record where a personality trait came from

Revision ID: 4ae0b7d65f13
Revises: c64001afbd46
Create Date: 2025-11-10 18:14:44
"""

import sqlalchemy as sa
from alembic import op

revision = "4ae0b7d65f13"
down_revision = "c64001afbd46"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "personality_traits",
        sa.Column("origin", sa.Text, server_default=sa.text("'designer'"), nullable=False),
    )
    op.create_check_constraint(
        "personality_traits_origin_check",
        "personality_traits",
        "origin IN ('designer', 'learned', 'imported')",
    )
    op.create_index(
        "ix_personality_traits_learned",
        "personality_traits",
        ["character_id"],
        postgresql_where=sa.text("origin = 'learned'"),
    )


def downgrade() -> None:
    op.drop_index("ix_personality_traits_learned", "personality_traits")
    op.drop_constraint("personality_traits_origin_check", "personality_traits", type_="check")
    op.drop_column("personality_traits", "origin")
