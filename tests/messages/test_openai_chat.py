import json

import pytest

from aos.messages import Dialect, InvalidRequest, reader

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
