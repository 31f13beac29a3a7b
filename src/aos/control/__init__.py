"""The control plane's HTTP doors: one folder per resource.

A door authenticates, opens the transaction, asks the rooms, and shows their answer. It decides
nothing about money or keys itself, and takes no user or tenant from the client's word.
"""

from aos.control.api import create_control_app
from aos.control.config import (
    AgentsSection,
    AliasesSection,
    BudgetsSection,
    Configuration,
    KeysSection,
    ProvidersSection,
)
from aos.control.model import AccessPolicy, ControlServices, Wiring

__all__ = [
    "AccessPolicy",
    "AgentsSection",
    "AliasesSection",
    "BudgetsSection",
    "Configuration",
    "ControlServices",
    "KeysSection",
    "ProvidersSection",
    "Wiring",
    "create_control_app",
]
