"""The installed package against its own answers."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest
from genai_prices.data import providers as genai_providers
from genai_prices.types import (
    ModelInfo,
    ModelPrice,
    StartDateConstraint,
    TimeOfDateConstraint,
    Usage,
)
from genai_prices.types import Provider as GenaiProvider

from aos.catalog import PriceBook, Unpriced, calculate_cost
from aos.catalog.book.model import _in_force
from aos.catalog.seed import TableRows, installed_seed_version, is_newer
from aos.messages import TokenUsage
from tests.catalog.contents import contents_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

USAGES = {
    "plain": TokenUsage(input_tokens=1_234, output_tokens=567),
    "cached": TokenUsage(input_tokens=9_000, cache_read_tokens=8_192, output_tokens=333),
    "written": TokenUsage(
        input_tokens=5_001,
        cache_read_tokens=1_000,
        cache_write_5m_tokens=2_000,
        cache_write_1h_tokens=1_500,
        output_tokens=77,
    ),
    "thinking": TokenUsage(input_tokens=321, output_tokens=4_321, reasoning_tokens=4_000),
    "long": TokenUsage(input_tokens=300_000, cache_read_tokens=123_457, output_tokens=1_001),
    "embedding": TokenUsage(input_tokens=7_777),
    "audio": TokenUsage(
        input_tokens=1_000,
        cache_read_tokens=300,
        input_audio_tokens=500,
        cache_read_audio_tokens=100,
        output_tokens=400,
        output_audio_tokens=250,
    ),
    "image": TokenUsage(
        input_tokens=1_000,
        cache_read_tokens=300,
        input_image_tokens=500,
        cache_read_image_tokens=100,
        output_tokens=400,
        output_image_tokens=250,
    ),
    "searching": TokenUsage(
        input_tokens=1_000, output_tokens=100, web_searches=3, storage_searches=2
    ),
}


def genai_usage(usage: TokenUsage) -> Usage:
    """Ours in the words of genai-prices: its parts overlap where ours do."""
    return Usage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_5m_tokens=usage.cache_write_5m_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        input_audio_tokens=usage.input_audio_tokens,
        cache_audio_read_tokens=usage.cache_read_audio_tokens,
        input_image_tokens=usage.input_image_tokens,
        cache_image_read_tokens=usage.cache_read_image_tokens,
        output_tokens=usage.output_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
        output_audio_tokens=usage.output_audio_tokens,
        output_image_tokens=usage.output_image_tokens,
        web_searches=usage.web_searches,
        storage_searches=usage.storage_searches,
    )


def priced_models() -> Iterator[tuple[GenaiProvider, ModelInfo]]:
    for provider in genai_providers:
        for model in provider.models:
            if not isinstance(model.prices, ModelPrice) or str(model.prices):
                yield provider, model


@pytest.fixture(scope="module")
def book(price_table: TableRows) -> PriceBook:
    return PriceBook(contents_of(price_table))


def test_every_provider_and_model_is_there(price_table: TableRows, book: PriceBook) -> None:
    assert len(book.models()) == sum(len(provider.models) for provider in genai_providers)
    priced = Counter(
        provider.id
        for provider, model in priced_models()
        if any(row["model"] == model.id for row in _rows(price_table, provider.id))
    )
    at_least = {"anthropic": 10, "openai": 11, "google": 6, "deepseek": 7, "x-ai": 7, "mistral": 8}
    assert all(priced[provider] >= count for provider, count in at_least.items())
    assert len(priced) >= 16
    assert sum(priced.values()) - sum(priced[provider] for provider in at_least) >= 42
    assert sum(priced.values()) == len(list(priced_models()))


def _rows(price_table: TableRows, provider: str) -> list[dict[str, object]]:
    return next(one["prices"] for one in price_table.providers if one["id"] == provider)


@pytest.mark.parametrize(
    ("provider", "name", "rates"),
    [
        ("anthropic", "claude-sonnet-4-20250514", {"input": 3_000_000, "cache_read": 300_000}),
        ("openai", "gpt-4o-mini", {"input": 150_000, "output": 600_000}),
        ("openai", "gpt-4-turbo", {"input": 10_000_000, "output": 30_000_000}),
        ("openai", "gpt-3.5-turbo", {"input": 500_000, "output": 1_500_000}),
        ("google", "gemini-2.5-flash", {"input": 300_000, "cache_read": 30_000}),
    ],
)
def test_prices_that_everybody_knows(
    book: PriceBook, provider: str, name: str, rates: dict[str, int]
) -> None:
    price = book.find_pricing(provider, name, NOW)
    assert price is not None
    assert {unit: price.rates[unit].base for unit in price.rates if unit in rates} == rates


def instants(model: ModelInfo) -> set[datetime]:
    """Now, and either side of each hour and day at which its price changes."""
    moments = {NOW}
    conditions = [] if isinstance(model.prices, ModelPrice) else model.prices
    constraints = [condition.constraint for condition in conditions]
    constraints += [variant.constraint for variant in model.price_variants or []]
    for constraint in constraints:
        if isinstance(constraint, StartDateConstraint):
            midnight = datetime.combine(constraint.start_date, time(), UTC)
            moments |= {midnight, midnight - timedelta(seconds=1)}
        elif isinstance(constraint, TimeOfDateConstraint):
            for edge in (constraint.start_time, constraint.end_time):
                moment = datetime.combine(NOW.date(), edge)
                moments |= {moment, moment - timedelta(seconds=1)}
    return moments


def contexts(model: ModelInfo) -> list[dict[str, str]]:
    variants = {key: value for one in model.price_variants or [] for key, value in one.when.items()}
    return [{}, variants, *(one.when for one in model.price_variants or [])]


def difference(
    book: PriceBook,
    pair: tuple[GenaiProvider, ModelInfo],
    usage: TokenUsage,
    at: datetime,
    context: dict[str, str],
) -> str | None:
    """Why ours differs from theirs; None when both are equal to the nano-dollar."""
    provider, model = pair
    price = _in_force(tuple(book._table.get((provider.id, model.id), ())), at)
    theirs = model.calc_price(
        genai_usage(usage), provider, genai_request_timestamp=at, price_context=context
    ).total_price
    if price is None:
        return None if theirs == 0 else "no price"
    try:
        ours = calculate_cost(price, usage, context)
    except Unpriced as error:
        unit = str(error.details["unit"]).replace("web_", "").replace("storage_", "")
        unit = "tier" if unit.startswith("service_tier") else unit
        return "unmetered" if price.unmetered else f"no {unit} price"
    exact = theirs * 10**9
    if ours.amount == round(exact):
        return None
    tokens = usage.input_tokens + usage.output_tokens
    if 0 <= Decimal(ours.amount) - exact <= 1 + Decimal(tokens) / 1_000:
        return "finer than a pico-dollar"
    return f"ours {ours.amount}, theirs {exact}"


WHY_THEY_DIFFER = {
    "no search price": "they bill a search without a price as 0; here it is unpriced",
    "no output price": "they bill output of an embedding model as 0; here it is unpriced",
    "unmetered": "billed by hours, pages, characters, citations or video: not counted here yet",
    "no tier price": "they bill an unlisted service tier as standard; it may be dearer",
    "finer than a pico-dollar": "the list price has a rounding error; ours is rounded up",
}
FINER_THAN_A_PICO_DOLLAR = {"google/gemini-", "~google/gemini-", "Qwen/Qwen3-VL-8B-Instruct"}


def test_every_bill_equals_theirs_to_the_nano_dollar(book: PriceBook) -> None:
    """Each priced model x each usage x each time and context that changes its price."""
    seen: Counter[str | None] = Counter()
    for pair in priced_models():
        for at in instants(pair[1]):
            for context in contexts(pair[1]):
                for usage in USAGES.values():
                    reason = difference(book, pair, usage, at, context)
                    seen[reason] += 1
                    if reason == "finer than a pico-dollar":
                        assert pair[1].id.startswith(tuple(FINER_THAN_A_PICO_DOLLAR))
    assert seen.keys() == {None, *WHY_THEY_DIFFER}
    assert seen[None] > 20_000


def test_every_name_means_the_same_model(book: PriceBook) -> None:
    """Each listed name, dated, prefixed and resold, against their own matching."""
    resold = ["gpt-4o", "gpt-5.2-20251211", "claude-sonnet-4-20250514", "deepseek-chat", "grok-4"]
    for provider in genai_providers:
        listing = book._listings[provider.id]
        names = {model.id for model in provider.models} | set(resold)
        names |= {f"{name}-20251001" for name in list(names)[:20]}
        for name in names:
            theirs = provider.find_model(name, all_providers=genai_providers)
            ours = book.find_model(provider.id, name)
            assert (ours and ours.id) == (theirs and theirs.id), (listing.provider.id, name)


def test_what_nobody_counts_is_unpriced_and_says_so(book: PriceBook) -> None:
    whisper = book.find_pricing("openai", "whisper-1", NOW)
    assert whisper is not None
    assert whisper.unmetered == ("audio_hours", "input_audio_hours")


def test_only_a_newer_package_is_seeded() -> None:
    assert is_newer(installed_seed_version(), None)
    assert not is_newer("0.2.3+1", "0.2.3+1")
    assert is_newer("0.2.10+1", "0.2.9+4")
    assert is_newer("0.2.3+2", "0.2.3+1")
    assert not is_newer("0.2.2+9", "0.2.3+1")


def test_a_place_that_costs_more_is_in_the_seed(book: PriceBook) -> None:
    usage = TokenUsage(input_tokens=1_000_000)
    new, old = (
        book.find_pricing("anthropic", name, NOW)
        for name in ("claude-opus-4-8", "claude-opus-4-1-20250805")
    )
    assert new is not None
    assert old is not None
    assert calculate_cost(new, usage, {"region": "us"}).amount == 5_500_000_000
    assert calculate_cost(old, usage, {"region": "not_available"}).amount == 15_000_000_000


def test_windows_are_the_makers_where_the_table_rounds_them(book: PriceBook) -> None:
    """A bound is cut at the window: a window that is too small is an overspend."""
    found = {
        name: getattr(book.find_model(provider, name), "context_window", None)
        for provider, name in (
            ("openai", "gpt-4.1-mini"),
            ("google", "gemini-2.5-flash"),
            ("anthropic", "claude-sonnet-4-6"),
        )
    }
    assert found == {
        "gpt-4.1-mini": 1_047_576,
        "gemini-2.5-flash": 1_048_576,
        "claude-sonnet-4-6": 1_000_000,
    }
