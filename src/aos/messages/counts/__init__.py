"""Token counts as upstreams write them: missing, null, or of the wrong type is nothing."""

from aos.messages.counts.rules import count, error_message, member, openai_usage, text, text_bytes

__all__ = ["count", "error_message", "member", "openai_usage", "text", "text_bytes"]
