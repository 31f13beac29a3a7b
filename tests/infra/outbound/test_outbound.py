"""The guard, with a real server on loopback and a resolver that lies."""

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from aos.infra.errors import ExternalCallsDisabled, InvalidUpstreamUrl, OutboundRefused
from aos.infra.outbound import OutboundPolicy, check_url, guarded_connector, trust

DEVELOPMENT = OutboundPolicy()
PRODUCTION = OutboundPolicy(private=False)
DISABLED = OutboundPolicy(external=False)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[fe80::1]",
        "[fe80::1%25eth0]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "0.0.0.0",
        "0.1.2.3",
        "[::]",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::169.254.169.254]",
        "[2002:a9fe:a9fe::1]",
        "224.0.0.1",
        "255.255.255.255",
        "[ff02::1]",
        "[::127.0.0.1]",
    ],
)
def test_some_places_are_never_for_a_url_that_a_user_names(host: str) -> None:
    for policy in (DEVELOPMENT, PRODUCTION):
        with pytest.raises(OutboundRefused):
            check_url(f"http://{host}/v1", policy)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.9.10",
        "[::1]",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "[fc00::1]",
        "[::ffff:10.0.0.1]",
        "[::ffff:127.0.0.1]",
    ],
)
def test_private_places_are_a_setting(host: str) -> None:
    check_url(f"http://{host}:8080/v1", DEVELOPMENT)
    with pytest.raises(OutboundRefused, match="AOS_PRIVATE_UPSTREAMS"):
        check_url(f"http://{host}:8080/v1", PRODUCTION)
    check_url(
        f"http://{host}:8080/v1",
        OutboundPolicy(private=False, trusted=trust(f"http://{host}:8080/x")),
    )


def test_public_places_are_open_unless_external_calls_are_disabled() -> None:
    for url in ("https://93.184.215.14/v1", "https://[2606:2800::1]/", "https://api.example.com"):
        check_url(url, DEVELOPMENT)
        check_url(url, PRODUCTION)
        with pytest.raises(ExternalCallsDisabled, match="DISABLE_EXTERNAL_CALLS"):
            check_url(url, DISABLED)
        with pytest.raises(ExternalCallsDisabled):
            check_url(url, OutboundPolicy(external=False, trusted=trust(url)))
    for url in (
        "http://127.0.0.1:1",
        "http://[::1]",
        "http://localhost:8000",
        "http://a.localhost",
    ):
        check_url(url, DISABLED)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com",
        "example.com",
        "http://",
        "http://u:p@example.com",
        "http://[::1",
        "file:///etc",
        "http://h:99999",
    ],
)
def test_what_is_no_upstreams_url_is_named(url: str) -> None:
    with pytest.raises(InvalidUpstreamUrl):
        check_url(url, DEVELOPMENT)


class Names(AbstractResolver):
    """A name server of our own: a list of answers a name, one after another."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        lists = self.answers[host.partition(".")[0]]
        addresses = lists.pop(0) if len(lists) > 1 else lists[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server on loopback that answers, and redirects to the cloud's metadata."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/away":
            raise web.HTTPFound("http://169.254.169.254/latest/meta-data")
        return web.Response(text="reached")

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield int(runner.addresses[0][1])
    await runner.cleanup()


async def fetch(url: str, policy: OutboundPolicy, names: Names | None = None) -> str:
    connector = guarded_connector(policy)
    if names is not None:
        connector._resolver._resolver = names  # type: ignore[attr-defined]
    async with (
        asyncio.timeout(5),
        aiohttp.ClientSession(connector=connector) as session,
        session.get(url) as response,
    ):
        return await response.text()


async def test_loopback_is_reached_where_it_is_allowed(port: int) -> None:
    assert await fetch(f"http://127.0.0.1:{port}/", DEVELOPMENT) == "reached"
    assert await fetch(f"http://127.0.0.1:{port}/", DISABLED) == "reached"
    assert await fetch(f"http://localhost:{port}/", DISABLED) == "reached"
    trusting = OutboundPolicy(private=False, trusted=trust(f"http://127.0.0.1:{port}"))
    assert await fetch(f"http://127.0.0.1:{port}/", trusting) == "reached"
    with pytest.raises(OutboundRefused):
        await fetch(f"http://127.0.0.1:{port}/", PRODUCTION)


async def test_a_trusted_name_may_lead_inside_and_another_may_not(port: int) -> None:
    policy = OutboundPolicy(private=False, trusted=trust(f"http://vllm.internal:{port}/v1"))
    names = Names(vllm=[["127.0.0.1"]], other=[["127.0.0.2"]])
    assert await fetch(f"http://vllm.internal:{port}/", policy, names) == "reached"
    with pytest.raises(OutboundRefused):
        await fetch(f"http://other.internal:{port}/", policy, names)


async def test_a_name_with_one_forbidden_address_is_refused_whole(port: int) -> None:
    names = Names(both=[["93.184.215.14", "169.254.169.254"]])
    with pytest.raises(OutboundRefused):
        await fetch(f"http://both.example:{port}/", DEVELOPMENT, names)


async def test_a_name_that_changes_its_mind_is_checked_where_it_is_used(port: int) -> None:
    """DNS rebinding: clean when asked first, inside when connected to."""
    connector = guarded_connector(PRODUCTION, use_dns_cache=False, force_close=True)
    names = Names(rebind=[["93.184.215.14"], ["127.0.0.1"]])
    connector._resolver._resolver = names  # type: ignore[attr-defined]
    await connector._resolver.resolve("rebind.example", port)
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(OutboundRefused):
            await session.get(f"http://rebind.example:{port}/")
    assert len(names.asked) == 2


async def test_ways_to_write_loopback_lead_nowhere_else(port: int) -> None:
    for host in ("2130706433", "0177.0.0.1", "127.1", "0x7f.1", "0x7f000001", "[::ffff:127.0.0.1]"):
        with pytest.raises((OutboundRefused, aiohttp.InvalidURL)):
            await fetch(f"http://{host}:{port}/", PRODUCTION)


async def test_a_redirect_that_is_followed_is_checked_too(port: int) -> None:
    with pytest.raises(OutboundRefused):
        await fetch(f"http://127.0.0.1:{port}/away", DEVELOPMENT)


async def test_disabled_calls_do_not_even_ask_for_names(port: int) -> None:
    names = Names(api=[["93.184.215.14"]])
    with pytest.raises(ExternalCallsDisabled):
        await fetch("http://api.example.com/", DISABLED, names)
    with pytest.raises(ExternalCallsDisabled):
        await fetch("http://93.184.215.14/", DISABLED, names)
    assert names.asked == []
