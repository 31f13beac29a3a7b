"""The sections of `aos.yaml`: one file each, between what the file says and a room's verbs."""

from aos.control.config.sections.agents import AgentsSection
from aos.control.config.sections.aliases import AliasesSection
from aos.control.config.sections.budgets import BudgetsSection
from aos.control.config.sections.keys import KeysSection
from aos.control.config.sections.providers import ProvidersSection

__all__ = ["AgentsSection", "AliasesSection", "BudgetsSection", "KeysSection", "ProvidersSection"]
