"""Agents: owners of keys, budgets and (later) runs."""
