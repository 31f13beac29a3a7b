"""What Google's models count; they are reached over its OpenAI-compatible endpoint."""

from typing import Final

from aos.messages import Media, MediaKind
from aos.providers import bounds

_TILE_TOKENS: Final = 258
_TILE_PIXELS_MIN: Final = 256
_TILE_PIXELS_MAX: Final = 768
_PICTURE_TOKENS: Final = 2_240
"""Gemini 3 at its highest media resolution; 1120 by default."""


def picture_tokens(medium: Media, _model: str) -> int | None:
    """https://ai.google.dev/gemini-api/docs/tokens: Gemini 2 counts tiles of two thirds of the
    short side, between 256 and 768 pixels, 258 tokens each; Gemini 3 a fixed number.
    """
    if medium.kind is not MediaKind.IMAGE or not medium.width or not medium.height:
        return None
    short = min(medium.width, medium.height)
    side = min(_TILE_PIXELS_MAX, max(_TILE_PIXELS_MIN, short * 2 // 3))
    tiles = -(-medium.width // side) * -(-medium.height // side)
    return max(_TILE_TOKENS * tiles, _PICTURE_TOKENS)


# Gemma's published SentencePiece model normalises nothing ("identity") and falls back to bytes.
PROFILE: Final = bounds.Profile(wide_growth=1, media_tokens=picture_tokens)
