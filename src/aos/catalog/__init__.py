"""Models and prices: a versioned table in the database, an integer kernel in memory."""

from aos.catalog.model import Cost, CostLine, Model, PriceUnit, PriceVersion, Rate

__all__ = ["Cost", "CostLine", "Model", "PriceUnit", "PriceVersion", "Rate"]
