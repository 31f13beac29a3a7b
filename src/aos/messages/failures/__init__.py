"""Our failures in the words of each dialect."""

from aos.messages.failures.rules import anthropic_error, openai_error

__all__ = ["anthropic_error", "openai_error"]
