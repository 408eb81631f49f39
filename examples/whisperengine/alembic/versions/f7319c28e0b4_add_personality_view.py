"""Add a view of each character's personality

Revision ID: f7319c28e0b4
Revises: 4ae0b7d65f13
Create Date: 2025-11-12 21:48:19
"""

from alembic import op

revision = "f7319c28e0b4"
down_revision = "4ae0b7d65f13"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE VIEW character_personalities AS
        SELECT c.normalized_name,
               c.name,
               count(t.id) AS traits,
               jsonb_object_agg(t.trait_name, t.trait_value)
                   FILTER (WHERE t.id IS NOT NULL) AS trait_values
          FROM characters c
          LEFT JOIN personality_traits t ON t.character_id = c.id
         GROUP BY c.normalized_name, c.name
        """
    )


def downgrade() -> None:
    op.execute("DROP VIEW character_personalities")
