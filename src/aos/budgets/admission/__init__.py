"""A call asks for its bound: hold, wait, downgrade, clamp, or refuse."""
