"""Token counts as upstreams write them: missing, null, or of the wrong type is nothing."""

from aos.messages.counts.rules import (
    anthropic_usages,
    count,
    error_message,
    member,
    openai_image_usage,
    openai_usage,
    text,
    text_bytes,
)

__all__ = [
    "anthropic_usages",
    "count",
    "error_message",
    "member",
    "openai_image_usage",
    "openai_usage",
    "text",
    "text_bytes",
]
