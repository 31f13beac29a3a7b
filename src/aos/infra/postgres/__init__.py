"""PostgreSQL: the pool, the private server, migrations, and news of changes."""

from aos.infra.postgres.changes import Changes
from aos.infra.postgres.jobs import Housekeeper
from aos.infra.postgres.locks import HomeLock
from aos.infra.postgres.place import make_home
from aos.infra.postgres.pool import Database, Transaction
from aos.infra.postgres.server import PrivateServer

__all__ = [
    "Changes",
    "Database",
    "HomeLock",
    "Housekeeper",
    "PrivateServer",
    "Transaction",
    "make_home",
]
