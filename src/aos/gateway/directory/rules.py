"""Pure: which models of the catalogue a path of the gateway can serve."""

import re
from typing import Final

_ELSEWHERE: Final = re.compile(
    r"^ft-|(?:^|[-_/.])(?:realtime|tts|transcribe|whisper|dall-e|moderation|sora)(?:[-_.\d]|$)"
    r"|gpt-image",
    re.IGNORECASE,
)
"""Names of models that are spoken to by paths of their own (/v1/realtime, /v1/audio, /v1/images),
and `ft-…`: prices of models that somebody fine-tuned, under no name that can be called."""


def has_path(model: str) -> bool:
    """Whether chats, messages, responses or embeddings may be asked of it, by its name."""
    return _ELSEWHERE.search(model) is None
