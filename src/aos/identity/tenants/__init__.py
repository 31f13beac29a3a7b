"""Tenants: whose everything is."""
