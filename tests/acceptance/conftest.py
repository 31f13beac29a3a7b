"""One gate a module, before one fake provider."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.answers import every_dialect
from tests.houses import Gate, open_gate
from tests.upstreams import FakeProvider, fake_provider


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_provider() -> AsyncIterator[FakeProvider]:
    async with fake_provider(every_dialect) as provider:
        yield provider


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(module_priced_url: str, shared_provider: FakeProvider) -> AsyncIterator[Gate]:
    """Shared by a module's tests: each makes a key of its own."""
    async with open_gate(module_priced_url, shared_provider.url) as gate:
        yield gate
        await gate.at_rest()


@pytest.fixture
def provider(shared_provider: FakeProvider) -> Iterator[FakeProvider]:
    """Answers as usual again after each test, and has forgotten what it was sent."""
    shared_provider.received.clear()
    shared_provider.cut_off = 0
    yield shared_provider
    shared_provider.handler = every_dialect
