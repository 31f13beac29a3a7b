"""Tenants, users, API keys, agents: who may."""

from aos.identity.model import Agent, AgentStatus, ApiKey, Caller, Scope

__all__ = ["Agent", "AgentStatus", "ApiKey", "Caller", "Scope"]
