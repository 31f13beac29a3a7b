"""Bounds of what is recorded."""

from typing import Final

TEXT_CHARACTERS_MAX: Final = 512
"""Longest text of a caller or an upstream that a row keeps; the rest is cut off."""

PAGE_ITEMS_MAX: Final = 200
PAGE_ITEMS_DEFAULT: Final = 50

COUNT_MAX: Final = 2**53 - 1
"""Largest number a row keeps: beyond it an upstream is lying. Kept as this number."""
