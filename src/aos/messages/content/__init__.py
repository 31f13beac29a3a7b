"""What messages hold besides text: inline media with their sizes, and ids of stored files."""

from aos.messages.content.rules import AnthropicContent, ChatContent, ResponsesContent

__all__ = ["AnthropicContent", "ChatContent", "ResponsesContent"]
