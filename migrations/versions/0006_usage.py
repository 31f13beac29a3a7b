"""Calls, attempts, outbox, llm_costs."""

from alembic import op

revision = "0006_usage"
down_revision = "0005_budgets"

UPGRADE = """
SELECT 1;
"""


def upgrade() -> None:
    op.execute(UPGRADE)
