"""Config as code: one `aos.yaml` says what should stand, `apply` makes it so, `export` writes it.

Idempotent by name, in one transaction, with a diff. Refuses secrets: a provider's key is named by
its environment variable. Prunes only what an apply made or took over.
"""

from aos.control.config.sections import (
    AgentsSection,
    AliasesSection,
    BudgetsSection,
    KeysSection,
    ProvidersSection,
)
from aos.control.config.service import Configuration

__all__ = [
    "AgentsSection",
    "AliasesSection",
    "BudgetsSection",
    "Configuration",
    "KeysSection",
    "ProvidersSection",
]
