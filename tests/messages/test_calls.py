"""What is read of a request, in each dialect, and what a rewrite leaves alone."""

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aos.messages import (
    Dialect,
    InvalidRequest,
    Media,
    MediaKind,
    ModelCall,
    ServerTool,
    reader,
)

CHAT, RESPONSES = reader(Dialect.OPENAI_CHAT), reader(Dialect.OPENAI_RESPONSES)
EMBEDDINGS, MESSAGES = reader(Dialect.OPENAI_EMBEDDINGS), reader(Dialect.ANTHROPIC_MESSAGES)

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480) + b"\0" * 9
GIF = b"GIF89a" + struct.pack("<HH", 32, 16) + b"\0" * 8
JPEG = (
    b"\xff\xd8"
    b"\xff\xe0\x00\x10JFIF\0"
    + b"\0" * 9
    + b"\xff\xc2\x00\x11\x08"
    + struct.pack(">HH", 1080, 1920)
    + b"\0" * 12
)
WEBP = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\x57\x02\x00" + b"\x8f\x01\x00"
WEBP_LOSSY = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 550, 368)
WEBP_LOSSLESS = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + struct.pack("<I", (99 << 14) | 199)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def picture(data: bytes, **fields: Any) -> dict[str, Any]:
    url = f"data:image/png;base64,{encoded(data)}"
    return {"type": "image_url", "image_url": {"url": url, **fields}}


def chat_with(*parts: Any) -> ModelCall:
    return CHAT.read_call(body(model="m", messages=[{"role": "user", "content": list(parts)}]))


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (PNG, (640, 480)),
        (GIF, (32, 16)),
        (JPEG, (1920, 1080)),
        (WEBP, (600, 400)),
        (WEBP_LOSSY, (550, 368)),
        (WEBP_LOSSLESS, (200, 100)),
        (b"", (0, 0)),
        (b"\x89PNG\r\n\x1a\n", (0, 0)),
        (b"\xff\xd8" + b"\xff\xe0\x00\x02" * 20_000, (0, 0)),
        (b"<svg width='9' height='9'/>", (0, 0)),
    ],
)
def test_pictures_are_measured(data: bytes, size: tuple[int, int]) -> None:
    call = chat_with({"type": "text", "text": "?"}, picture(data, detail="high"))
    assert call.media == (Media(MediaKind.IMAGE, *size, "high"),)
    assert call.text_bytes == len(call.body) - len(encoded(data))


@given(st.binary(max_size=200), st.sampled_from([PNG, GIF, JPEG, WEBP, WEBP_LOSSY, b""]))
def test_hostile_pictures_are_no_error(junk: bytes, head: bytes) -> None:
    for cut in (len(head) // 2, len(head)):
        (medium,) = chat_with(picture(head[:cut] + junk)).media
        assert medium.width >= 0
        assert medium.height >= 0


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "image_url", "image_url": "https://example.com/a.png"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,*not base64*"}},
        {"type": "image_url", "image_url": {"url": "data:,hello"}},
    ],
)
def test_what_cannot_be_measured_is_zero(part: Any) -> None:
    assert chat_with(part).media == (Media(MediaKind.IMAGE),)


def test_every_field_of_a_chat_call() -> None:
    sent = body(
        model="gpt-4o-audio-preview",
        messages=[
            {"role": "system", "content": "Grüße"},
            {
                "role": "user",
                "content": [
                    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                    {"type": "file", "file": {"file_id": "file-1"}},
                    {"type": "file", "file": {"file_data": "data:x;base64,AAAA", "filename": "a"}},
                    {"type": "invented", "invented": {"deep": [1]}},
                ],
            },
        ],
        stream=True,
        stream_options={"include_usage": True},
        n=2,
        max_tokens=10,
        max_completion_tokens=20,
        tools=[{"type": "function", "function": {"name": "f"}}],
        functions=[{"name": "g"}],
        response_format={"type": "json_object"},
        service_tier="flex",
        reasoning_effort="high",
        prediction={"type": "content", "content": "abc"},
        modalities=["text", "audio"],
        audio={"voice": "alloy", "format": "wav"},
        logprobs=True,
        web_search_options={},
        user="someone",
    )
    assert CHAT.read_call(sent) == ModelCall(
        dialect=Dialect.OPENAI_CHAT,
        model="gpt-4o-audio-preview",
        body=sent,
        stream=True,
        stream_usage_requested=True,
        choices=2,
        output_tokens_max=20,
        output_field="max_completion_tokens",
        reasoning_effort="high",
        prediction_bytes=37,
        output_audio=True,
        logprobs=True,
        text_bytes=len(sent) - 4 - 18,
        escapes=2,
        messages=2,
        tools=2,
        server_tools=(ServerTool("web_search_options", 1),),
        media=(Media(MediaKind.AUDIO), Media(MediaKind.DOCUMENT), Media(MediaKind.DOCUMENT)),
        provider_state=("file_id",),
        object_ids=("file-1",),
        structured=True,
        service_tier="flex",
        end_user="someone",
    )


def test_every_field_of_a_message() -> None:
    image = {"type": "image", "source": {"type": "base64", "data": encoded(PNG)}}
    sent = body(
        model="claude-opus-5-5",
        max_tokens=9_000,
        system=[{"type": "text", "text": "S"}],
        messages=[
            {"role": "user", "content": "plain"},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t", "content": [image]},
                    {
                        "type": "document",
                        "source": {"type": "content", "content": [image]},
                    },
                    {"type": "document", "source": {"type": "text", "data": "text"}},
                    {"type": "container_upload", "file_id": "file_1"},
                    {"type": "image", "source": {"type": "file", "file_id": "file_2"}},
                ],
            },
        ],
        tools=[
            {"name": "f", "input_schema": {}},
            {"type": "bash_20250124", "name": "bash"},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
            {"type": "tool_search_tool_regex", "name": "tool_search_tool_regex"},
        ],
        thinking={"type": "enabled", "budget_tokens": 4_000},
        output_config={"effort": "low", "format": {"type": "json_schema", "schema": {}}},
        metadata={"user_id": "u"},
        container={"id": "container_1", "skills": []},
        context_management={"edits": [{"type": "compact_20260112"}]},
        service_tier="standard_only",
        speed="fast",
        inference_geo="us",
    )
    call = MESSAGES.read_call(sent)
    assert call == ModelCall(
        dialect=Dialect.ANTHROPIC_MESSAGES,
        model="claude-opus-5-5",
        body=sent,
        output_tokens_max=9_000,
        output_field="max_tokens",
        thinking_tokens=4_000,
        reasoning_effort="low",
        text_bytes=len(sent) - 2 * len(encoded(PNG)),
        messages=3,
        tools=4,
        server_tools=(
            ServerTool("web_search_20250305", 3),
            ServerTool("tool_search_tool_regex", 10),
            ServerTool("context_management", 1),
        ),
        hidden_tools=("bash_20250124",),
        media=(
            Media(MediaKind.IMAGE, 640, 480),
            Media(MediaKind.IMAGE, 640, 480),
            Media(MediaKind.DOCUMENT),
            Media(MediaKind.IMAGE),
        ),
        provider_state=("file_id", "container"),
        object_ids=("file_1", "file_2", "container_1"),
        structured=True,
        service_tier="standard_only",
        speed="fast",
        region="us",
        end_user="u",
    )


def test_every_field_of_a_response() -> None:
    url = f"data:image/webp;base64,{encoded(WEBP)}"
    screenshot = {"type": "computer_screenshot", "image_url": url}
    sent = body(
        model="gpt-5",
        input=[
            {"role": "user", "content": [{"type": "input_image", "image_url": url}]},
            {"type": "computer_call_output", "call_id": "c", "output": screenshot},
            {"type": "function_call_output", "call_id": "c", "output": "text"},
            {"type": "item_reference", "id": "rs_1"},
            {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAAA"},
            {"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]},
        ],
        stream=True,
        background=True,
        max_output_tokens=77,
        max_tool_calls=4,
        tools=[
            {"type": "function", "name": "f", "parameters": {}},
            {"type": "local_shell"},
            {"type": "file_search", "vector_store_ids": ["vs_1"]},
            {"type": "web_search"},
            {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file-2"]}},
            {"type": "tool_search", "execution": "client"},
        ],
        previous_response_id="resp_1",
        conversation={"id": "conv_1"},
        prompt={"id": "pmpt_1"},
        context_management=[{"type": "compaction", "compact_threshold": 9}],
        text={"format": {"type": "json_schema", "name": "n", "schema": {}}},
        reasoning={"effort": "xhigh"},
        include=["message.output_text.logprobs"],
        service_tier="priority",
        safety_identifier="s",
        user="u",
    )
    assert RESPONSES.read_call(sent) == ModelCall(
        dialect=Dialect.OPENAI_RESPONSES,
        model="gpt-5",
        body=sent,
        stream=True,
        output_tokens_max=77,
        output_field="max_output_tokens",
        reasoning_effort="xhigh",
        logprobs=True,
        text_bytes=len(sent) - 2 * len(encoded(WEBP)),
        messages=7,
        tools=6,
        server_tools=(
            ServerTool("web_search", 4),
            ServerTool("file_search", 0),
            ServerTool("code_interpreter", 0),
            ServerTool("context_management", 1),
        ),
        hidden_tools=("local_shell",),
        media=(
            Media(MediaKind.IMAGE, 600, 400),
            Media(MediaKind.IMAGE, 600, 400),
            Media(MediaKind.DOCUMENT),
        ),
        provider_state=(
            "previous_response_id",
            "conversation",
            "item_reference",
            "file_id",
            "tools",
            "prompt",
        ),
        object_ids=("resp_1", "conv_1", "rs_1", "file-1", "vs_1", "file-2"),
        background=True,
        structured=True,
        service_tier="priority",
        end_user="s",
    )


def test_embeddings_count_their_texts() -> None:
    def texts(value: Any) -> int:
        return EMBEDDINGS.read_call(body(model="m", input=value)).messages

    assert texts("one") == texts([1, 2, 3]) == texts(["one"]) == 1
    assert texts(["one", "two"]) == texts([[1, 2], [3]]) == 2
    assert EMBEDDINGS.read_call(body(model="m", input=[{"image": "x"}])).provider_state == (
        "input",
    )


def test_wide_bytes_and_escapes() -> None:
    call = CHAT.read_call('{"model":"m","messages":[],"x":"日本 é \\u65e5 \\\\u65e5 \\n"}'.encode())
    assert (call.wide_bytes, call.escapes) == (8, 1)


@pytest.mark.parametrize(
    ("dialect", "fields", "param"),
    [
        (CHAT, {"model": "m", "messages": [], "max_tokens": "5"}, "max_tokens"),
        (CHAT, {"model": "m", "messages": [], "max_tokens": -1}, "max_tokens"),
        (CHAT, {"model": "m", "messages": [], "max_tokens": 1 << 40}, "max_tokens"),
        (CHAT, {"model": "m", "messages": [], "max_tokens": 1.5}, "max_tokens"),
        (CHAT, {"model": "m", "messages": [], "n": 129}, "n"),
        (CHAT, {"model": "m", "messages": [], "n": True}, "n"),
        (CHAT, {"model": "m", "messages": {}}, "messages"),
        (CHAT, {"model": "m", "messages": ["text"]}, "messages[0]"),
        (CHAT, {"model": "x" * 257, "messages": []}, "model"),
        (CHAT, {"messages": []}, None),
        (MESSAGES, {"model": "m", "messages": [], "tools": [{"max_uses": "3"}]}, "tools"),
        (
            MESSAGES,
            {"model": "m", "messages": [], "tools": [{"type": "x", "max_uses": -3}]},
            "tools",
        ),
        (RESPONSES, {"model": "m", "max_tool_calls": -1}, "max_tool_calls"),
        (EMBEDDINGS, {"model": "m"}, None),
    ],
)
def test_wrong_fields_are_named(dialect: Any, fields: Any, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        dialect.read_call(body(**fields))
    assert caught.value.status == 400
    named = caught.value.details.get("param")
    assert named is None if param is None else str(named).startswith(param)


def test_content_inside_content_has_an_end() -> None:
    content: list[Any] = []
    for _ in range(20):
        content = [{"type": "tool_result", "content": content}]
    with pytest.raises(InvalidRequest, match="nested"):
        MESSAGES.read_call(body(model="m", messages=[{"role": "user", "content": content}]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
NAMES = st.text("abcmodelé日", min_size=1, max_size=5)


@given(
    fields=st.lists(st.tuples(NAMES, JSON), max_size=6),
    indent=st.sampled_from([None, 0, 3]),
    compact=st.booleans(),
)
def test_a_rewrite_changes_what_it_says_and_repeated_names_are_refused(
    fields: list[tuple[str, Any]], indent: int | None, *, compact: bool
) -> None:
    fields = [("unknown" if name == "model" else name, value) for name, value in fields]
    separators = (",", ":") if compact else (" , ", " : ")
    members = [("model", "m"), ("messages", []), *fields]
    space = "\n" + " " * indent if indent is not None else ""
    text = "{%s}" % separators[0].join(  # noqa: UP031 - braces
        f"{space}{json.dumps(name, ensure_ascii=False)}{separators[1]}{json.dumps(value)}{space}"
        for name, value in members
    )
    names = [name for name, _ in members]
    if len(set(names)) < len(names):
        with pytest.raises(InvalidRequest, match="given twice"):
            CHAT.read_call(text.encode())
        return
    call = CHAT.read_call(text.encode())
    changed = CHAT.rewrite(call, model="other", output_tokens_max=9)
    assert json.loads(changed) == {**dict(members), "model": "other", "max_completion_tokens": 9}
    assert len(changed) == len(text.encode()) + 4 + len(b',"max_completion_tokens":9')
    assert CHAT.rewrite(call, model="m") is call.body


def test_every_ceiling_that_is_there_is_lowered() -> None:
    call = CHAT.read_call(
        b'{"model":"m","messages":[],"max_tokens":50,"max_completion_tokens":null}'
    )
    assert CHAT.rewrite(call, output_tokens_max=7) == (
        b'{"model":"m","messages":[],"max_tokens":7,"max_completion_tokens":7}'
    )
    call = CHAT.read_call(b'{"model":"m","messages":[]}')
    assert b'"max_tokens":7' in CHAT.rewrite(call, output_tokens_max=7, output_field="max_tokens")
    call = RESPONSES.read_call(b'{"model":"m","input":"x"}')
    assert b'"max_output_tokens":7' in RESPONSES.rewrite(call, output_tokens_max=7)


def test_other_stream_options_stay() -> None:
    call = CHAT.read_call(
        b'{"model":"m","messages":[],"stream":true,"stream_options":{"include_obfuscation":false}}'
    )
    assert b'{"include_obfuscation":false,"include_usage":true}' in CHAT.rewrite(
        call, ask_stream_usage=True
    )
    plain = CHAT.read_call(b'{"model":"m","messages":[]}')
    assert CHAT.rewrite(plain, ask_stream_usage=True) is plain.body
