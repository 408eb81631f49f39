"""Make topics out of the interests that characters already have

Data only: the structure is the same before and after.

Revision ID: e3a7749b02d5
Revises: 5f2c8d1e7a90
Create Date: 2025-10-19 20:02:47
"""

from alembic import op

revision = "e3a7749b02d5"
down_revision = "5f2c8d1e7a90"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        INSERT INTO character_interest_topics (character_id, keyword, label, weight, origin)
        SELECT character_id, public.normalise_name(interest), interest, passion / 10.0, 'interests'
          FROM character_interests
         WHERE public.normalise_name(interest) <> ''
         ORDER BY id
        ON CONFLICT (character_id, keyword) DO NOTHING
        """
    )


def downgrade() -> None:
    op.execute("DELETE FROM character_interest_topics WHERE origin = 'interests'")
