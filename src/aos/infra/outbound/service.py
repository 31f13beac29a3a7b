"""An aiohttp connector that asks the rules. Every outbound call of the product goes through one.

aiohttp looks up names but not addresses written in a URL, so the resolver alone is no guard: the
last word has the socket factory, which sees the very address that is about to be connected to. It
is asked again for each connection, so a redirect, were one followed, is checked like a first call.
"""

import socket
from typing import Any

import aiohttp
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from aos.infra.errors import OutboundRefused
from aos.infra.outbound.rules import OutboundPolicy, check_address, check_host

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]

_log = structlog.get_logger(__name__)


def guarded_connector(policy: OutboundPolicy, **settings: Any) -> aiohttp.TCPConnector:
    """Inside a running loop. `settings` are TCPConnector's own.

    A refused call raises OutboundRefused or ExternalCallsDisabled, and is logged: nothing was sent.
    """
    guard = _Guard(policy)
    return aiohttp.TCPConnector(resolver=guard, socket_factory=guard.socket, **settings)


class _Guard(AbstractResolver):
    """Looks names up, refuses what the policy does, and opens sockets to the rest."""

    def __init__(self, policy: OutboundPolicy) -> None:
        self._policy = policy
        self._resolver = DefaultResolver()
        self._trusted_addresses: set[tuple[str, int]] = set(policy.trusted)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """A name with one forbidden address is refused whole: an honest one has none."""
        trusted = (host, port) in self._policy.trusted
        try:
            check_host(host, port, self._policy)
            found = await self._resolver.resolve(host, port, family)
            for address in found:
                check_address(address["host"], port, self._policy, trusted=trusted)
        except OutboundRefused as refused:
            _log.error("outbound_refused", host=host, port=port, reason=refused.message)
            raise
        if trusted:
            self._trusted_addresses.update((address["host"], port) for address in found)
        return found

    def socket(self, info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, place = info
        host, port = place[0], place[1]
        try:
            check_address(host, port, self._policy, trusted=(host, port) in self._trusted_addresses)
        except OutboundRefused as refused:
            _log.error("outbound_refused", host=host, port=port, reason=refused.message)
            raise
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        await self._resolver.close()
