"""Which tools of an OpenAI request the provider runs itself, and how often at most."""

from aos.messages.tools.rules import (
    ChatTool,
    ResponsesTool,
    chat_server_tools,
    responses_tools,
    with_nested,
)

__all__ = ["ChatTool", "ResponsesTool", "chat_server_tools", "responses_tools", "with_nested"]
