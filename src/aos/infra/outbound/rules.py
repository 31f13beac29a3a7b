"""Which addresses may be connected to. Pure."""

from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from typing import Final
from urllib.parse import urlsplit

from aos.infra.errors import ExternalCallsDisabled, InvalidUpstreamUrl, OutboundRefused

Address = IPv4Address | IPv6Address

# What a cloud answers its own machines, outside the link-local range that most use.
_METADATA: Final = frozenset(
    ip_address(text)
    for text in (
        "fd00:ec2::254",  # AWS
        "fd20:ce::254",  # Google
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle
        "168.63.129.16",  # Azure
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
_THIS_HOST: Final = IPv4Network("0.0.0.0/8")


@dataclass(frozen=True, slots=True)
class OutboundPolicy:
    """`external`: False is DISABLE_EXTERNAL_CALLS. `private`: whether URLs that a user names may
    lead to loopback and private networks. `trusted`: (host, port) of base URLs that the operator
    set in the environment, which may lead anywhere.
    """

    external: bool = True
    private: bool = True
    trusted: frozenset[tuple[str, int]] = frozenset()


def trust(*urls: str) -> frozenset[tuple[str, int]]:
    """The places that these base URLs name, for `OutboundPolicy.trusted`."""
    return frozenset(_place(url) for url in urls)


def check_url(url: str, policy: OutboundPolicy) -> None:
    """What can be said of a URL before it is used; a name's addresses are checked when it is.

    Raises InvalidUpstreamUrl, OutboundRefused, ExternalCallsDisabled.
    """
    host, port = _place(url)
    check_host(host, port, policy)
    if _literal(host) is not None:
        check_address(host, port, policy, trusted=(host, port) in policy.trusted)


def check_host(host: str, port: int, policy: OutboundPolicy) -> None:
    """Before a name is even looked up: that is a call to the outside too."""
    if policy.external:
        return
    literal = _literal(host)
    loopback = _is_local_name(host) if literal is None else literal.is_loopback
    if not loopback:
        raise ExternalCallsDisabled(
            f"DISABLE_EXTERNAL_CALLS is set: {host}:{port} was not called", host=host
        )


def check_address(host: str, port: int, policy: OutboundPolicy, *, trusted: bool = False) -> None:
    """An address, as text, about to be connected to. Raises as `check_url`."""
    address = _literal(host)
    if address is None:
        raise OutboundRefused(f"{host} is not an address", host=host)
    if not policy.external and not address.is_loopback:
        raise ExternalCallsDisabled(
            f"DISABLE_EXTERNAL_CALLS is set: {host}:{port} was not called", host=host
        )
    if trusted:
        return
    if _is_never_for_users(address):
        raise OutboundRefused(
            f"{host} is not a place that may be called: it belongs to this machine or its cloud",
            host=host,
        )
    if not policy.private and not address.is_global:
        raise OutboundRefused(
            f"{host} is a private address. Set AOS_PRIVATE_UPSTREAMS=allow if that is meant",
            host=host,
        )


def _place(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidUpstreamUrl(f"{url!r} is not a URL: {error}") from None
    if parts.scheme not in {"http", "https"}:
        raise InvalidUpstreamUrl(f"{url!r} must begin with http:// or https://")
    if not host or parts.username is not None:
        raise InvalidUpstreamUrl("an upstream's URL names a host, and no user or password")
    return host, port or (443 if parts.scheme == "https" else 80)


def _literal(host: str) -> Address | None:
    """The address that the text is, seen through the ways to write an IPv4 address as IPv6."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address.teredo is not None:
            inner = address.teredo[1]
        if inner is None and address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        return inner or address
    return address


def _is_never_for_users(address: Address) -> bool:
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address in _METADATA
        or (address.is_reserved and not address.is_loopback)
        or (isinstance(address, IPv4Address) and address in _THIS_HOST)
    )


def _is_local_name(host: str) -> bool:
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost")
