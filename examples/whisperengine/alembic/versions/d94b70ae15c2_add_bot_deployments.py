"""Add bot deployments

One row for each running bot process: which character it plays and which image it runs.

Revision ID: d94b70ae15c2
Revises: 8a46c1f3d27e
Create Date: 2025-10-20 08:45:30
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ENUM, JSONB

revision = "d94b70ae15c2"
down_revision = "8a46c1f3d27e"
branch_labels = None
depends_on = None

state = ENUM("planned", "running", "stopped", "crashed", name="deployment_state")


def upgrade() -> None:
    state.create(op.get_bind())
    op.create_table(
        "bot_deployments",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("character_id", sa.BigInteger, nullable=False),
        sa.Column("instance_name", sa.Text, nullable=False),
        sa.Column("image_tag", sa.Text, nullable=False),
        sa.Column("health_port", sa.Integer),
        sa.Column(
            "state",
            ENUM(name="deployment_state", create_type=False),
            server_default=sa.text("'planned'"),
            nullable=False,
        ),
        sa.Column("is_primary", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("environment", JSONB, server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("started_at", sa.TIMESTAMP(timezone=True)),
        sa.Column(
            "updated_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="bot_deployments_pkey"),
        sa.ForeignKeyConstraint(
            ["character_id"],
            ["characters.id"],
            name="bot_deployments_character_id_fkey",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("instance_name", name="bot_deployments_instance_name_key"),
        sa.CheckConstraint(
            "health_port BETWEEN 1 AND 65535", name="bot_deployments_health_port_check"
        ),
    )
    op.create_index("ix_bot_deployments_character", "bot_deployments", ["character_id"])
    op.execute(
        "CREATE TRIGGER trg_bot_deployments_touch BEFORE UPDATE ON bot_deployments "
        "FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at()"
    )


def downgrade() -> None:
    op.drop_table("bot_deployments")
    state.drop(op.get_bind())
