import pytest

from aos.infra.settings import ProviderSettings
from aos.kit.errors import InvalidInput
from aos.messages import Dialect, reader
from aos.providers import (
    KEY_VARIABLES,
    Provider,
    ProviderConfig,
    ProviderNotConfigured,
    Registry,
    build_providers,
    make_provider,
    relayed_headers,
)
from aos.providers.registry import SHIPPED

NOTHING = ProviderSettings(openai_api_key=None, anthropic_api_key=None)
CALL = reader(Dialect.OPENAI_CHAT).read_call(b'{"model":"m","messages":[]}')
MESSAGE = reader(Dialect.ANTHROPIC_MESSAGES).read_call(b'{"model":"m","messages":[]}')


def from_environment(**variables: str) -> Registry:
    return build_providers(NOTHING, environment=variables)


def test_only_without_any_key_the_stub_answers() -> None:
    alone = from_environment()
    assert alone.is_stub
    assert [provider.config.id for provider in alone.configured()] == ["stub"]
    some = from_environment(GROQ_API_KEY="gsk", MISTRAL_API_KEY="")
    assert not some.is_stub
    assert [provider.config.id for provider in some.configured()] == ["groq"]
    with pytest.raises(ProviderNotConfigured, match="mistral"):
        some.by_id("mistral")


def test_openai_and_anthropic_come_from_the_settings() -> None:
    settings = ProviderSettings.model_validate(
        {
            "openai_api_key": "sk-1",
            "openai_base_url": "http://localhost:9/v1/",
            "anthropic_api_key": "sk-2",
        }
    )
    registry = build_providers(settings)
    sent = registry.by_id("openai").request(CALL, "/chat/completions", b"{}", {})
    assert sent.url == "http://localhost:9/v1/chat/completions"
    assert sent.headers["authorization"] == "Bearer sk-1"
    sent = registry.by_id("anthropic").request(MESSAGE, "/messages?beta=true", b"{}", {})
    assert sent.url == "https://api.anthropic.com/v1/messages?beta=true"
    assert sent.headers["x-api-key"] == "sk-2"
    assert sent.headers["anthropic-version"] == "2023-06-01"
    assert "sk-1" not in repr(registry.by_id("openai").config)


def test_every_shipped_upstream_is_reached_over_https_with_its_own_key() -> None:
    assert len(SHIPPED) + 2 >= 16
    assert len({row.id for row in SHIPPED}) == len(SHIPPED)
    for row in SHIPPED:
        variables = {row.key_variable or "": "key"}
        if row.url_variable:
            variables[row.url_variable] = "https://mine.example/"
        registry = from_environment(**variables)
        assert [provider.config.id for provider in registry.configured()] == [row.id]
        provider = registry.by_id(row.id)
        sent = provider.request(CALL, "/chat/completions", b"{}", {})
        assert sent.url.startswith("https://")
        assert "{}" not in sent.url
        assert sent.headers.get("authorization") == ("Bearer key" if row.key_variable else None)
        assert KEY_VARIABLES[row.id]


def test_an_anthropic_dialect_has_its_own_address_and_both_kinds_of_credentials() -> None:
    provider = from_environment(DEEPSEEK_API_KEY="key").by_id("deepseek")
    sent = provider.request(MESSAGE, "/messages", b"{}", {})
    assert sent.url == "https://api.deepseek.com/anthropic/v1/messages"
    assert (sent.headers["authorization"], sent.headers["x-api-key"]) == ("Bearer key", "key")


def declared(**fields: str) -> Provider:
    base = {"id": "mine", "kind": "openai-compatible", "base_url": "http://10.0.0.1:8000/v1/"}
    return make_provider(ProviderConfig(**{**base, **fields}))  # type: ignore[arg-type]  # text fields only


def test_a_declared_upstream_has_the_dialects_of_its_kind() -> None:
    assert Dialect.OPENAI_RESPONSES in declared().config.dialects
    assert declared(kind="anthropic-compatible").config.dialects == {Dialect.ANTHROPIC_MESSAGES}
    sent = declared().request(CALL, "/chat/completions", b"{}", {})
    assert sent.url == "http://10.0.0.1:8000/v1/chat/completions"
    for wrong in ({"kind": "grpc"}, {"base_url": "file:///etc/passwd"}, {"base_url": "x"}):
        with pytest.raises(InvalidInput):
            declared(**wrong)


def test_the_callers_credentials_stay_here_and_the_rest_passes() -> None:
    provider = from_environment(OPENROUTER_API_KEY="theirs").by_id("openrouter")
    caller = {
        "host": "aos",
        "authorization": "Bearer aos-key",
        "x-api-key": "aos-key",
        "x-aos-key": "aos-key",
        "x-aos-tags": "a=b",
        "cookie": "session=1",
        "connection": "keep-alive, x-secret",
        "transfer-encoding": "chunked",
        "content-length": "5",
        "content-encoding": "zstd",
        "accept-encoding": "gzip",
        "x-forwarded-for": "10.0.0.1",
        "user-agent": "OpenAI/Python",
        "anthropic-beta": "context-1m-2025-08-07",
        "openai-beta": "responses=v1",
        "openai-organization": "org",
        "x-stainless-lang": "python",
        "content-type": "application/x-www-form-urlencoded",
    }
    assert provider.request(CALL, "/chat/completions", b"{}", caller).headers == {
        "user-agent": "OpenAI/Python",
        "anthropic-beta": "context-1m-2025-08-07",
        "openai-beta": "responses=v1",
        "openai-organization": "org",
        "x-stainless-lang": "python",
        "content-type": "application/json",
        "accept-encoding": "identity",
        "authorization": "Bearer theirs",
    }


def test_of_an_answers_headers_only_known_ones_pass() -> None:
    headers = [
        (b"Content-Type", b"application/json"),
        (b"X-RateLimit-Remaining-Tokens", b"9"),
        (b"anthropic-ratelimit-requests-limit", b"50"),
        (b"Retry-After", b"3"),
        (b"request-id", b"req_1"),
        (b"openai-processing-ms", b"12"),
        (b"Set-Cookie", b"__cf_bm=1"),
        (b"CF-RAY", b"1"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Content-Encoding", b"gzip"),
        (b"x-aos-cost-usd", b"0"),
    ]
    assert [name for name, _ in relayed_headers(headers)] == [
        b"content-type",
        b"x-ratelimit-remaining-tokens",
        b"anthropic-ratelimit-requests-limit",
        b"retry-after",
        b"request-id",
        b"openai-processing-ms",
    ]


def test_who_hides_its_reasoning() -> None:
    anthropic = make_provider(ProviderConfig("anthropic", "anthropic", "https://x/v1"))
    openai = make_provider(ProviderConfig("openai", "openai", "https://x/v1"))
    assert not openai.hides_reasoning(CALL, "gpt-4o-mini")
    assert openai.hides_reasoning(CALL, "gpt-5")
    assert openai.hides_reasoning(CALL)
    assert not anthropic.hides_reasoning(MESSAGE, "claude-sonnet-4-5-20250929")
    assert anthropic.hides_reasoning(MESSAGE, "claude-fable-5")
    reads = reader(Dialect.ANTHROPIC_MESSAGES).read_call
    told = reads(
        b'{"model":"claude-sonnet-4-5","messages":[],"thinking":{"type":"enabled","budget_tokens":9}}'
    )
    assert anthropic.hides_reasoning(told)
    off = reads(b'{"model":"claude-fable-5","messages":[],"thinking":{"type":"disabled"}}')
    assert not anthropic.hides_reasoning(off)
