"""What the stub says: one file a dialect."""

from typing import Final

from aos.messages import Dialect
from aos.providers.answers.model import Speaker, prompt_tokens
from aos.providers.answers.openai_chat import ChatSpeaker

_SPEAKERS: Final[dict[Dialect, Speaker]] = {
    Dialect.OPENAI_CHAT: ChatSpeaker(),
}


def speaker(dialect: Dialect) -> Speaker:
    return _SPEAKERS[dialect]


__all__ = ["Speaker", "prompt_tokens", "speaker"]
