"""A call under way: its attempts, its stream, its story so far."""
