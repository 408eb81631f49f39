"""Give the assistant its five personality traits

Data only. The assistant is found by its normalized_name: its id is 1 on one installation and 17 on
the next. Traits that are there already stay as they are, and where there is no assistant there is
nothing to do.

Revision ID: c64001afbd46
Revises: 9c23e4e81011
Create Date: 2025-11-06 09:33:02
"""

import sqlalchemy as sa
from alembic import op

import surefoot.guards  # noqa: F401  (gives op its require_…)

revision = "c64001afbd46"
down_revision = "9c23e4e81011"
branch_labels = None
depends_on = None

TRAITS = [
    ("openness", "0.80", "high", "Curious about whatever comes up"),
    ("conscientiousness", "0.90", "very_high", "Finishes what it begins, and checks it"),
    ("extraversion", "0.60", "medium", "Glad to talk, and glad to listen"),
    ("agreeableness", "0.85", "high", "Kind, without agreeing to everything"),
    ("neuroticism", "0.20", "low", "Stays calm when others can't"),
]


def upgrade() -> None:
    op.require_columns("personality_traits", ["character_id", "trait_name", "trait_value"])
    op.require_unique("personality_traits", ["character_id", "trait_name"])  # for ON CONFLICT
    insert = sa.text(
        """
        INSERT INTO personality_traits
               (character_id, trait_name, trait_value, intensity, description)
        SELECT id, :name, CAST(:value AS numeric), :intensity, :description
          FROM characters
         WHERE normalized_name = 'assistant'
        ON CONFLICT (character_id, trait_name) DO NOTHING
        """
    )
    for name, value, intensity, description in TRAITS:
        op.execute(
            insert.bindparams(name=name, value=value, intensity=intensity, description=description)
        )


def downgrade() -> None:
    # What somebody has changed since is theirs, and stays. Plain text, without parameters: so an
    # older image can take it back as well, which doesn't have this file.
    op.execute(
        """
        DELETE FROM personality_traits t
         USING characters c
         WHERE c.id = t.character_id
           AND c.normalized_name = 'assistant'
           AND (t.trait_name, t.trait_value, t.intensity, t.description) IN (
               ('openness', 0.80, 'high', 'Curious about whatever comes up'),
               ('conscientiousness', 0.90, 'very_high', 'Finishes what it begins, and checks it'),
               ('extraversion', 0.60, 'medium', 'Glad to talk, and glad to listen'),
               ('agreeableness', 0.85, 'high', 'Kind, without agreeing to everything'),
               ('neuroticism', 0.20, 'low', 'Stays calm when others can''t')
           )
        """
    )
