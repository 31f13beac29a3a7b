"""Tenants, API keys, agents."""

from alembic import op

revision = "0002_identity"
down_revision = "0001_house"

UPGRADE = """
SELECT 1;
"""


def upgrade() -> None:
    op.execute(UPGRADE)
