"""Stripe: checkout, portal, metered usage. Empty until billing is built."""
