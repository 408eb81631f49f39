"""Say what the emoji settings mean, and take over what is known already

A character whose response style says "no emoji" gets emoji_frequency = 'never', unless somebody
has chosen another value in the meantime. Comments and data only: no column changes.

Revision ID: 2be8f05c9d61
Revises: d94b70ae15c2
Create Date: 2025-10-24 19:06:21
"""

from alembic import op

revision = "2be8f05c9d61"
down_revision = "d94b70ae15c2"
branch_labels = None
depends_on = None

COMMENTS = {
    "emoji_frequency": "How often an answer carries an emoji at all",
    "emoji_style": "Which family of emoji suits the character",
    "emoji_combination": "Whether emoji stand with text, alone or in clusters",
    "emoji_placement": "Where in an answer emoji may stand",
    "emoji_age_demographic": "Whose habits with emoji the character shares",
    "emoji_cultural_influence": "Where the character''s habits with emoji come from",
}


def upgrade() -> None:
    for column, comment in COMMENTS.items():
        op.execute(f"COMMENT ON COLUMN characters.{column} IS '{comment}'")
    op.execute(
        """
        UPDATE characters c
           SET emoji_frequency = 'never'
          FROM character_response_styles s
         WHERE s.character_id = c.id
           AND NOT s.uses_emoji
           AND c.emoji_frequency = 'moderate'
        """
    )


def downgrade() -> None:
    # The values stay: which of them were chosen by hand can't be told any more.
    for column in COMMENTS:
        op.execute(f"COMMENT ON COLUMN characters.{column} IS NULL")
