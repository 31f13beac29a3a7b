"""PostgreSQL: the pool, the private server, migrations, and news of changes."""

from aos.infra.postgres.pool import Database, Transaction

__all__ = ["Database", "Transaction"]
