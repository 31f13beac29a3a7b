"""What a model's name comes down to."""

import pytest

from aos.routing import (
    Alias,
    DeclaredModel,
    Hints,
    InvalidRoute,
    ModelAmbiguous,
    ModelNotAllowed,
    ModelNotFound,
    ProviderNotConfigured,
    Target,
    Upstream,
    UpstreamKind,
    allowed,
    check_allowed,
    resolve,
    resolve_for,
)
from aos.routing.rules import assemble, check_alias, check_upstream

SOLD = {
    "gpt-4o": ("github-copilot", "openai"),
    "claude-sonnet-4-0": ("anthropic", "google"),
    "openai/gpt-4o": ("openrouter",),
    "sonar": ("perplexity",),
}
HINTS = Hints(
    names=lambda: SOLD, variables={"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
)


def providers_of(name: str) -> tuple[str, ...]:
    return SOLD.get(name, ())


def test_a_bare_name_goes_to_its_one_configured_provider() -> None:
    assert resolve("gpt-4o", providers_of, {"openai"}, {}) == (Target("openai", "gpt-4o"),)


def test_a_name_that_two_configured_providers_serve_lists_the_choices() -> None:
    with pytest.raises(ModelAmbiguous) as caught:
        resolve("gpt-4o", providers_of, {"openai", "github-copilot"}, {})
    assert caught.value.details["choices"] == ["github-copilot/gpt-4o", "openai/gpt-4o"]
    assert "openai/gpt-4o" in caught.value.message


def test_provider_slash_model_needs_no_entry_in_the_price_table() -> None:
    assert resolve("openai/gpt-99", providers_of, {"openai"}, {}) == (Target("openai", "gpt-99"),)


def test_a_slash_in_a_models_own_name_is_not_mistaken_for_a_provider() -> None:
    target = resolve("openai/gpt-4o", providers_of, {"openrouter"}, {})
    assert target == (Target("openrouter", "openai/gpt-4o"),)
    both = resolve("openai/gpt-4o", providers_of, {"openrouter", "openai"}, {})
    assert both == (Target("openai", "gpt-4o"),)


def test_an_alias_leads_to_models_in_its_order_and_never_to_itself() -> None:
    aliases = {"gpt-4o": ("gpt-4o", "anthropic/claude-sonnet-4-0")}
    assert resolve("gpt-4o", providers_of, {"openai", "anthropic"}, aliases) == (
        Target("openai", "gpt-4o"),
        Target("anthropic", "claude-sonnet-4-0"),
    )


@pytest.mark.parametrize("name", ["gpt-4o", "openai/gpt-4o"])
def test_a_model_without_credentials_names_the_variable(name: str) -> None:
    with pytest.raises(ProviderNotConfigured) as caught:
        resolve(name, providers_of, {"anthropic"}, {}, HINTS)
    assert caught.value.status == 404
    assert caught.value.details["variables"] == ["OPENAI_API_KEY"]
    assert "OPENAI_API_KEY" in caught.value.message


def test_a_provider_whose_key_we_do_not_read_is_declared_in_the_file() -> None:
    with pytest.raises(ProviderNotConfigured) as caught:
        resolve("sonar", providers_of, {"anthropic"}, {}, HINTS)
    assert "perplexity" in caught.value.message
    assert "aos.yaml" in caught.value.message


def test_an_unknown_model_offers_near_names() -> None:
    with pytest.raises(ModelNotFound) as caught:
        resolve("gpt-4p", providers_of, {"openai"}, {}, HINTS)
    assert caught.value.details["near"] == ["gpt-4o"]


@pytest.mark.parametrize("name", ["/", "openai/", "/gpt-4o", ""])
def test_half_a_name_is_not_found(name: str) -> None:
    with pytest.raises(ModelNotFound):
        resolve(name, providers_of, {"anthropic"}, {}, HINTS)


def test_the_stand_in_answers_for_all_and_says_whose_price_holds() -> None:
    def ask(name: str) -> Target:
        return resolve(name, providers_of, {"stub"}, {}, HINTS, stand_in="stub")[0]

    assert ask("gpt-4o") == Target("stub", "gpt-4o", price_provider="openai")
    assert ask("google/claude-sonnet-4-0") == Target("stub", "claude-sonnet-4-0", "google")
    assert ask("sonar") == Target("stub", "sonar", price_provider="perplexity")
    assert ask("stub/anything") == Target("stub", "anything")
    with pytest.raises(ModelNotFound):
        ask("gpt-4p")


LOCAL = Upstream(
    id="local",
    kind=UpstreamKind.OPENAI_COMPATIBLE,
    base_url="http://127.0.0.1:11434/v1",
    models=(DeclaredModel("llama-3", context_window=8192),),
)
MIRROR = Upstream(
    id="mirror", kind=UpstreamKind.OPENAI, base_url="https://mirror.test/v1", prices_of="openai"
)


def test_a_declared_upstream_serves_its_models_and_keeps_the_stand_in_away() -> None:
    routes = assemble([LOCAL, MIRROR], [Alias("fast", ("llama-3",))])

    def ask(name: str) -> Target:
        return resolve_for(routes, name, providers_of, set(), HINTS, stand_in="stub")[0]

    assert ask("llama-3") == Target("local", "llama-3")
    assert ask("fast") == Target("local", "llama-3")
    assert ask("gpt-4o") == Target("mirror", "gpt-4o")
    with pytest.raises(ProviderNotConfigured):
        ask("claude-sonnet-4-0")
    assert routes.models["local", "llama-3"].context_window == 8192


def test_a_tenant_that_declares_nothing_gets_the_stand_in() -> None:
    routes = assemble([], [Alias("fast", ("gpt-4o",))])
    target = resolve_for(routes, "fast", providers_of, {"stub"}, HINTS, stand_in="stub")
    assert target == (Target("stub", "gpt-4o", "openai"),)


@pytest.mark.parametrize(
    ("patterns", "requested", "may"),
    [
        ((), "gpt-4o", True),
        (("gpt-4o",), "gpt-4o", True),
        (("gpt-*",), "smart", True),
        (("smart",), "smart", True),
        (("openai/*",), "smart", True),
        (("anthropic/*",), "smart", False),
        (("gpt-4",), "smart", False),
        (("sonar", "o*"), "smart", True),
        (("sonar", "claude-*"), "gpt-4o", False),
        (("GPT-4O",), "gpt-4o", False),
    ],
)
def test_a_key_may_use_what_its_patterns_match(
    patterns: tuple[str, ...], requested: str, *, may: bool
) -> None:
    assert allowed(patterns, requested, Target("openai", "gpt-4o")) is may


def test_the_stub_is_judged_by_the_provider_it_stands_in_for() -> None:
    target = Target("stub", "gpt-4o", price_provider="openai")
    assert allowed(("openai/*",), "gpt-4o", target)
    with pytest.raises(ModelNotAllowed):
        check_allowed(("anthropic/*",), "gpt-4o", target)


@pytest.mark.parametrize(
    "variable",
    ["DATABASE_URL", "AOS_API_KEY", "PATH", "openai_api_key", "X KEY", "A=B_KEY", "_KEY"],
)
def test_a_declaration_reads_no_other_variable(variable: str) -> None:
    upstream = Upstream("x", UpstreamKind.OPENAI, "https://x.test", api_key_env=variable)
    with pytest.raises(InvalidRoute):
        check_upstream(upstream)


@pytest.mark.parametrize(
    "address",
    [
        "ftp://x",
        "x.test/v1",
        "https://user:secret@x.test",
        "https://x.test/v1?key=1",
        "https://x.test/v1#part",
        "https://x.test/v1\r\nx: y",
        "https://x.test/v 1",
    ],
)
def test_an_address_holds_no_secret(address: str) -> None:
    with pytest.raises(InvalidRoute):
        check_upstream(Upstream("x", UpstreamKind.OPENAI, address))


@pytest.mark.parametrize("identifier", ["", "Open AI", "-x", "a/b", "x" * 64])
def test_a_provider_id_can_be_written_before_a_slash(identifier: str) -> None:
    with pytest.raises(InvalidRoute):
        check_upstream(Upstream(identifier, UpstreamKind.OPENAI, "https://x.test"))


def test_aliases_do_not_chain() -> None:
    with pytest.raises(InvalidRoute, match="is an alias itself"):
        check_alias(Alias("a", ("b",)), {"a", "b"})
    with pytest.raises(InvalidRoute):
        check_alias(Alias("a", ()), {"a"})
    check_alias(Alias("gpt-4o", ("gpt-4o",)), {"gpt-4o"})
