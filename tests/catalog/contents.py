"""A price table as the contents of a book, without a database between them."""

from datetime import datetime
from typing import Any

from aos.catalog import Clause, Model, PriceVersion, Provider
from aos.catalog.book.model import Contents
from aos.catalog.seed import TableRows
from aos.catalog.store import price_of


def contents_of(table: TableRows) -> Contents:
    providers: list[Provider] = []
    models: list[tuple[Model, Clause]] = []
    prices: list[PriceVersion] = []
    for document in table.providers:
        provider = document["id"]
        providers.append(
            Provider(
                provider,
                document["name"],
                document["match"],
                document["model_match"],
                tuple(document["fallbacks"]),
            )
        )
        for one in document["models"]:
            ceilings = one["context_window"], one["output_tokens_max"]
            models.append((Model(provider, one["id"], one["name"], *ceilings), one["match"]))
        prices.extend(
            _price(provider, number, row) for number, row in enumerate(document["prices"])
        )
    return Contents(providers, models, prices)


def _price(provider: str, number: int, row: dict[str, Any]) -> PriceVersion:
    start, end = row["effective_from"], row["effective_to"]
    return price_of(
        {
            **row,
            "id": f"price_{provider}_{number}",
            "provider": provider,
            "source": "test",
            "tenant_id": None,
            "own": False,
            "effective_from": datetime.fromisoformat(start),
            "effective_to": end and datetime.fromisoformat(end),
        }
    )
