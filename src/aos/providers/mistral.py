"""What Mistral's models count."""

from typing import Final

from aos.messages import Media, MediaKind
from aos.providers import bounds

_PICTURE_TOKENS_MAX: Final = 64 * 65 + 64


def picture_tokens(medium: Media, _model: str) -> int | None:
    """Pixtral's published encoder: scaled to 1024 pixels, patches of 16, and one token a row
    (mistral-common, `image.py`); later models take larger patches.
    """
    measured = medium.kind is MediaKind.IMAGE and medium.width and medium.height
    return _PICTURE_TOKENS_MAX if measured else None


# Tekken, like tiktoken, encodes the bytes as they are (mistral-common).
PROFILE: Final = bounds.Profile(wide_growth=1, media_tokens=picture_tokens)
