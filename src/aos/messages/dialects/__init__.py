"""One file a wire format. `reader(dialect)` is the only way in."""

from typing import Final

from aos.messages.dialects.anthropic_messages import AnthropicMessages
from aos.messages.dialects.model import DialectReader, StreamReader
from aos.messages.dialects.openai_chat import OpenAIChat
from aos.messages.dialects.openai_embeddings import OpenAIEmbeddings
from aos.messages.dialects.openai_responses import OpenAIResponses
from aos.messages.model import Dialect

_READERS: Final[dict[Dialect, DialectReader]] = {
    Dialect.OPENAI_CHAT: OpenAIChat(),
    Dialect.OPENAI_RESPONSES: OpenAIResponses(),
    Dialect.OPENAI_EMBEDDINGS: OpenAIEmbeddings(),
    Dialect.ANTHROPIC_MESSAGES: AnthropicMessages(),
}


def reader(dialect: Dialect) -> DialectReader:
    return _READERS[dialect]


__all__ = ["DialectReader", "StreamReader", "reader"]
