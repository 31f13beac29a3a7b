"""Provider-side objects and their owners."""

from alembic import op

revision = "0007_gateway"
down_revision = "0006_usage"

UPGRADE = """
SELECT 1;
"""


def upgrade() -> None:
    op.execute(UPGRADE)
