"""What makers publish of their models and price tables do not carry."""

from aos.catalog.facts.model import CEILINGS, Ceiling, ceiling_of, markers_of, surcharges_of

__all__ = ["CEILINGS", "Ceiling", "ceiling_of", "markers_of", "surcharges_of"]
