"""Providers, models, versioned prices."""

from alembic import op

revision = "0003_catalog"
down_revision = "0002_identity"

UPGRADE = """
SELECT 1;
"""


def upgrade() -> None:
    op.execute(UPGRADE)
