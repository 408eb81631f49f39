"""Drop the legacy table character_prompt_cache

Nothing has read it since v1.0.4.

The way back loses data: downgrade() makes the table again, with the same structure, but empty.
The cached prompts are gone. They could be rebuilt by v1.0.3 and older only.

Revision ID: 71d0e6c4b8fa
Revises: e3a7749b02d5
Create Date: 2025-10-22 11:40:33
"""

import sqlalchemy as sa
from alembic import op

revision = "71d0e6c4b8fa"
down_revision = "e3a7749b02d5"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("character_prompt_cache")


def downgrade() -> None:
    op.create_table(
        "character_prompt_cache",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("character_id", sa.BigInteger, nullable=False),
        sa.Column("prompt_hash", sa.CHAR(64), nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("hits", sa.Integer, server_default=sa.text("0"), nullable=False),
        sa.Column("built_at", sa.TIMESTAMP, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="character_prompt_cache_pkey"),
        sa.UniqueConstraint("prompt_hash", name="character_prompt_cache_hash_key"),
        sa.ForeignKeyConstraint(
            ["character_id"],
            ["characters.id"],
            name="character_prompt_cache_character_id_fkey",
            ondelete="CASCADE",
        ),
        comment="Prompts built ahead of time. Nothing has read it since v1.0.4",
    )
    op.create_index(
        "ix_character_prompt_cache_built", "character_prompt_cache", ["character_id", "built_at"]
    )
