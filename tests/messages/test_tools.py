"""Tools count wherever a request declares them: beside the input, inside it, in a namespace."""

import json
from typing import Any

import pytest

from aos.messages import Dialect, ModelCall, ServerTool, reader

FUNCTION = {"type": "function", "name": "f", "parameters": {}}
SEARCH = {"type": "web_search", "external_web_access": False}
PEEK = {"type": "local_shell"}


def read(**fields: Any) -> ModelCall:
    body = {"model": "gpt-6.1-sol", "input": [], **fields}
    return reader(Dialect.OPENAI_RESPONSES).read_call(json.dumps(body).encode())


def item(kind: str, *tools: Any) -> dict[str, Any]:
    return {"type": kind, "role": "developer", "tools": list(tools)}


def namespace(*tools: Any) -> dict[str, Any]:
    return {"type": "namespace", "name": "n", "description": "", "tools": list(tools)}


@pytest.mark.parametrize("kind", ["additional_tools", "tool_search_output"])
def test_tools_inside_the_input_count_like_those_beside_it(kind: str) -> None:
    beside = read(tools=[FUNCTION, SEARCH, PEEK])
    inside = read(input=[item(kind, FUNCTION, SEARCH, PEEK)])
    assert inside.server_tools == beside.server_tools == (ServerTool("web_search", None),)
    assert inside.tools == beside.tools == 3
    assert inside.hidden_tools == beside.hidden_tools == ("local_shell",)


def test_a_namespace_hides_nothing() -> None:
    call = read(input=[item("additional_tools", namespace(FUNCTION, namespace(SEARCH)))])
    assert call.server_tools == (ServerTool("web_search", None),)
    assert call.tools == 4


def test_stored_things_of_tools_inside_the_input_are_named() -> None:
    files = {"type": "file_search", "vector_store_ids": ["vs_1"]}
    call = read(input=[item("additional_tools", files)])
    assert call.object_ids == ("vs_1",)
    assert call.provider_state == ("tools",)


def test_one_ceiling_of_uses_is_shared_by_tools_beside_and_inside() -> None:
    call = read(tools=[SEARCH], input=[item("additional_tools", SEARCH)], max_tool_calls=3)
    assert sorted(tool.uses_max or 0 for tool in call.server_tools) == [0, 3]


def test_what_a_server_of_tools_listed_declares_nothing() -> None:
    """An `mcp_list_tools` item repeats what an earlier answer found; the entries have no type."""
    listed: dict[str, Any] = {"name": "f", "input_schema": {}, "annotations": None}
    call = read(input=[{"type": "mcp_list_tools", "server_label": "s", "tools": [listed]}])
    assert call.server_tools == ()
