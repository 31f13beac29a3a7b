"""JSON bodies as bytes: read once, checked, and changed only where asked.

Refuses what two parsers could read differently: a repeated or escaped top-level name.
"""

from aos.messages.bodies.rules import (
    Sizes,
    ceiling,
    changes,
    named,
    read,
    read_part,
    sizes,
    spans,
    splice,
    starts_with,
    without,
)

__all__ = [
    "Sizes",
    "ceiling",
    "changes",
    "named",
    "read",
    "read_part",
    "sizes",
    "spans",
    "splice",
    "starts_with",
    "without",
]
