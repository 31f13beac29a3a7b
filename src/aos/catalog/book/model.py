"""The price book: an immutable snapshot; looking something up is one dictionary look-up."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from aos.catalog.book.rules import NameMatcher, compile_clause, dashed_date
from aos.catalog.facts import ceiling_of
from aos.catalog.limits import LOOKUPS_KEPT_MAX, MODEL_NAME_CHARACTERS_MAX
from aos.catalog.model import Clause, Model, PriceVersion, Provider

_Versions = tuple[PriceVersion, ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a book is made of. Models stand in matching order: the first whose rule fits wins."""

    providers: Sequence[Provider] = ()
    models: Sequence[tuple[Model, Clause]] = ()
    prices: Sequence[PriceVersion] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    model: Model | None
    table: _Versions = ()
    own: Mapping[str | None, _Versions] = field(default_factory=dict)


@dataclass(slots=True)
class _Listing:
    """One provider's models; its matcher is compiled when it is first asked."""

    provider: Provider
    models: list[Model] = field(default_factory=list)
    rules: list[tuple[int, Clause]] = field(default_factory=list)
    matcher: NameMatcher | None = None

    def find(self, name: str) -> Model | None:
        if self.matcher is None:
            self.matcher = NameMatcher(self.rules)
        position = self.matcher.first(name)
        return None if position is None else self.models[position]


class PriceBook:
    """Models and prices as they stood when it was loaded. Safe to keep for the whole of a call.

    Names of models are matched as vendors' catalogues do: lower case, a compact date read as a
    dashed one, and one step to the providers whose models this one resells. Ids of providers must
    be exact: an upstream that somebody called `my-openai` has no price until it says whose.
    """

    def __init__(self, contents: Contents) -> None:
        self._listings: dict[str, _Listing] = {
            provider.id: _Listing(provider) for provider in contents.providers
        }
        for model, rule in contents.models:
            listing = self._listings.get(model.provider)
            if listing is None:
                provider = Provider(model.provider, model.provider)
                listing = self._listings[model.provider] = _Listing(provider)
            listing.rules.append((len(listing.models), rule))
            listing.models.append(model)
        self._table: dict[tuple[str, str], list[PriceVersion]] = {}
        self._own: dict[tuple[str, str], dict[str | None, list[PriceVersion]]] = {}
        for price in contents.prices:
            self._keep(price)
        self._found: dict[tuple[str, str], _Found] = {}
        self._sellers: dict[str, tuple[str, ...]] = {}

    def find_model(self, provider: str, name: str) -> Model | None:
        """The model that this provider means by `name`; None when nobody lists it."""
        found = self._found.get((provider, name))
        return (found or self._look_up(provider, name)).model

    def find_pricing(
        self, provider: str, name: str, at: datetime, tenant_id: str | None = None
    ) -> PriceVersion | None:
        """The price in force at `at` (aware, UTC) for this tenant; None = unpriced.

        A tenant's own price beats the operator's own, which beats the price table.
        """
        found = self._found.get((provider, name)) or self._look_up(provider, name)
        if found.own:
            for owner in (tenant_id, None):
                versions = found.own.get(owner)
                if versions and (price := _in_force(versions, at)) is not None:
                    return price
        return _in_force(found.table, at)

    def models(self, provider: str | None = None) -> tuple[Model, ...]:
        """Every model, or those of one provider, in the catalogue's order."""
        listings = self._listings.values() if provider is None else [self._listings.get(provider)]
        return tuple(model for listing in listings if listing for model in listing.models)

    def providers(self) -> tuple[Provider, ...]:
        return tuple(listing.provider for listing in self._listings.values())

    def providers_of(self, name: str) -> tuple[str, ...]:
        """Who sells a model of this name: those who list it themselves, its maker first; where
        nobody does, those who resell it. Who of them is configured is for the caller to say.
        """
        known = self._sellers.get(name)
        if known is None:
            known = self._find_sellers(name)
            if len(self._sellers) >= LOOKUPS_KEPT_MAX:
                self._sellers.clear()
            if len(name) <= MODEL_NAME_CHARACTERS_MAX:
                self._sellers[name] = known
        return known

    def find_provider(self, text: str) -> Provider | None:
        """The vendor that a person means by `text`: its id, or another of its names."""
        wanted = text.lower().strip()
        if wanted in self._listings:
            return self._listings[wanted].provider
        for listing in self._listings.values():
            rule = listing.provider.match
            if rule is not None and compile_clause(rule)(wanted):
                return listing.provider
        return None

    def find_maker(self, name: str) -> str | None:
        """The provider that a bare name belongs to by its look: `claude-…` is Anthropic's."""
        wanted = _normal(name)
        if wanted is None:
            return None
        for listing in self._listings.values():
            rule = listing.provider.model_match
            if rule is not None and compile_clause(rule)(wanted):
                return listing.provider.id
        return None

    def _keep(self, price: PriceVersion) -> None:
        if price.own:
            key = (price.provider, price.model.lower())
            self._own.setdefault(key, {}).setdefault(price.tenant_id, []).append(price)
        else:
            self._table.setdefault((price.provider, price.model), []).append(price)

    def _find_sellers(self, name: str) -> tuple[str, ...]:
        wanted = _normal(name)
        if wanted is None:
            return ()
        names = dict.fromkeys((wanted, dashed_date(wanted)))
        listed = [
            provider
            for provider, listing in self._listings.items()
            if any(listing.find(one) is not None for one in names)
        ]
        if not listed:
            return tuple(one for one in self._listings if self.find_model(one, name) is not None)
        maker = self.find_maker(name)
        return tuple(sorted(listed, key=lambda one: one != maker))

    def _look_up(self, provider: str, name: str) -> _Found:
        """Find it, and remember the answer, also that there is none."""
        found = self._search(provider, name)
        if len(self._found) >= LOOKUPS_KEPT_MAX:
            self._found.clear()
        if len(name) <= MODEL_NAME_CHARACTERS_MAX:
            self._found[provider, name] = found
        return found

    def _search(self, provider: str, name: str) -> _Found:
        wanted = _normal(name)
        if wanted is None:
            return _Found(None)
        seller = provider.lower()
        listing = self._listings.get(seller)
        model = self._match(listing, wanted) if listing else None
        table: _Versions = ()
        if model is not None:
            table = tuple(self._table.get((model.provider, model.id), ()))
            if model.provider != seller:
                # A reseller's service tiers are its own: the maker's variants say nothing of them.
                table = tuple(replace(price, variants={}) for price in table)
        own = self._own_prices(seller, wanted, model)
        return _Found(model and _with_ceiling(model, wanted), table, own)

    def _match(self, listing: _Listing, wanted: str) -> Model | None:
        names = dict.fromkeys((wanted, dashed_date(wanted)))
        for name in names:
            resellers = (self._listings.get(other) for other in listing.provider.fallbacks)
            for candidate in (listing, *resellers):
                if candidate and (model := candidate.find(name)) is not None:
                    return model
        return None

    def _own_prices(
        self, seller: str, wanted: str, model: Model | None
    ) -> Mapping[str | None, _Versions]:
        """Own prices for the exact name stand before those for the model it belongs to."""
        names: Iterable[str] = (wanted,) if model is None else (wanted, model.id.lower())
        own: dict[str | None, list[PriceVersion]] = {}
        for name in dict.fromkeys(names):
            for owner, prices in self._own.get((seller, name), {}).items():
                own.setdefault(owner, []).extend(prices)
        return {owner: tuple(prices) for owner, prices in own.items()}


def _with_ceiling(model: Model, wanted: str) -> Model:
    """A dated or special name of a model can have an output ceiling of its own."""
    ceiling = ceiling_of(model.provider, wanted)
    if ceiling is None or ceiling.output_tokens_max in (None, model.output_tokens_max):
        return model
    return replace(model, output_tokens_max=ceiling.output_tokens_max)


def _in_force(versions: _Versions, at: datetime) -> PriceVersion | None:
    """A price for this hour of the day stands before the price for all day."""
    all_day: PriceVersion | None = None
    for price in versions:
        end = price.effective_to
        if price.effective_from > at or (end is not None and end <= at):
            continue
        window = price.daily_window
        if window is None:
            all_day = all_day or price
        elif window[0] <= at.hour * 3600 + at.minute * 60 + at.second < window[1]:
            return price
    return all_day


def _normal(name: str) -> str | None:
    return name.lower() if len(name) <= MODEL_NAME_CHARACTERS_MAX else None
