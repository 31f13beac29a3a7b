"""Which headers pass, in both directions. Names are lower case on both sides."""

from collections.abc import Iterable, Mapping
from typing import Final

_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
    }
)
_OURS_TO_SAY: Final = frozenset({"host", "content-length", "content-encoding", "accept-encoding"})
_CREDENTIALS: Final = frozenset(
    {"authorization", "api-key", "x-api-key", "x-goog-api-key", "x-tenant-id", "cookie"}
)
_ABOUT_THE_CALLER: Final = frozenset({"forwarded", "via", "origin", "referer", "x-real-ip"})
_DROPPED: Final = _HOP_BY_HOP | _OURS_TO_SAY | _CREDENTIALS | _ABOUT_THE_CALLER
_DROPPED_PREFIXES: Final = ("x-aos-", "x-forwarded-", "cf-", "sec-")
_RELAYED: Final = frozenset(
    {
        b"content-type",
        b"retry-after",
        b"retry-after-ms",
        b"request-id",
        b"x-request-id",
        b"x-should-retry",
        b"x-aos-stub",
        b"anthropic-organization-id",
    }
)
_RELAYED_PREFIXES: Final = (b"x-ratelimit-", b"anthropic-ratelimit-", b"openai-", b"x-codex-")


def outgoing_headers(headers: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """The caller's headers without its credentials and what is ours to say, then the provider's
    own. What the caller sends for the provider (`anthropic-beta`, `openai-beta`, …) passes.
    """
    sent = {
        name: value
        for name, value in headers.items()
        if name not in _DROPPED and not name.startswith(_DROPPED_PREFIXES)
    }
    # A compressed answer would have to be unpacked to be metered.
    sent["accept-encoding"] = "identity"
    # Clients that forget the type (`curl -d`) mean JSON; nothing else gets this far.
    sent["content-type"] = "application/json"
    sent.update(own)
    return sent


def relayed_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Those of an answer that the caller may see: an allow-list."""
    lowered = ((name.lower(), value) for name, value in headers)
    return [
        (name, value)
        for name, value in lowered
        if name in _RELAYED or name.startswith(_RELAYED_PREFIXES)
    ]
