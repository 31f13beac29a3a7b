"""What both planes of a process stand on."""

from dataclasses import dataclass

from aos.budgets import Admission, Budgets
from aos.catalog import Catalog
from aos.gateway.directory.service import Directory
from aos.identity import Authenticator
from aos.infra.postgres import Changes, Database
from aos.infra.settings import Settings
from aos.kit.clock import Clock
from aos.ledger import Lease, Ledger
from aos.providers import Registry


@dataclass(frozen=True)
class Core:
    """The services that the data path and the control plane share."""

    settings: Settings
    clock: Clock
    database: Database
    changes: Changes
    lease: Lease
    ledger: Ledger
    authenticator: Authenticator
    catalog: Catalog
    directory: Directory
    budgets: Budgets
    admission: Admission
    registry: Registry
