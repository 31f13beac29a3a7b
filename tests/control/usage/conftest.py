from collections.abc import AsyncIterator

import pytest

from aos.control import ControlServices
from aos.infra.postgres import Database
from aos.infra.settings import LeaseSettings
from aos.ledger import Lease
from tests.control.rooms import Till, real_services


@pytest.fixture
async def services(database: Database) -> AsyncIterator[ControlServices]:
    lease = Lease(database, LeaseSettings())
    await lease.start()
    yield await real_services(database, lease)
    await lease.stop()


@pytest.fixture
def till(services: ControlServices) -> Till:
    return Till(services)
