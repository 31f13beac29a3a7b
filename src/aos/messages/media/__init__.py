"""Inline pictures: how big they are, read from the head of their bytes."""

from aos.messages.media.rules import UNMEASURED, inline_data, picture_size

__all__ = ["UNMEASURED", "inline_data", "picture_size"]
