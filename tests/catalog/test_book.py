"""Names, owners and instants: which price a look-up finds."""

from datetime import UTC, datetime, timedelta

import pytest

from aos.catalog import (
    EVER,
    InvalidPrice,
    Model,
    PriceBook,
    PriceUnit,
    PriceVersion,
    Provider,
    Rate,
)
from aos.catalog.book.model import Contents
from aos.catalog.book.rules import NameMatcher, check_clause, dashed_date
from aos.catalog.limits import LOOKUPS_KEPT_MAX
from aos.catalog.model import Clause

DATED = {"equals": "gpt-5.2-2025-12-11"}
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def version(  # noqa: PLR0913 - a price has that many sides
    model: str,
    pico: int,
    *,
    provider: str = "openai",
    tenant_id: str | None = None,
    own: bool = False,
    during: tuple[datetime, datetime | None] = (EVER, None),
    window: tuple[int, int] | None = None,
    variants: dict[tuple[str, str], dict[PriceUnit, Rate]] | None = None,
) -> PriceVersion:
    return PriceVersion(
        id=f"price_{provider}_{model}_{pico}",
        provider=provider,
        model=model,
        source="test",
        rates={PriceUnit.INPUT: Rate(pico)},
        effective_from=during[0],
        effective_to=during[1],
        tenant_id=tenant_id,
        own=own,
        daily_window=window,
        variants=variants or {},
    )


def model(provider: str, name: str, rule: Clause | None = None) -> tuple[Model, Clause]:
    return Model(provider, name, name), rule or {"equals": name}


def book(*prices: PriceVersion) -> PriceBook:
    return PriceBook(
        Contents(
            providers=[
                Provider("openai", "OpenAI", {"contains": "openai"}, {"starts_with": "gpt-"}),
                Provider("azure", "Azure", fallbacks=("openai",)),
                Provider("openrouter", "OpenRouter"),
            ],
            models=[
                model(
                    "openai",
                    "gpt-5.2",
                    {"or": [{"equals": "gpt-5.2-2025-12-11"}, {"equals": "gpt-5.2"}]},
                ),
                model("openai", "gpt-4o-mini", {"starts_with": "gpt-4o-mini"}),
                model("openai", "gpt-4o", {"starts_with": "gpt-4o"}),
                model("azure", "phi-4"),
                model("openrouter", "openai/gpt-4o"),
            ],
            prices=prices,
        )
    )


def found(catalogue: PriceBook, provider: str, name: str) -> str | None:
    hit = catalogue.find_model(provider, name)
    return f"{hit.provider}/{hit.id}" if hit else None


@pytest.mark.parametrize(
    ("provider", "name", "expected"),
    [
        ("openai", "gpt-4o", "openai/gpt-4o"),
        ("openai", "GPT-4o-2024-08-06", "openai/gpt-4o"),
        ("openai", "gpt-4o-mini-2024-07-18", "openai/gpt-4o-mini"),
        ("OpenAI", "gpt-4o", "openai/gpt-4o"),
        ("openai", "gpt-5.2-20251211", "openai/gpt-5.2"),
        ("openai", "gpt-5.2-20251399", None),
        ("openai", "claude", None),
        ("azure", "phi-4", "azure/phi-4"),
        ("azure", "gpt-4o", "openai/gpt-4o"),
        ("azure", "gpt-5.2-20251211", "openai/gpt-5.2"),
        ("openrouter", "openai/gpt-4o", "openrouter/openai/gpt-4o"),
        ("openrouter", "gpt-4o", None),
        ("my-openai", "gpt-4o", None),
        ("openai", "gpt-4o" + "x" * 300, None),
    ],
)
def test_how_a_name_is_recognised(provider: str, name: str, expected: str | None) -> None:
    assert found(book(), provider, name) == expected


def test_the_first_model_whose_rule_fits_wins() -> None:
    rules: list[tuple[int, Clause]] = [
        (0, {"contains": "pro"}),
        (1, {"equals": "acme-pro"}),
        (2, {"and": [{"starts_with": "acme"}, {"ends_with": "-mini"}]}),
        (3, {"regex": "^acme-\\d+$"}),
        (4, {"or": [{"equals": "acme-7"}, {"equals": "acme"}]}),
    ]
    matcher = NameMatcher(rules)
    names = ["acme-pro", "acme-x-mini", "acme-7", "acme", "acme-x"]
    assert [matcher.first(name) for name in names] == [0, 2, 3, 4, None]


def test_who_sells_a_name() -> None:
    catalogue = book()
    assert catalogue.providers_of("gpt-4o") == ("openai",)
    assert catalogue.providers_of("phi-4") == ("azure",)
    assert catalogue.providers_of("openai/gpt-4o") == ("openrouter",)
    assert catalogue.providers_of("nothing") == ()
    assert catalogue.find_maker("gpt-9") == "openai"


def test_a_vendor_has_more_than_one_name() -> None:
    provider = book().find_provider(" My-OpenAI ")
    assert provider is not None
    assert provider.id == "openai"


def test_a_price_holds_from_its_first_instant_until_before_its_last() -> None:
    catalogue = book(
        version("gpt-4o", 1, during=(EVER, NOON)), version("gpt-4o", 2, during=(NOON, None))
    )
    before = catalogue.find_pricing("openai", "gpt-4o", NOON - timedelta(microseconds=1))
    after = catalogue.find_pricing("openai", "gpt-4o", NOON)
    assert before is not None
    assert after is not None
    assert (before.rates[PriceUnit.INPUT].base, after.rates[PriceUnit.INPUT].base) == (1, 2)


@pytest.mark.parametrize(("hour", "pico"), [(0, 1), (1, 2), (3, 2), (4, 1)])
def test_a_price_for_hours_of_the_day_beats_the_price_for_all_day(hour: int, pico: int) -> None:
    catalogue = book(version("gpt-4o", 1), version("gpt-4o", 2, window=(3_600, 4 * 3_600)))
    price = catalogue.find_pricing("openai", "gpt-4o", NOON.replace(hour=hour))
    assert price is not None
    assert price.rates[PriceUnit.INPUT].base == pico


def test_a_tenants_own_price_beats_the_operators_which_beats_the_tables() -> None:
    catalogue = book(
        version("gpt-4o", 1),
        version("gpt-4o", 2, own=True),
        version("gpt-4o", 3, own=True, tenant_id="ten_a", during=(EVER, NOON)),
        version("gpt-4o-2024-08-06", 4, own=True, tenant_id="ten_a"),
        version("gpt-5.2", 5),
    )

    def pico(name: str, at: datetime, tenant_id: str | None) -> int | None:
        price = catalogue.find_pricing("openai", name, at, tenant_id)
        return price.rates[PriceUnit.INPUT].base if price else None

    before = NOON - timedelta(seconds=1)
    assert pico("gpt-4o", before, "ten_a") == 3
    assert pico("gpt-4o", NOON, "ten_a") == 2
    assert pico("gpt-4o", NOON, "ten_b") == 2
    assert pico("gpt-4o-2024-08-06", before, "ten_a") == 4
    assert pico("gpt-4o-2024-11-20", before, "ten_a") == 3
    assert pico("gpt-5.2", NOON, "ten_a") == 5


def test_an_own_price_needs_no_entry_in_the_catalogue() -> None:
    catalogue = book(version("llama", 0, provider="my-vllm", tenant_id="ten_a", own=True))
    assert catalogue.find_pricing("my-vllm", "Llama", NOON, "ten_a") is not None
    assert catalogue.find_pricing("my-vllm", "Llama", NOON, "ten_b") is None
    assert catalogue.find_model("my-vllm", "llama") is None


def test_a_resellers_tiers_are_its_own() -> None:
    flex = {("service_tier", "flex"): {PriceUnit.INPUT: Rate(1)}}
    catalogue = book(version("gpt-4o", 2, variants=flex))
    made, resold = (
        catalogue.find_pricing(provider, "gpt-4o", NOON) for provider in ("openai", "azure")
    )
    assert made is not None
    assert resold is not None
    assert (made.variants, resold.variants) == (flex, {})


def test_a_snapped_model_has_the_output_ceiling_of_its_own_name() -> None:
    catalogue = book()
    ceilings = {
        name: getattr(catalogue.find_model("openai", name), "output_tokens_max", None)
        for name in ("gpt-4o", "gpt-4o-2024-05-13", "gpt-4o-mini")
    }
    assert ceilings == {"gpt-4o": 16_384, "gpt-4o-2024-05-13": 4_096, "gpt-4o-mini": 16_384}


def test_names_that_callers_invent_cost_no_memory() -> None:
    catalogue = book()
    for number in range(LOOKUPS_KEPT_MAX + 10):
        assert catalogue.find_model("openai", f"invented-{number}") is None
        assert catalogue.providers_of(f"invented-{number}") == ()
    assert len(catalogue._found) <= LOOKUPS_KEPT_MAX
    assert len(catalogue._sellers) <= LOOKUPS_KEPT_MAX


@pytest.mark.parametrize(
    "clause",
    [
        {},
        {"equals": ""},
        {"equals": 1},
        {"is": "x"},
        {"or": []},
        {"or": "x"},
        {"regex": "("},
        {"equals": "a", "contains": "b"},
        {"or": [{"equals": "x"}] * 300},
        "gpt-4o",
    ],
)
def test_what_is_not_a_rule_is_refused(clause: object) -> None:
    with pytest.raises(InvalidPrice):
        check_clause(clause)


def test_only_a_real_date_is_read_as_one() -> None:
    assert dashed_date("gpt-5-20250807") == "gpt-5-2025-08-07"
    assert dashed_date("gpt-5-20250230") == "gpt-5-20250230"
