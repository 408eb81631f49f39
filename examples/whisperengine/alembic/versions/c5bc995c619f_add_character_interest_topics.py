"""Add character interest topics

Free-text interests are hard to match against a message; a topic is one keyword with a weight.

Revision ID: c5bc995c619f
Revises: 20251011_baseline_v106
Create Date: 2025-10-14 18:31:05
"""

import sqlalchemy as sa
from alembic import op

revision = "c5bc995c619f"
down_revision = "20251011_baseline_v106"
branch_labels = None
depends_on = None

# The characters that came with earlier releases. Which of them an installation still has, and
# under which id, is its own affair: they are found by name, and whoever is missing is left out.
TOPICS = {
    "assistant": [
        ("problem_solving", "Solving problems step by step", "0.90"),
        ("learning", "Learning new things", "0.80"),
        ("language", "Words and how they are used", "0.60"),
    ],
    "captain_brine": [
        ("seafaring", "Ships, tides and harbours", "0.95"),
        ("old_maps", "Maps with blank corners", "0.70"),
    ],
    "juniper_vale": [
        ("gardening", "What grows, and what refuses to", "0.90"),
        ("folk_tales", "Stories told at the fireside", "0.75"),
    ],
}


def upgrade() -> None:
    op.create_table(
        "character_interest_topics",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("character_id", sa.BigInteger, nullable=False),
        sa.Column("keyword", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("weight", sa.Numeric(3, 2), server_default=sa.text("0.50"), nullable=False),
        sa.Column("origin", sa.Text, server_default=sa.text("'designer'"), nullable=False),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="character_interest_topics_pkey"),
        sa.ForeignKeyConstraint(
            ["character_id"],
            ["characters.id"],
            name="character_interest_topics_character_id_fkey",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("character_id", "keyword", name="character_interest_topics_once"),
        sa.CheckConstraint("weight BETWEEN 0 AND 1", name="character_interest_topics_weight_check"),
        sa.CheckConstraint(
            "origin IN ('designer', 'interests')", name="character_interest_topics_origin_check"
        ),
    )
    insert = sa.text(
        """
        INSERT INTO character_interest_topics (character_id, keyword, label, weight)
        SELECT id, :keyword, :label, CAST(:weight AS numeric)
          FROM characters
         WHERE normalized_name = :character
        ON CONFLICT (character_id, keyword) DO NOTHING
        """
    )
    for character, topics in TOPICS.items():
        for keyword, label, weight in topics:
            op.execute(
                insert.bindparams(character=character, keyword=keyword, label=label, weight=weight)
            )


def downgrade() -> None:
    op.drop_table("character_interest_topics")
