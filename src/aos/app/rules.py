"""Pure: what the first lines on the terminal say, where calls may go."""

from collections.abc import Mapping
from typing import Final

from aos.identity import AdminKey
from aos.infra.outbound import OutboundPolicy, trust
from aos.infra.settings import Settings
from aos.providers import ProviderConfig, Registry
from aos.routing import Upstream

_EXAMPLE: Final = '{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}'

_LOST_KEY: Final = """\
                  Set AOS_KEY to it. If nobody has it any more: start once with AOS_API_KEY set to
                  a long random text, which then is an admin key too"""


def banner(settings: Settings, port: int, key: AdminKey, registry: Registry) -> str:
    """Address, key, who answers, and one command to try."""
    address = f"http://{_shown_host(settings.server.host)}:{port}"
    names = ", ".join(provider.config.id for provider in registry.configured())
    if registry.is_stub:
        answers = "the built-in stub (no provider has a key: answers are made up, and say so)"
    else:
        answers = names
    told, secret = _told_of(key)
    return "\n".join(
        [
            "",
            f"  AOS listens on  {address}",
            f"  admin key       {told}",
            f"  answers from    {answers}",
            "",
            "  Try it:",
            f"    curl {address}/v1/chat/completions -H 'content-type: application/json' \\",
            f'      -H "authorization: Bearer {secret}" \\',
            f"      -d '{_EXAMPLE}'",
            "",
            "",
        ]
    )


def _told_of(key: AdminKey) -> tuple[str, str]:
    """What is said of the admin key, and how a shell reads it."""
    if key.path is not None:
        shown = f"{key.secret}   (shown once; kept in {key.path})" if key.created else None
        return shown or f"kept in {key.path}", f"$(cat {key.path})"
    if key.secret is not None:
        return "as AOS_API_KEY says", "$AOS_API_KEY"
    return f"made before, and not kept in this home.\n{_LOST_KEY}", "$AOS_KEY"


def _shown_host(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - shown, not bound


def declared_config(upstream: Upstream, environment: Mapping[str, str]) -> ProviderConfig:
    """A declaration with the secret that it names."""
    named = upstream.api_key_env
    return ProviderConfig(
        id=upstream.id,
        kind=upstream.kind,
        base_url=upstream.base_url,
        api_key=environment.get(named) if named else None,
        price_provider=upstream.prices_of,
        own_prices=upstream.prices_of is None,
    )


def outbound_policy(settings: Settings, registry: Registry) -> OutboundPolicy:
    """Where calls may go. What the environment configured is the operator's word, and may lead
    inside; what `aos.yaml` declares may only where AOS_PRIVATE_UPSTREAMS says so.
    """
    configured = (provider.config for provider in registry.configured())
    own = [
        url
        for config in configured
        for url in (config.base_url, config.anthropic_base_url)
        if url is not None and url.startswith("http")
    ]
    return OutboundPolicy(
        external=not settings.server.disable_external_calls,
        private=settings.server.private_upstreams_allowed,
        trusted=trust(*own),
    )
