"""What xAI's models count."""

import re
from typing import Final

from aos.messages import Media, MediaKind
from aos.providers import bounds

_PICTURE_TOKENS_MAX: Final = 1_792 + 256


def picture_tokens(medium: Media, _model: str) -> int | None:
    """https://docs.x.ai/docs/guides/image-understanding: tiles of 448 pixels, 256 tokens each and
    one more, under 1792 in all.
    """
    measured = medium.kind is MediaKind.IMAGE and medium.width and medium.height
    return _PICTURE_TOKENS_MAX if measured else None


_WITHOUT_REASONING: Final = re.compile(r"non-reasoning|grok-(1|2|3(?!-mini)|beta|vision)")


def ceiling_binds(model: str) -> bool:
    """Grok's reasoning is counted beside `completion_tokens`, and `max_tokens` was seen not to
    bound it (98 tokens billed under a ceiling of 64, BerriAI/litellm#39426), wherever it runs.
    """
    return "grok" not in model or _WITHOUT_REASONING.search(model) is not None


PROFILE: Final = bounds.Profile(media_tokens=picture_tokens, ceiling_binds=ceiling_binds)
