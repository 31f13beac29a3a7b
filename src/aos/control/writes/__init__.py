"""Writes that may be repeated: one transaction for the change and the memory of its answer."""
