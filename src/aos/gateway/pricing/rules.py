"""Pure: what was used, priced by the model that the provider says it ran."""

from datetime import datetime

from aos.catalog import Cost, PriceBook, PriceVersion, Unpriced, billed_context, calculate_cost
from aos.gateway.model import Candidate
from aos.messages import ModelCall, Reported


class Pricer:
    """Prices what was used. Holds the snapshot that was in force when the call came in."""

    def __init__(self, book: PriceBook, tenant_id: str, at: datetime) -> None:
        self._book = book
        self._tenant_id = tenant_id
        self._at = at

    def price_of(self, candidate: Candidate, model: str | None) -> PriceVersion | None:
        """The price of the model that answered; the asked-for one's where it is not known."""
        if model is None or model == candidate.model:
            return candidate.price
        found = self._book.find_pricing(candidate.prices_of, model, self._at, self._tenant_id)
        return found or candidate.price

    def bill(
        self, candidate: Candidate, call: ModelCall, reported: Reported
    ) -> tuple[Cost, ...] | None:
        """One bill for each reported iteration; None as soon as one cannot be priced."""
        context = billed_context(call, reported)
        bills = []
        for model, usage in reported.usages:
            price = self.price_of(candidate, model or reported.model)
            if price is None:
                return None
            try:
                bills.append(calculate_cost(price, usage, context))
            except Unpriced:
                return None
        return tuple(bills)
