"""Recorded answers of every dialect, read by our readers and priced by our kernel, against the
price package's own reading and pricing of the same bytes: equal to the nano-dollar.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from genai_prices.data import providers as genai_providers
from genai_prices.types import ModelInfo, ModelPrice, Provider

from aos.catalog import PriceBook, Unpriced, calculate_cost
from aos.catalog.book.model import _in_force
from aos.catalog.seed import TableRows
from aos.messages import Dialect, reader
from tests.catalog.contents import contents_of

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Recorded:
    """An answer as it comes over the wire, and who answers so."""

    name: str
    dialect: Dialect
    flavor: str
    body: dict[str, Any]
    providers: frozenset[str] | None = None
    """None = every provider whose answers the package reads in this flavor."""


def chat(usage: dict[str, Any]) -> dict[str, Any]:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "Hello!", "refusal": None},
        "logprobs": None,
        "finish_reason": "stop",
    }
    return {
        "id": "chatcmpl-CXyZ",
        "object": "chat.completion",
        "created": 1_763_640_000,
        "model": "MODEL",
        "choices": [choice],
        "usage": usage,
        "system_fingerprint": "fp_1",
    }


def messages(usage: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "MODEL",
        "content": [{"type": "text", "text": "Hello!"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }


STANDARD_CHAT = frozenset(
    provider.id for provider in genai_providers if provider.id not in {"x-ai", "databricks"}
)

RECORDED = (
    Recorded(
        "chat, cached and thinking",
        Dialect.OPENAI_CHAT,
        "chat",
        chat(
            {
                "prompt_tokens": 2_006,
                "completion_tokens": 300,
                "total_tokens": 2_306,
                "prompt_tokens_details": {"cached_tokens": 1_920, "audio_tokens": 0},
                "completion_tokens_details": {
                    "reasoning_tokens": 192,
                    "audio_tokens": 0,
                    "accepted_prediction_tokens": 0,
                    "rejected_prediction_tokens": 0,
                },
            }
        ),
        STANDARD_CHAT - {"anthropic", "cerebras"},
    ),
    Recorded(
        "chat, plain",
        Dialect.OPENAI_CHAT,
        "chat",
        chat({"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29}),
    ),
    Recorded(
        "chat, heard and spoken",
        Dialect.OPENAI_CHAT,
        "chat",
        chat(
            {
                "prompt_tokens": 1_000,
                "completion_tokens": 600,
                "total_tokens": 1_600,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 750},
                "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 500},
            }
        ),
        frozenset({"openai", "azure", "openrouter"}),
    ),
    Recorded(
        "chat, a long prompt",
        Dialect.OPENAI_CHAT,
        "chat",
        chat(
            {
                "prompt_tokens": 300_001,
                "completion_tokens": 4_096,
                "total_tokens": 304_097,
                "prompt_tokens_details": {"cached_tokens": 262_144},
            }
        ),
        STANDARD_CHAT - {"anthropic", "cerebras"},
    ),
    Recorded(
        "chat, thinking beside the answer",
        Dialect.OPENAI_CHAT,
        "chat",
        chat(
            {
                "prompt_tokens": 125,
                "completion_tokens": 9,
                "total_tokens": 228,
                "prompt_tokens_details": {
                    "text_tokens": 125,
                    "audio_tokens": 0,
                    "image_tokens": 0,
                    "cached_tokens": 113,
                },
                "completion_tokens_details": {"reasoning_tokens": 94, "audio_tokens": 0},
                "num_sources_used": 0,
            }
        ),
        frozenset({"x-ai"}),
    ),
    Recorded(
        "chat, DeepSeek's own cache fields",
        Dialect.OPENAI_CHAT,
        "chat",
        chat(
            {
                "prompt_tokens": 5_000,
                "completion_tokens": 800,
                "total_tokens": 5_800,
                "prompt_tokens_details": {"cached_tokens": 4_096},
                "completion_tokens_details": {"reasoning_tokens": 640},
                "prompt_cache_hit_tokens": 4_096,
                "prompt_cache_miss_tokens": 904,
            }
        ),
        frozenset({"deepseek"}),
    ),
    Recorded(
        "responses, cached and thinking",
        Dialect.OPENAI_RESPONSES,
        "responses",
        {
            "id": "resp_68",
            "object": "response",
            "created_at": 1_763_640_000,
            "status": "completed",
            "model": "MODEL",
            "output": [
                {"type": "reasoning", "id": "rs_1", "summary": []},
                {
                    "type": "message",
                    "id": "msg_1",
                    "role": "assistant",
                    "status": "completed",
                    "content": [{"type": "output_text", "text": "Hello!", "annotations": []}],
                },
            ],
            "service_tier": "default",
            "usage": {
                "input_tokens": 8_210,
                "input_tokens_details": {"cached_tokens": 7_936},
                "output_tokens": 1_024,
                "output_tokens_details": {"reasoning_tokens": 832},
                "total_tokens": 9_234,
            },
        },
        frozenset({"openai", "azure", "github-copilot", "x-ai", "databricks", "cloudflare"}),
    ),
    Recorded(
        "embeddings",
        Dialect.OPENAI_EMBEDDINGS,
        "embeddings",
        {
            "object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": [0.0023, -0.0093]}],
            "model": "MODEL",
            "usage": {"prompt_tokens": 8, "total_tokens": 8},
        },
        frozenset({"openai", "azure", "doubleword", "cloudflare"}),
    ),
    Recorded(
        "messages, written for five minutes and an hour, read, searched",
        Dialect.ANTHROPIC_MESSAGES,
        "default",
        messages(
            {
                "input_tokens": 2_048,
                "cache_creation_input_tokens": 556,
                "cache_read_input_tokens": 1_800,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": 456,
                    "ephemeral_1h_input_tokens": 100,
                },
                "output_tokens": 503,
                "server_tool_use": {"web_search_requests": 2},
                "service_tier": "standard",
            }
        ),
        frozenset({"anthropic"}),
    ),
    Recorded(
        "messages, a long prompt",
        Dialect.ANTHROPIC_MESSAGES,
        "default",
        messages(
            {
                "input_tokens": 12,
                "cache_creation_input_tokens": 4_000,
                "cache_read_input_tokens": 210_000,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": 4_000,
                    "ephemeral_1h_input_tokens": 0,
                },
                "output_tokens": 1_503,
                "service_tier": "standard",
            }
        ),
        frozenset({"anthropic"}),
    ),
    Recorded(
        "messages, resold",
        Dialect.ANTHROPIC_MESSAGES,
        "anthropic",
        messages(
            {
                "input_tokens": 90,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 60_000,
                "output_tokens": 777,
            }
        ),
        frozenset({"aws", "azure", "google"}),
    ),
)

WHY_THEY_DIFFER = {
    "no web_search price": "the package bills a search without a price as 0; unpriced here",
    "no output price": "the package bills what an embedding model generates as 0; unpriced here",
    "unmetered": "billed by hours, pages, characters, citations or video: not counted here yet",
    "finer than a pico-dollar": "the list price has a rounding error; ours is rounded up",
}


def priced_models(recorded: Recorded) -> Iterator[tuple[Provider, ModelInfo]]:
    for provider in genai_providers:
        flavors = {extractor.api_flavor for extractor in provider.extractors or []}
        if recorded.flavor not in flavors:
            continue
        if recorded.providers is not None and provider.id not in recorded.providers:
            continue
        for model in provider.models:
            if not isinstance(model.prices, ModelPrice) or str(model.prices):
                yield provider, model


def difference(
    book: PriceBook, recorded: Recorded, provider: Provider, model: ModelInfo
) -> str | None:
    """Why ours differs; None when both are equal to the nano-dollar."""
    body = {**recorded.body, "model": model.id}
    _, usage = provider.extract_usage(body, api_flavor=recorded.flavor)
    theirs = model.calc_price(usage, provider, genai_request_timestamp=AT).total_price
    reported = reader(recorded.dialect).read_answer(orjson.dumps(body))
    price = _in_force(tuple(book._table.get((provider.id, model.id), ())), AT)
    if price is None or price.unmetered:
        return "unmetered" if price else f"{provider.id}/{model.id} has no price"
    try:
        ours = sum(calculate_cost(price, used).amount for _, used in reported.usages)
    except Unpriced as error:
        return f"no {error.details['unit']} price"
    beyond = Decimal(ours) - theirs * 10**9
    if ours == round(theirs * 10**9):
        return None
    if 0 <= beyond <= 1 + Decimal(reported.usage.total_tokens) / 1_000:
        return "finer than a pico-dollar"
    return f"{provider.id}/{model.id}: ours {ours}, theirs {theirs}, {reported.usage}"


@pytest.fixture(scope="module")
def book(price_table: TableRows) -> PriceBook:
    return PriceBook(contents_of(price_table))


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded.name)
def test_a_recorded_answer_costs_what_the_package_says(book: PriceBook, recorded: Recorded) -> None:
    found = Counter(
        difference(book, recorded, provider, model) for provider, model in priced_models(recorded)
    )
    assert not found.keys() - {None, *WHY_THEY_DIFFER}
    assert found[None] >= 8
