"""The LLM vocabulary: requests, usage, dialects. Pure data."""

from aos.messages.dialects import DialectReader, StreamReader, reader
from aos.messages.errors import InvalidRequest, StreamInvalid
from aos.messages.model import (
    Dialect,
    Labels,
    Media,
    MediaKind,
    ModelCall,
    Reported,
    ServerTool,
    TokenUsage,
)

__all__ = [
    "Dialect",
    "DialectReader",
    "InvalidRequest",
    "Labels",
    "Media",
    "MediaKind",
    "ModelCall",
    "Reported",
    "ServerTool",
    "StreamInvalid",
    "StreamReader",
    "TokenUsage",
    "reader",
]
