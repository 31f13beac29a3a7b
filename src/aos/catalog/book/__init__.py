"""The snapshot of models and prices that every call is looked up in. Pure: no I/O, no clock."""

from aos.catalog.book.model import PriceBook

__all__ = ["PriceBook"]
