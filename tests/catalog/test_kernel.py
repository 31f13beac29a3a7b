"""The integer kernel: bills and bounds."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aos.catalog import (
    EVER,
    PriceUnit,
    PriceVersion,
    Rate,
    Unpriced,
    calculate_cost,
    pinned_context,
    worst_case,
)
from aos.messages import Dialect, ModelCall, TokenUsage


def price(
    rates: dict[PriceUnit, Rate],
    variants: dict[tuple[str, str], dict[PriceUnit, Rate]] | None = None,
    unmetered: tuple[str, ...] = (),
) -> PriceVersion:
    return PriceVersion(
        id="price_1",
        provider="acme",
        model="acme-1",
        source="test",
        rates=rates,
        effective_from=EVER,
        variants=variants or {},
        unmetered=unmetered,
    )


PLAIN = price({PriceUnit.INPUT: Rate(150_000), PriceUnit.OUTPUT: Rate(600_000)})
CACHED = price(
    {
        PriceUnit.INPUT: Rate(3_000_000),
        PriceUnit.CACHE_READ: Rate(300_000),
        PriceUnit.CACHE_WRITE_5M: Rate(3_750_000),
        PriceUnit.CACHE_WRITE_1H: Rate(6_000_000),
        PriceUnit.OUTPUT: Rate(15_000_000),
        PriceUnit.WEB_SEARCH: Rate(10_000_000_000),
    }
)


def test_a_token_is_150_nano_dollars() -> None:
    assert calculate_cost(PLAIN, TokenUsage(input_tokens=1)).amount == 150


def test_a_bill_is_rounded_once_half_even() -> None:
    half = price({PriceUnit.INPUT: Rate(500), PriceUnit.OUTPUT: Rate(500)})
    assert calculate_cost(half, TokenUsage(input_tokens=1)).amount == 0
    assert calculate_cost(half, TokenUsage(input_tokens=1, output_tokens=1)).amount == 1
    assert calculate_cost(half, TokenUsage(input_tokens=3)).amount == 2


def test_cached_tokens_are_billed_once() -> None:
    usage = TokenUsage(
        input_tokens=1_000,
        cache_read_tokens=400,
        cache_write_5m_tokens=200,
        cache_write_1h_tokens=100,
        output_tokens=10,
        web_searches=2,
    )
    cost = calculate_cost(CACHED, usage)
    assert {line.unit: line.quantity for line in cost.lines} == {
        PriceUnit.CACHE_READ: 400,
        PriceUnit.CACHE_WRITE_5M: 200,
        PriceUnit.CACHE_WRITE_1H: 100,
        PriceUnit.INPUT: 300,
        PriceUnit.OUTPUT: 10,
        PriceUnit.WEB_SEARCH: 2,
    }
    assert (
        cost.amount == 400 * 300 + 200 * 3_750 + 100 * 6_000 + 300 * 3_000 + 10 * 15_000 + 2 * 10**7
    )


def test_a_part_without_a_price_is_billed_as_its_whole() -> None:
    usage = TokenUsage(input_tokens=10, cache_read_tokens=10, output_tokens=5, reasoning_tokens=5)
    assert calculate_cost(PLAIN, usage).amount == 10 * 150 + 5 * 600


def test_an_hour_of_cache_without_a_price_is_billed_as_five_minutes() -> None:
    rates: dict[PriceUnit, Rate] = dict(CACHED.rates)
    del rates[PriceUnit.CACHE_WRITE_1H]
    usage = TokenUsage(input_tokens=10, cache_write_1h_tokens=10)
    assert calculate_cost(price(rates), usage).amount == 10 * 3_750


def test_cached_audio_is_neither_cached_text_nor_fresh_audio() -> None:
    audio = price(
        {
            PriceUnit.INPUT: Rate(5_000_000),
            PriceUnit.CACHE_READ: Rate(2_500_000),
            PriceUnit.INPUT_AUDIO: Rate(40_000_000),
            PriceUnit.CACHE_READ_AUDIO: Rate(2_600_000),
        }
    )
    usage = TokenUsage(
        input_tokens=100,
        cache_read_tokens=60,
        input_audio_tokens=50,
        cache_read_audio_tokens=20,
    )
    assert {line.unit: line.quantity for line in calculate_cost(audio, usage).lines} == {
        PriceUnit.CACHE_READ_AUDIO: 20,
        PriceUnit.CACHE_READ: 40,
        PriceUnit.INPUT_AUDIO: 30,
        PriceUnit.INPUT: 10,
    }


@pytest.mark.parametrize(
    ("tokens", "pico"), [(0, 1), (200_000, 1), (200_001, 2), (500_000, 2), (500_001, 3)]
)
def test_a_tier_holds_for_all_tokens_once_the_input_is_above_it(tokens: int, pico: int) -> None:
    tiers = ((200_000, 2_000_000), (500_000, 3_000_000))
    long = price(
        {PriceUnit.INPUT: Rate(1_000_000, tiers), PriceUnit.OUTPUT: Rate(1_000_000, tiers)}
    )
    usage = TokenUsage(input_tokens=tokens, output_tokens=10)
    assert calculate_cost(long, usage).amount == (tokens + 10) * pico * 1_000


def test_a_variant_overrides_only_the_units_it_names() -> None:
    tiered = price(PLAIN.rates, {("service_tier", "flex"): {PriceUnit.INPUT: Rate(75_000)}})
    usage = TokenUsage(input_tokens=10, output_tokens=10)
    assert calculate_cost(tiered, usage, {"service_tier": "flex"}).amount == 10 * 75 + 10 * 600
    assert calculate_cost(tiered, usage, {"service_tier": "default"}).amount == 10 * 150 + 10 * 600


def test_the_first_variant_that_fits_wins() -> None:
    both = price(
        PLAIN.rates,
        {
            ("service_tier", "flex"): {PriceUnit.INPUT: Rate(1_000)},
            ("processing", "batch"): {PriceUnit.INPUT: Rate(2_000), PriceUnit.OUTPUT: Rate(2_000)},
        },
    )
    context = {"processing": "batch", "service_tier": "flex"}
    cost = calculate_cost(both, TokenUsage(input_tokens=1_000, output_tokens=1_000), context)
    assert cost.amount == 1_000 + 2_000


@pytest.mark.parametrize(
    "usage",
    [
        TokenUsage(output_tokens=1),
        TokenUsage(input_tokens=1, web_searches=1),
        TokenUsage(input_tokens=1, storage_searches=1),
    ],
)
def test_what_has_no_price_is_unpriced_and_never_zero(usage: TokenUsage) -> None:
    embedding = price({PriceUnit.INPUT: Rate(20_000)})
    with pytest.raises(Unpriced) as caught:
        calculate_cost(embedding, usage)
    assert caught.value.details["model"] == "acme-1"


def test_a_model_billed_by_what_nobody_counts_is_unpriced() -> None:
    voice = price(PLAIN.rates, unmetered=("audio_hours",))
    with pytest.raises(Unpriced):
        calculate_cost(voice, TokenUsage(input_tokens=1))
    with pytest.raises(Unpriced):
        worst_case(voice, input_tokens=1, output_tokens=1)


def test_a_fee_a_request_is_billed_on_every_bill() -> None:
    fee = price({**PLAIN.rates, PriceUnit.REQUEST: Rate(5_000_000_000)})
    assert calculate_cost(fee, TokenUsage()).amount == 5_000_000
    assert worst_case(fee, input_tokens=0, output_tokens=0).amount == 5_000_000


def test_parts_larger_than_their_total_are_billed_in_full() -> None:
    usage = TokenUsage(input_tokens=10, cache_read_tokens=50)
    assert calculate_cost(CACHED, usage).amount == 50 * 300


def test_a_declared_price_of_zero_is_zero() -> None:
    free = price({PriceUnit.INPUT: Rate(0), PriceUnit.OUTPUT: Rate(0)})
    usage = TokenUsage(input_tokens=10, output_tokens=10)
    assert calculate_cost(free, usage).amount == 0
    assert worst_case(free, input_tokens=10, output_tokens=10).amount == 0


def test_a_bound_takes_the_dearest_reachable_rate() -> None:
    bound = worst_case(CACHED, input_tokens=1_000, output_tokens=100, web_searches=1)
    assert bound.input_amount == 1_000 * 6_000 + 10**7
    assert bound.pico_per_output_token == 15_000_000
    assert bound.amount == bound.input_amount + 100 * 15_000


def test_a_bound_is_rounded_up() -> None:
    fine = price({PriceUnit.INPUT: Rate(1), PriceUnit.OUTPUT: Rate(1)})
    assert worst_case(fine, input_tokens=1, output_tokens=1).amount == 1


def test_a_bound_reaches_the_tier_that_its_input_can_reach() -> None:
    long = price({PriceUnit.INPUT: Rate(1_000, ((200_000, 2_000),)), PriceUnit.OUTPUT: Rate(1_000)})
    assert worst_case(long, input_tokens=200_000, output_tokens=0).amount == 200_000
    assert worst_case(long, input_tokens=200_001, output_tokens=0).amount == 400_002


def test_a_pinned_tier_rules_out_the_others() -> None:
    tiers = price(
        PLAIN.rates,
        {
            ("service_tier", "default"): {},
            ("service_tier", "priority"): {PriceUnit.INPUT: Rate(300_000)},
            ("service_tier", "flex"): {PriceUnit.INPUT: Rate(75_000)},
        },
    )
    open_bound = worst_case(tiers, input_tokens=10, output_tokens=0)
    pinned = worst_case(tiers, input_tokens=10, output_tokens=0, pinned={"service_tier": "default"})
    assert (open_bound.amount, pinned.amount) == (10 * 300, 10 * 150)


def test_a_call_without_audio_is_not_held_at_the_price_of_audio() -> None:
    audio = price({PriceUnit.INPUT: Rate(5_000_000), PriceUnit.INPUT_AUDIO: Rate(40_000_000)})
    excluded = frozenset({PriceUnit.INPUT_AUDIO})
    assert worst_case(audio, input_tokens=1, output_tokens=0).amount == 40_000
    assert worst_case(audio, input_tokens=1, output_tokens=0, excluded=excluded).amount == 5_000


@pytest.mark.parametrize(
    "context",
    [
        {"service_tier": "ultrafast"},
        {"service_tier": "priority"},
        {"speed": "fast"},
        {"region": "eu"},
    ],
)
def test_a_context_that_may_be_dearer_than_any_price_known_is_unpriced(
    context: dict[str, str],
) -> None:
    """A provider sells a new tier at six times the price before any table lists it."""
    with pytest.raises(Unpriced):
        calculate_cost(PLAIN, TokenUsage(input_tokens=1), context)
    with pytest.raises(Unpriced):
        worst_case(PLAIN, input_tokens=1, output_tokens=1, pinned=context)


@pytest.mark.parametrize("tier", ["default", "standard", "auto", "flex", "batch"])
def test_a_tier_that_is_no_dearer_is_billed_as_listed(tier: str) -> None:
    assert calculate_cost(PLAIN, TokenUsage(input_tokens=1), {"service_tier": tier}).amount == 150


def test_a_place_that_costs_more() -> None:
    at_home = replace(CACHED, surcharges={("region", "us"): 110})
    usage = TokenUsage(input_tokens=100, output_tokens=10, web_searches=1)
    cost = calculate_cost(at_home, usage, {"region": "us"})
    assert cost.amount == 100 * 3_300 + 10 * 16_500 + 10**7
    open_bound = worst_case(at_home, input_tokens=100, output_tokens=10)
    pinned = worst_case(at_home, input_tokens=100, output_tokens=10, pinned={"region": "global"})
    assert (open_bound.amount, pinned.amount) == (825_000, 750_000)


def test_what_a_request_pins() -> None:
    call = ModelCall(dialect=Dialect.OPENAI_CHAT, model="gpt-4o", body=b"{}")
    assert "service_tier" not in pinned_context(call)
    assert pinned_context(call)["speed"] == "standard"


# Bills never exceed bounds: any price, any usage within the ceilings, any context that the
# request does not rule out.

RATES = st.builds(
    Rate,
    st.integers(0, 10**9),
    st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 10**9)), max_size=2).map(
        lambda tiers: tuple(sorted(dict(tiers).items()))
    ),
)
PARTS = [
    PriceUnit.CACHE_READ,
    PriceUnit.CACHE_WRITE_5M,
    PriceUnit.CACHE_WRITE_1H,
    PriceUnit.REASONING,
    PriceUnit.REQUEST,
]
CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "service_tier": st.sampled_from(["flex", "priority"]),
        "speed": st.just("fast"),
        "region": st.sampled_from(["us", "eu"]),
    },
)


@st.composite
def prices(draw: st.DrawFn) -> PriceVersion:
    units = [PriceUnit.INPUT, PriceUnit.OUTPUT, PriceUnit.WEB_SEARCH, PriceUnit.STORAGE_SEARCH]
    units += draw(st.lists(st.sampled_from(PARTS), unique=True))
    rates = {unit: draw(RATES) for unit in units}
    keys = [("service_tier", "flex"), ("service_tier", "priority"), ("speed", "fast")]
    variants = {
        key: {unit: draw(RATES) for unit in draw(st.lists(st.sampled_from(units), unique=True))}
        for key in draw(st.lists(st.sampled_from(keys), unique=True))
    }
    surcharges = draw(st.dictionaries(st.sampled_from(["us", "eu"]), st.integers(50, 200)))
    by_region = {("region", region): percent for region, percent in surcharges.items()}
    return replace(price(rates, variants), surcharges=by_region)


@st.composite
def usages(draw: st.DrawFn) -> TokenUsage:
    """A usage whose parts fit in their totals."""
    parts = draw(st.lists(st.integers(0, 1_000), min_size=4, max_size=4))
    reasoning, answer = draw(st.integers(0, 1_000)), draw(st.integers(0, 1_000))
    return TokenUsage(
        input_tokens=sum(parts),
        cache_read_tokens=parts[0],
        cache_write_5m_tokens=parts[1],
        cache_write_1h_tokens=parts[2],
        output_tokens=reasoning + answer,
        reasoning_tokens=reasoning,
        web_searches=draw(st.integers(0, 3)),
        storage_searches=draw(st.integers(0, 3)),
    )


@given(prices(), usages(), CONTEXTS, st.booleans(), st.integers(0, 500))
def test_no_bill_exceeds_its_bound(
    version: PriceVersion, usage: TokenUsage, context: dict[str, str], pin: bool, slack: int
) -> None:
    known = {*version.variants, *version.surcharges}
    context = {key: value for key, value in context.items() if (key, value) in known}
    bound = worst_case(
        version,
        input_tokens=usage.input_tokens + slack,
        output_tokens=usage.output_tokens + slack,
        web_searches=usage.web_searches + usage.storage_searches,
        pinned=context if pin else {},
    )
    assert calculate_cost(version, usage, context).amount <= bound.amount


@given(prices(), usages())
def test_lines_add_up_and_bill_each_token_once(version: PriceVersion, usage: TokenUsage) -> None:
    cost = calculate_cost(version, usage)
    pico = sum(line.quantity * line.pico_per_unit for line in cost.lines)
    assert abs(cost.amount * 1_000 - pico) <= 500
    events = {PriceUnit.WEB_SEARCH, PriceUnit.STORAGE_SEARCH, PriceUnit.REQUEST}
    tokens = sum(line.quantity for line in cost.lines if line.unit not in events)
    assert tokens == usage.input_tokens + usage.output_tokens


def test_every_count_of_a_usage_reaches_the_bill() -> None:
    """A new field of TokenUsage that the kernel does not read would be free of charge."""
    everything = price(
        {unit: Rate(10**6 + number * 10**4) for number, unit in enumerate(PriceUnit)}
    )
    base = TokenUsage(input_tokens=1_000, output_tokens=1_000)
    for field in fields(TokenUsage):
        more = base + TokenUsage(**{field.name: 7})
        assert calculate_cost(everything, more).amount != calculate_cost(everything, base).amount, (
            field.name
        )
