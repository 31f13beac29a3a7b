"""Bounds of the control plane. What exceeds one is refused by name."""

from typing import Final

BODY_BYTES_MAX: Final = 4 * 1024 * 1024
"""Largest body of a control-plane request (413). The gateway has a bound of its own."""

PAGE_SIZE: Final = 50
PAGE_SIZE_MAX: Final = 200
"""Items of one page."""

CURSOR_LENGTH_MAX: Final = 500

IDEMPOTENCY_KEY_LENGTH_MAX: Final = 200

INSTANT_MAX_YEAR: Final = 2200
"""Latest year of an instant that a request may name: any later one is a slip."""
