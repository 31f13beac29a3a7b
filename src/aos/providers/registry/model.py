"""The upstreams that come with the product. A new one is a line here.

Addresses and key variables are those of each upstream's own documentation; `prices_of` is its id
in the catalogue.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from aos.messages import Dialect
from aos.providers import bounds, google, mistral, openai, x_ai
from aos.providers.compatible import Traits

_CHAT: Final = frozenset({Dialect.OPENAI_CHAT})
_CHAT_EMBEDDINGS: Final = _CHAT | {Dialect.OPENAI_EMBEDDINGS}
_CHAT_RESPONSES: Final = _CHAT | {Dialect.OPENAI_RESPONSES}
OPENAI_DIALECTS: Final = _CHAT | {Dialect.OPENAI_RESPONSES, Dialect.OPENAI_EMBEDDINGS}
ANTHROPIC_DIALECTS: Final = frozenset({Dialect.ANTHROPIC_MESSAGES})
EVERY_DIALECT: Final = OPENAI_DIALECTS | ANTHROPIC_DIALECTS


@dataclass(frozen=True, slots=True)
class Shipped:
    """One upstream, used where its key variable (or, without one, its URL variable) is set.

    `base_url` may name `{}`: the value of the URL variable, which is then needed.
    """

    id: str
    base_url: str
    dialects: frozenset[Dialect]
    key_variable: str | None
    url_variable: str | None = None
    anthropic_base_url: str | None = None
    prices_of: str | None = None
    traits: Traits = Traits()
    own_prices: bool = False


_SEARCHES_BY_ITSELF: Final = bounds.Profile(unbounded_models=("deep-research", "sonar"))
"""Perplexity's models search on every call, as often as they like."""
_GROQ: Final = bounds.Profile(unbounded_models=("compound",))
"""Groq's compound systems call tools by themselves."""

SHIPPED: Final = (
    Shipped(
        "google",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        _CHAT_EMBEDDINGS,
        "GEMINI_API_KEY",
        traits=Traits(profile=google.PROFILE),
    ),
    Shipped(
        "azure",
        "{}/openai/v1",
        OPENAI_DIALECTS,
        "AZURE_OPENAI_API_KEY",
        "AZURE_OPENAI_ENDPOINT",
        traits=Traits(
            profile=replace(openai.PROFILE, ceiling_binds=x_ai.ceiling_binds), output_field=None
        ),
    ),
    Shipped(
        "deepseek",
        "https://api.deepseek.com/v1",
        _CHAT | ANTHROPIC_DIALECTS,
        "DEEPSEEK_API_KEY",
        anthropic_base_url="https://api.deepseek.com/anthropic/v1",
        traits=Traits(hides_reasoning=False),
    ),
    Shipped(
        "x-ai",
        "https://api.x.ai/v1",
        OPENAI_DIALECTS,  # Its Anthropic dialect is deprecated.
        "XAI_API_KEY",
        traits=Traits(profile=x_ai.PROFILE),
    ),
    Shipped(
        "mistral",
        "https://api.mistral.ai/v1",
        _CHAT_EMBEDDINGS,
        "MISTRAL_API_KEY",
        traits=Traits(
            mistral.PROFILE,
            hides_reasoning=False,
            # It answers 422 to `stream_options` ("Extra inputs are not permitted").
            asks_stream_usage=False,
        ),
    ),
    Shipped(
        "groq",
        "https://api.groq.com/openai/v1",
        _CHAT_RESPONSES,
        "GROQ_API_KEY",
        traits=Traits(profile=_GROQ),
    ),
    Shipped("together", "https://api.together.xyz/v1", _CHAT_EMBEDDINGS, "TOGETHER_API_KEY"),
    Shipped(
        "fireworks",
        "https://api.fireworks.ai/inference/v1",
        EVERY_DIALECT,
        "FIREWORKS_API_KEY",
    ),
    Shipped(
        "openrouter",
        "https://openrouter.ai/api/v1",
        EVERY_DIALECT,
        "OPENROUTER_API_KEY",
        traits=Traits(
            profile=bounds.Profile(
                wide_growth=11,
                ceiling_binds=x_ai.ceiling_binds,
                unbounded_models=("deep-research", "sonar", ":online", "/auto"),
            )
        ),
    ),
    Shipped(
        "perplexity",
        "https://api.perplexity.ai",
        _CHAT,
        "PERPLEXITY_API_KEY",
        traits=Traits(_SEARCHES_BY_ITSELF, asks_stream_usage=False),
    ),
    Shipped(
        "cerebras",
        "https://api.cerebras.ai/v1",
        _CHAT,
        "CEREBRAS_API_KEY",
        traits=Traits(output_field="max_completion_tokens"),
    ),
    Shipped(
        "moonshotai",
        "https://api.moonshot.ai/v1",
        _CHAT | ANTHROPIC_DIALECTS,
        "MOONSHOT_API_KEY",
        anthropic_base_url="https://api.moonshot.ai/anthropic/v1",
        traits=Traits(hides_reasoning=False),
    ),
    Shipped(
        "zai",
        "https://api.z.ai/api/paas/v4",
        _CHAT | ANTHROPIC_DIALECTS,
        "ZAI_API_KEY",
        anthropic_base_url="https://api.z.ai/api/anthropic/v1",
        traits=Traits(hides_reasoning=False),
    ),
    Shipped(
        "zhipuai",
        "https://open.bigmodel.cn/api/paas/v4",
        _CHAT_EMBEDDINGS | ANTHROPIC_DIALECTS,
        "ZHIPUAI_API_KEY",
        anthropic_base_url="https://open.bigmodel.cn/api/anthropic/v1",
        traits=Traits(hides_reasoning=False),
    ),
    Shipped(
        "minimax",
        "https://api.minimax.io/v1",
        _CHAT | ANTHROPIC_DIALECTS,
        "MINIMAX_API_KEY",
        anthropic_base_url="https://api.minimax.io/anthropic/v1",
    ),
    Shipped(
        "cohere",
        "https://api.cohere.ai/compatibility/v1",
        _CHAT_EMBEDDINGS,
        "COHERE_API_KEY",
    ),
    Shipped(
        "novita",
        "https://api.novita.ai/openai/v1",
        _CHAT_EMBEDDINGS | ANTHROPIC_DIALECTS,
        "NOVITA_API_KEY",
        anthropic_base_url="https://api.novita.ai/anthropic/v1",
    ),
    Shipped(
        "nebius",
        "https://api.tokenfactory.nebius.com/v1",
        _CHAT_EMBEDDINGS,
        "NEBIUS_API_KEY",
        prices_of="huggingface_nebius",
    ),
    Shipped(
        "voyageai",
        "https://api.voyageai.com/v1",
        frozenset({Dialect.OPENAI_EMBEDDINGS}),
        "VOYAGE_API_KEY",
    ),
    Shipped(
        "ovhcloud",
        "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1",
        _CHAT_EMBEDDINGS,
        "OVH_AI_ENDPOINTS_ACCESS_TOKEN",
    ),
    Shipped(
        "ollama",
        "{}/v1",
        EVERY_DIALECT,
        None,
        "OLLAMA_BASE_URL",
        own_prices=True,
        traits=Traits(hides_reasoning=False),
    ),
    Shipped(
        "vllm",
        "{}/v1",
        EVERY_DIALECT,
        None,
        "VLLM_BASE_URL",
        own_prices=True,
        traits=Traits(hides_reasoning=False),
    ),
)

KEY_VARIABLES: Final[Mapping[str, str]] = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
} | {row.id: row.key_variable or row.url_variable or "" for row in SHIPPED}
"""Which environment variable makes each shipped upstream answer."""
