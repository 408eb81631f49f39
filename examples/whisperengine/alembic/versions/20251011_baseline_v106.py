"""The structure of v1.0.6, as sql/00_init.sql makes it

A new database starts from that file and is then stamped with this revision, so there is nothing
to run here. Replaying it would hide that the file was never loaded.

Revision ID: 20251011_baseline_v106
Revises:
Create Date: 2025-10-11 09:12:40
"""

revision = "20251011_baseline_v106"
down_revision = None
branch_labels = None
depends_on = None
release = "v1.0.6"


def upgrade() -> None:
    raise RuntimeError(
        "a new database starts from sql/00_init.sql: load that file and stamp "
        f"{revision}, or run 'surefoot up', which does both"
    )


def downgrade() -> None:
    pass  # below the baseline there is no structure of ours to go back to; the tables stay
