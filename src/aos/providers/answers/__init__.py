"""What the stub says: one file a dialect."""

from typing import Final

from aos.messages import Dialect
from aos.providers.answers.anthropic_messages import MessagesSpeaker
from aos.providers.answers.model import Speaker, prompt_tokens
from aos.providers.answers.openai_chat import ChatSpeaker
from aos.providers.answers.openai_embeddings import EmbeddingsSpeaker
from aos.providers.answers.openai_responses import ResponsesSpeaker

_SPEAKERS: Final[dict[Dialect, Speaker]] = {
    Dialect.OPENAI_CHAT: ChatSpeaker(),
    Dialect.OPENAI_RESPONSES: ResponsesSpeaker(),
    Dialect.OPENAI_EMBEDDINGS: EmbeddingsSpeaker(),
    Dialect.ANTHROPIC_MESSAGES: MessagesSpeaker(),
}


def speaker(dialect: Dialect) -> Speaker:
    return _SPEAKERS[dialect]


__all__ = ["Speaker", "prompt_tokens", "speaker"]
