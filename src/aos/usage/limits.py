"""Bounds of what is recorded."""

from datetime import timedelta
from typing import Final

TEXT_CHARACTERS_MAX: Final = 512
"""Longest text of a caller or an upstream that a row keeps; the rest is cut off."""

CALL_EARLIEST: Final = timedelta(hours=1)
"""How long before the instant in a call's id its row may say that it began: clocks differ."""

CALL_LONGEST: Final = timedelta(days=7)
"""How long after a call began its last attempt may begin. Look-ups by id read this far."""

COUNT_MAX: Final = 2**53 - 1
"""Largest number a row keeps: beyond it an upstream is lying. Kept as this number."""

CONTENT_BYTES_MAX: Final = 256 * 1024
"""What is kept of a request, and of an answer, where AOS_STORE_PROMPTS says so."""
