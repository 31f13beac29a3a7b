"""The most output tokens that a model generates, where its maker publishes it."""

from aos.catalog.ceilings.model import Ceiling, published

__all__ = ["Ceiling", "published"]
