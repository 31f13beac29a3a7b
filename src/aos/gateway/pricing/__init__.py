"""Bills for what a provider reports."""
