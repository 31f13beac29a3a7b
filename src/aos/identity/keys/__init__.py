"""API keys: what a caller shows to be let in."""
