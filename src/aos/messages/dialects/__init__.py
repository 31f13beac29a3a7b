"""One file a wire format. `reader(dialect)` is the only way in."""

from typing import Final

from aos.messages.dialects.model import DialectReader, StreamReader
from aos.messages.dialects.openai_chat import OpenAIChat
from aos.messages.model import Dialect

_READERS: Final[dict[Dialect, DialectReader]] = {
    Dialect.OPENAI_CHAT: OpenAIChat(),
}


def reader(dialect: Dialect) -> DialectReader:
    return _READERS[dialect]


__all__ = ["DialectReader", "StreamReader", "reader"]
