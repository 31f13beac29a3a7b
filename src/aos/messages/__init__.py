"""The LLM vocabulary: requests, usage, dialects. Pure data."""

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
    "Labels",
    "Media",
    "MediaKind",
    "ModelCall",
    "Reported",
    "ServerTool",
    "TokenUsage",
]
