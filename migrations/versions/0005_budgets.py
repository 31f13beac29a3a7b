"""Budget definitions."""

from alembic import op

revision = "0005_budgets"
down_revision = "0004_ledger"

UPGRADE = """
SELECT 1;
"""


def upgrade() -> None:
    op.execute(UPGRADE)
