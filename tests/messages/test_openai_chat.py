import json

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from aos.catalog import Model
from aos.messages import Dialect, InvalidRequest, reader
from aos.providers import ProviderConfig, StubProvider, Upstreams

CHAT = reader(Dialect.OPENAI_CHAT)


def body(**fields: object) -> bytes:
    call = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], **fields}
    return json.dumps(call, separators=(",", ":")).encode()


def test_what_is_not_changed_is_the_same_object() -> None:
    call = CHAT.read_call(body())
    assert CHAT.rewrite(call) is call.body


def test_only_what_is_asked_for_changes() -> None:
    sent = b'{ "model" : "gpt-4o",\n "messages":[], "unknown": [1.50, "\\u00e9"],"stream":true }'
    call = CHAT.read_call(sent)
    assert CHAT.rewrite(call, model="m", output_tokens_max=7, ask_stream_usage=True) == (
        b'{ "model" : "m",\n "messages":[], "unknown": [1.50, "\\u00e9"],"stream":true '
        b',"max_completion_tokens":7,"stream_options":{"include_usage":true}}'
    )


@pytest.mark.parametrize(
    "text",
    [
        b'{"model":"a","model":"b","messages":[]}',
        b'{"model":"a","messages":[],"n":1,"n":1}',
        b'{"model":"a","messages":[],"\\u006e":9}',
        b'{"model":"a","messages":[],"x":' + b"[" * 100_000,
        b'{"model":"a","messages":[],"x":NaN}',
        b'{"model":"a","messages":[],"x":"\\ud800"}',
        b'{"model":"a","messages":[],"x":"\xff"}',
        b'{"model":"a","messages":[],"n":0}',
        b'{"model":"","messages":[]}',
        b'{"model":1,"messages":[]}',
        b'{"model":"a"}',
        b"[]",
        b"",
    ],
)
def test_bodies_that_mean_nothing_are_refused(text: bytes) -> None:
    with pytest.raises(InvalidRequest):
        CHAT.read_call(text)


async def test_the_stub_speaks_to_the_official_sdk() -> None:
    stub = StubProvider(ProviderConfig(id="stub", kind="stub", base_url="stub:"))
    upstreams = Upstreams(silence_seconds_max=1)
    call = CHAT.read_call(body(max_tokens=5))
    answer = await upstreams.send(stub, stub.request(call, "/chat/completions", call.body, {}))
    said = ChatCompletion.model_validate_json(await answer.read(1 << 20), strict=True)
    assert said.usage is not None
    assert said.usage.completion_tokens == 5
    bound = stub.ceilings(call, Model("openai", "gpt-4o", "gpt-4o", 128_000, 16_384))
    assert bound.output_tokens == 5

    call = CHAT.read_call(body(stream=True))
    sent = CHAT.rewrite(call, ask_stream_usage=True)
    answer = await upstreams.send(stub, stub.request(call, "/chat/completions", sent, {}))
    stream = CHAT.stream(call)
    relayed = b"".join([stream.feed(chunk) async for chunk in answer.chunks()])
    assert stream.finished
    assert stream.finish() == b"data: [DONE]\n\n"
    assert b"usage" not in relayed
    assert stream.reported.complete
    assert 0 < stream.reported.usage.output_tokens <= stream.output_bytes
    for event in relayed.split(b"\n\n")[:-1]:
        ChatCompletionChunk.model_validate_json(event[6:])
