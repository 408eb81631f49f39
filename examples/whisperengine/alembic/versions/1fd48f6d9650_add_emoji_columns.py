"""Add emoji settings to characters

Revision ID: 1fd48f6d9650
Revises: 20251011_baseline_v106
Create Date: 2025-10-13 21:17:58
"""

import sqlalchemy as sa
from alembic import op

revision = "1fd48f6d9650"
down_revision = "20251011_baseline_v106"
branch_labels = None
depends_on = None

# column, default, allowed values
SETTINGS = [
    ("emoji_frequency", "moderate", ["never", "rare", "moderate", "frequent", "constant"]),
    ("emoji_style", "mixed", ["mixed", "warm", "playful", "mystical", "technical"]),
    ("emoji_combination", "with_text", ["with_text", "emoji_only", "clusters", "none"]),
    ("emoji_placement", "end", ["start", "end", "inline", "anywhere"]),
    ("emoji_age_demographic", "any", ["any", "teen", "adult", "elder"]),
    ("emoji_cultural_influence", "neutral", ["neutral", "regional", "historic", "fandom"]),
]


def upgrade() -> None:
    for column, default, allowed in SETTINGS:
        op.add_column(
            "characters",
            sa.Column(column, sa.Text, server_default=sa.text(f"'{default}'"), nullable=False),
        )
        values = ", ".join(f"'{value}'" for value in allowed)
        op.create_check_constraint(
            f"characters_{column}_check", "characters", f"{column} IN ({values})"
        )


def downgrade() -> None:
    for column, _, _ in reversed(SETTINGS):
        op.drop_constraint(f"characters_{column}_check", "characters", type_="check")
        op.drop_column("characters", column)
