"""The official SDKs against the stub, and against our own failures."""

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from aos.kit.errors import AosError
from aos.messages import Dialect, reader
from aos.providers import ProviderConfig, StubProvider, Upstreams

STUB = StubProvider(ProviderConfig(id="stub", kind="stub", base_url="stub:"))
UPSTREAMS = Upstreams(silence_seconds_max=1)
DIALECTS = {
    "/v1/chat/completions": Dialect.OPENAI_CHAT,
    "/v1/responses": Dialect.OPENAI_RESPONSES,
    "/v1/embeddings": Dialect.OPENAI_EMBEDDINGS,
    "/v1/messages": Dialect.ANTHROPIC_MESSAGES,
}


class BudgetExceeded(AosError):
    code = "budget_exceeded"
    status = 402


class Cut(AosError):
    code = "upstream_broken"
    status = 502


async def through_the_stub(request: httpx2.Request) -> httpx2.Response:
    """What the gateway does with a call, without the money."""
    path = request.url.path
    body = await request.aread()
    if path not in DIALECTS:
        sent = STUB.request(None, path.removeprefix("/v1"), body, {}, request.method)
        answer = await UPSTREAMS.send(STUB, sent)
        return httpx2.Response(answer.status, content=await answer.read(1 << 20))
    dialect = reader(DIALECTS[path])
    call = dialect.read_call(body)
    sent_body = dialect.rewrite(call, ask_stream_usage=True)
    sent = STUB.request(call, path.removeprefix("/v1"), sent_body, {})
    counted = dialect.read_call(sent_body).text_bytes
    answer = await UPSTREAMS.send(STUB, sent)
    assert (b"x-aos-stub", b"true") in answer.headers
    if not call.stream:
        return httpx2.Response(200, content=await answer.read(1 << 20))
    stream = dialect.stream(call)
    relayed = b"".join([stream.feed(chunk) async for chunk in answer.chunks()])
    assert stream.finished
    assert stream.reported.complete
    assert stream.reported.usage.input_tokens == -(-counted // 4)
    assert 0 < stream.reported.usage.output_tokens <= stream.output_bytes
    return httpx2.Response(200, content=relayed + stream.finish(), headers=event_stream())


def event_stream() -> dict[str, str]:
    return {"content-type": "text/event-stream"}


async def failing(request: httpx2.Request) -> httpx2.Response:
    """402 in the caller's dialect; a stream is cut after its first half."""
    dialect = reader(DIALECTS[request.url.path])
    call = dialect.read_call(await request.aread())
    if not call.stream:
        error = BudgetExceeded("This key's budget is spent.", limit_usd="0.010000000")
        return httpx2.Response(402, content=dialect.error_body(error, "req_1"))
    answer = await UPSTREAMS.send(STUB, STUB.request(call, "", call.body, {}))
    stream = dialect.stream(call)
    chunks = [chunk async for chunk in answer.chunks()]
    relayed = b"".join(map(stream.feed, chunks[: len(chunks) // 2]))
    cut = stream.error_event(Cut("The upstream cut the connection."), "req_1")
    return httpx2.Response(200, content=relayed + cut, headers=event_stream())


Handler = Any  # An async function from request to response, as httpx takes it.


def openai_client(handler: Handler = through_the_stub) -> openai.AsyncOpenAI:
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    return openai.AsyncOpenAI(
        api_key="k", base_url="http://aos/v1", http_client=http, max_retries=0
    )


def anthropic_client(handler: Handler = through_the_stub) -> anthropic.AsyncAnthropic:
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    return anthropic.AsyncAnthropic(
        api_key="k", base_url="http://aos", http_client=http, max_retries=0
    )


CHAT: Any = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Grüße 日本"}]}
RESPONSE: Any = {"model": "gpt-5", "input": "Grüße 日本"}
MESSAGE: Any = {
    "model": "claude-opus-5-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Grüße 日本"}],
}


async def test_chat() -> None:
    client = openai_client()
    said = await client.chat.completions.create(**CHAT, n=2, max_tokens=5)
    assert [choice.finish_reason for choice in said.choices] == ["length", "length"]
    assert said.usage is not None
    assert said.usage.completion_tokens == 10
    assert said == await client.chat.completions.create(**CHAT, n=2, max_tokens=5)

    stream = await client.chat.completions.create(**CHAT, stream=True)
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    whole = (await client.chat.completions.create(**CHAT)).choices[0].message.content
    assert text == whole
    assert all(chunk.usage is None for chunk in chunks)
    asked = await client.chat.completions.create(
        **CHAT, stream=True, stream_options={"include_usage": True}
    )
    last = [chunk async for chunk in asked][-1]
    assert last.usage is not None
    assert last.choices == []


async def test_responses() -> None:
    client = openai_client()
    said = await client.responses.create(**RESPONSE)
    assert said.status == "completed"
    stream = await client.responses.create(**RESPONSE, stream=True)
    events = [event async for event in stream]
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == said.output_text
    assert [event.sequence_number for event in events] == list(range(len(events)))
    short = await client.responses.create(**RESPONSE, max_output_tokens=2)
    assert short.incomplete_details is not None
    assert short.incomplete_details.reason == "max_output_tokens"
    async with client.responses.stream(**RESPONSE) as helper:
        assert (await helper.get_final_response()).output_text == said.output_text


async def test_embeddings() -> None:
    client = openai_client()
    plain = await client.embeddings.create(
        model="text-embedding-3-small", input=["a", "b"], encoding_format="float"
    )
    packed = await client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    assert len(plain.data) == 2
    assert packed.data[1].embedding == pytest.approx(plain.data[1].embedding, abs=1e-6)
    assert plain.data[0].embedding != plain.data[1].embedding


async def test_messages() -> None:
    client = anthropic_client()
    said = await client.messages.create(**MESSAGE)
    assert said.stop_reason == "end_turn"
    async with client.messages.stream(**MESSAGE) as stream:
        final = await stream.get_final_message()
    assert [block.to_dict()["text"] for block in final.content] == [
        block.to_dict()["text"] for block in said.content
    ]
    assert final.usage.output_tokens == said.usage.output_tokens
    counted = await client.messages.count_tokens(model="m", messages=MESSAGE["messages"])
    assert counted.input_tokens > 0
    nothing = await client.messages.create(**{**MESSAGE, "max_tokens": 0})
    assert nothing.content == []


async def test_a_spent_budget_is_an_error_that_the_sdks_name() -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        await openai_client(failing).chat.completions.create(**CHAT)
    assert caught.value.status_code == 402
    assert (caught.value.type, caught.value.code) == ("insufficient_quota", "budget_exceeded")
    assert caught.value.body["limit_usd"] == "0.010000000"  # type: ignore[index]  # typed as object
    with pytest.raises(anthropic.APIStatusError) as refused:
        await anthropic_client(failing).messages.create(**MESSAGE)
    assert refused.value.status_code == 402
    assert refused.value.type == "billing_error"


async def all_of(stream: AsyncIterator[Any]) -> None:
    async for _ in stream:
        pass


async def test_a_cut_stream_is_an_error_in_every_sdk() -> None:
    client = openai_client(failing)
    for stream in (
        await client.chat.completions.create(**CHAT, stream=True),
        await client.responses.create(**RESPONSE, stream=True),
    ):
        with pytest.raises(openai.APIError, match="cut the connection"):
            await all_of(stream)
    with pytest.raises(anthropic.APIError, match="cut the connection"):
        await all_of(await anthropic_client(failing).messages.create(**MESSAGE, stream=True))


async def test_what_the_stub_does_not_keep_is_not_found() -> None:
    with pytest.raises(openai.NotFoundError):
        await openai_client().responses.retrieve("resp_1")
