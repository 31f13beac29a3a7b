"""Agents' durable runs: goals, planners, skills, engine. Empty until the first run is built."""
