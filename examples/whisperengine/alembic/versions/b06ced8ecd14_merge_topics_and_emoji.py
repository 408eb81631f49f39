"""Merge the topics branch and the emoji branch

Revision ID: b06ced8ecd14
Revises: 71d0e6c4b8fa, 6c90a2de41b7
Create Date: 2025-10-29 17:20:15
"""

revision = "b06ced8ecd14"
down_revision = ("71d0e6c4b8fa", "6c90a2de41b7")
branch_labels = None
depends_on = None
release = "v1.0.24"


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
