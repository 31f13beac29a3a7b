"""Bodies and answers of `/api/v1/prices` and `/api/v1/models`. Rates are dollars, as texts."""

from typing import Annotated, Any, Self

from pydantic import Field

from aos.catalog import (
    Model,
    PriceTerms,
    PriceUnit,
    PriceVersion,
    format_factor,
    format_rates,
)
from aos.control.schemas import Answer, Body, Instant, InstantInput, Label

Rates = Annotated[
    dict[str, Any],
    Field(
        description="Unit → dollars a million tokens (a thousand searches or requests): a decimal "
        'text, or {"base", "tiers": [[input tokens above which it holds, dollars]]}. Units: '
        + ", ".join(PriceUnit),
        examples=[{"input": "2.50", "cache_read": "1.25", "output": "10"}],
    ),
]


class PriceBody(Body):
    """A price of this tenant's own. It beats the table's, from `effective_from` (default now)."""

    provider: Label
    model: Label
    rates: Rates
    variants: Annotated[
        list[tuple[str, str, dict[str, Any]]],
        Field(description='[[key, value, rates]], for example ["service_tier", "flex", {…}].'),
    ] = Field(default_factory=list)
    effective_from: InstantInput | None = None
    effective_to: InstantInput | None = None

    def terms(self) -> PriceTerms:
        return PriceTerms(
            provider=self.provider,
            model=self.model,
            rates=self.rates,
            variants=[list(variant) for variant in self.variants],
            effective_from=self.effective_from,
            effective_to=self.effective_to,
        )


class PriceAnswer(Answer):
    id: str
    provider: str
    model: str
    own: bool = Field(description="Set by people; beats the price table.")
    source: str
    rates: Rates
    variants: list[tuple[str, str, Rates]]
    surcharges: list[tuple[str, str, str]] = Field(description="[[key, value, factor]].")
    daily_window: tuple[int, int] | None = Field(description="Seconds of the UTC day.")
    unmetered: list[str] = Field(
        description="What it is also billed by that is not counted here: the model is unpriced."
    )
    effective_from: Instant
    effective_to: Instant | None

    @classmethod
    def of(cls, price: PriceVersion) -> Self:
        return cls(
            id=price.id,
            provider=price.provider,
            model=price.model,
            own=price.own,
            source=price.source,
            rates=format_rates(price.rates),
            variants=[
                (key, value, format_rates(rates)) for (key, value), rates in price.variants.items()
            ],
            surcharges=[
                (key, value, format_factor(percent))
                for (key, value), percent in price.surcharges.items()
            ],
            daily_window=price.daily_window,
            unmetered=list(price.unmetered),
            effective_from=price.effective_from,
            effective_to=price.effective_to,
        )


class EndedAnswer(Answer):
    id: str
    ended: bool = True


class ImportAnswer(Answer):
    name: str
    version: str
    providers: int
    models: int
    prices: int
    changed: int = Field(description="Prices that began or ended; 0 = everything was known.")


class ModelAnswer(Answer):
    provider: str
    id: str
    name: str
    context_window: int | None
    output_tokens_max: int | None
    rates: Rates | None = Field(description="In force now for this tenant; null = unpriced.")

    @classmethod
    def of(cls, model: Model, price: PriceVersion | None) -> Self:
        known = price is not None and not price.unmetered
        return cls(
            provider=model.provider,
            id=model.id,
            name=model.name,
            context_window=model.context_window,
            output_tokens_max=model.output_tokens_max,
            rates=format_rates(price.rates) if price is not None and known else None,
        )
