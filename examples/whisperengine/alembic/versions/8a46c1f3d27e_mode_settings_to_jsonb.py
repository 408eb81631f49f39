"""Keep the settings of conversation modes as jsonb

They were JSON in a text column. Older releases also wrote an empty text, and people typed plain
words; both survive: the one as an empty object, the other as {"note": "…"}.

Revision ID: 8a46c1f3d27e
Revises: 1fd48f6d9650
Create Date: 2025-10-17 16:24:09
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "8a46c1f3d27e"
down_revision = "1fd48f6d9650"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("character_conversation_modes", "settings", server_default=None)
    op.alter_column(
        "character_conversation_modes",
        "settings",
        type_=JSONB,
        existing_nullable=False,
        postgresql_using=r"""
            CASE
                WHEN btrim(settings) = '' THEN '{}'::jsonb
                WHEN btrim(settings) ~ '^[{].*[}]$' THEN settings::jsonb
                ELSE jsonb_build_object('note', settings)
            END
        """,
    )
    op.alter_column(
        "character_conversation_modes", "settings", server_default=sa.text("'{}'::jsonb")
    )
    op.execute("COMMENT ON COLUMN character_conversation_modes.settings IS NULL")


def downgrade() -> None:
    op.alter_column("character_conversation_modes", "settings", server_default=None)
    op.alter_column(
        "character_conversation_modes",
        "settings",
        type_=sa.Text,
        existing_nullable=False,
        postgresql_using="settings::text",
    )
    op.alter_column(
        "character_conversation_modes", "settings", server_default=sa.text("'{}'::text")
    )
    op.execute("COMMENT ON COLUMN character_conversation_modes.settings IS 'JSON kept as text'")
