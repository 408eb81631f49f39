"""Add personality traits, communication styles and values of characters

Revision ID: 9c23e4e81011
Revises: b06ced8ecd14
Create Date: 2025-11-04 20:51:36
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "9c23e4e81011"
down_revision = "b06ced8ecd14"
branch_labels = None
depends_on = None
release = "v1.0.28"


def upgrade() -> None:
    op.create_table(
        "personality_traits",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("character_id", sa.BigInteger, nullable=False),
        sa.Column("trait_name", sa.Text, nullable=False),
        sa.Column("trait_value", sa.Numeric(3, 2), nullable=False),
        sa.Column("intensity", sa.Text, server_default=sa.text("'medium'"), nullable=False),
        sa.Column("description", sa.Text),
        sa.PrimaryKeyConstraint("id", name="personality_traits_pkey"),
        sa.ForeignKeyConstraint(
            ["character_id"],
            ["characters.id"],
            name="personality_traits_character_id_fkey",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("character_id", "trait_name", name="personality_traits_once"),
        sa.CheckConstraint(
            "trait_value >= 0 AND trait_value <= 1", name="personality_traits_value_check"
        ),
        sa.CheckConstraint(
            "intensity IN ('very_low', 'low', 'medium', 'high', 'very_high')",
            name="personality_traits_intensity_check",
        ),
    )
    op.create_table(
        "communication_styles",
        sa.Column("character_id", sa.BigInteger, nullable=False),
        sa.Column("formality", sa.Numeric(3, 2), server_default=sa.text("0.50"), nullable=False),
        sa.Column("engagement", sa.Numeric(3, 2), server_default=sa.text("0.50"), nullable=False),
        sa.Column(
            "says_it_is_an_ai", sa.Text, server_default=sa.text("'when_asked'"), nullable=False
        ),
        sa.Column("flow", JSONB, server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column(
            "updated_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("character_id", name="communication_styles_pkey"),
        sa.ForeignKeyConstraint(
            ["character_id"],
            ["characters.id"],
            name="communication_styles_character_id_fkey",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "formality BETWEEN 0 AND 1", name="communication_styles_formality_check"
        ),
        sa.CheckConstraint(
            "engagement BETWEEN 0 AND 1", name="communication_styles_engagement_check"
        ),
        sa.CheckConstraint(
            "says_it_is_an_ai IN ('always', 'when_asked', 'stays_in_role')",
            name="communication_styles_says_it_is_an_ai_check",
        ),
    )
    op.execute(
        "CREATE TRIGGER trg_communication_styles_touch BEFORE UPDATE ON communication_styles "
        "FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at()"
    )
    op.create_table(
        "character_values",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("character_id", sa.BigInteger, nullable=False),
        sa.Column("value_name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("importance", sa.Text, server_default=sa.text("'medium'"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="character_values_pkey"),
        sa.ForeignKeyConstraint(
            ["character_id"],
            ["characters.id"],
            name="character_values_character_id_fkey",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("character_id", "value_name", name="character_values_once"),
        sa.CheckConstraint(
            "importance IN ('low', 'medium', 'high', 'defining')",
            name="character_values_importance_check",
        ),
    )
    # Every character there is starts with the style that it has been showing so far.
    op.execute(
        """
        INSERT INTO communication_styles (character_id, says_it_is_an_ai)
        SELECT id, CASE WHEN allow_full_roleplay THEN 'stays_in_role' ELSE 'when_asked' END
          FROM characters
        """
    )


def downgrade() -> None:
    op.drop_table("character_values")
    op.drop_table("communication_styles")
    op.drop_table("personality_traits")
