"""Telling the caller's tools from the provider's.

A tool of a kind that is not known to run at the caller's counts as the provider's: new kinds must
not slip through a bound that was made before they existed.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from aos.messages.errors import InvalidRequest
from aos.messages.model import ServerTool

_CALLERS_CHAT: Final = frozenset({None, "function", "custom"})
_CALLERS: Final = frozenset(
    {
        None,
        "function",
        "custom",
        "namespace",
        "local_shell",
        "apply_patch",
        "computer",
        "computer_use_preview",
    }
)
# Their definitions are the provider's to write, and cost tokens that are not in the request.
_HIDDEN: Final = frozenset({"local_shell", "apply_patch", "computer", "computer_use_preview"})
# These spend on other models or other people's servers: `max_tool_calls` does not bound them.
_BOUNDLESS: Final = frozenset({"image_generation", "mcp"})


class ChatTool(msgspec.Struct, gc=False):
    type: str | None = None


class _Environment(msgspec.Struct, gc=False):
    type: str | None = None
    container_id: str | None = None
    file_ids: list[str] | None = None


class ResponsesTool(msgspec.Struct, gc=False):
    type: str | None = None
    execution: str | None = None
    environment: _Environment | None = None
    container: str | _Environment | None = None
    vector_store_ids: list[str] | None = None
    tools: list["ResponsesTool"] | None = None
    """What a namespace holds."""

    def server_runs(self) -> bool:
        if self.type == "tool_search":
            return self.execution != "client"
        if self.type == "shell":
            return self.environment is not None and self.environment.type != "local"
        return self.type not in _CALLERS

    def object_ids(self) -> Iterator[str]:
        """Stored things that the tool is given."""
        yield from self.vector_store_ids or ()
        for place in (self.container, self.environment):
            if isinstance(place, str):
                yield place
            elif place is not None:
                yield from filter(None, (place.container_id, *(place.file_ids or ())))


def with_nested(tools: Sequence[ResponsesTool]) -> Iterator[ResponsesTool]:
    """The tools and all that stand in their namespaces: a namespace hides nothing from a bound."""
    for tool in tools:
        yield tool
        yield from with_nested(tool.tools or ())


def chat_server_tools(tools: list[ChatTool]) -> list[ServerTool]:
    """Compatible upstreams take server tools in `tools`; chat has no field that bounds them."""
    return [ServerTool(tool.type or "") for tool in tools if tool.type not in _CALLERS_CHAT]


def responses_tools(
    tools: list[ResponsesTool], calls_max: int | None
) -> tuple[tuple[ServerTool, ...], tuple[str, ...]]:
    """(the provider's tools, hidden definitions). `calls_max` is for all tools together, so one
    of them carries it, a search before any other, and the rest have none left.
    """
    if calls_max is not None and calls_max < 0:
        raise InvalidRequest("`max_tool_calls` must not be negative.", param="max_tool_calls")
    hidden = tuple(tool.type for tool in tools if tool.type in _HIDDEN and tool.type)
    names = [tool.type or "" for tool in tools if tool.server_runs()]
    boundless = [ServerTool(name) for name in names if name in _BOUNDLESS]
    bounded = sorted(
        (name for name in names if name not in _BOUNDLESS), key=lambda name: "web" not in name
    )
    if calls_max is None:
        return (*boundless, *(ServerTool(name) for name in bounded)), hidden
    shares = [ServerTool(name, 0 if i else calls_max) for i, name in enumerate(bounded)]
    return (*boundless, *shares), hidden
