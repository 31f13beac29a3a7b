"""OpenAI chat completions, and what compatible upstreams make of them."""

from typing import Any, Final

import msgspec
import orjson

from aos.kit.errors import AosError
from aos.messages import bodies, counts
from aos.messages.content import ChatContent
from aos.messages.dialects.model import EventStreamReader, StreamReader
from aos.messages.errors import InvalidRequest
from aos.messages.events import data_of
from aos.messages.failures import openai_error
from aos.messages.limits import CHOICES_MAX
from aos.messages.model import (
    Dialect,
    ModelCall,
    Reported,
    ServerTool,
    TokenUsage,
)
from aos.messages.tools import ChatTool, chat_server_tools

_NOTHING: Final = msgspec.Raw(b"")
_CEILINGS: Final = ("max_completion_tokens", "max_tokens")
# xAI's live search bills each source; OpenRouter's plugins and alternative models spend on others.
_UNBOUNDED_FIELDS: Final = ("search_parameters", "plugins", "models")
_TERMINAL: Final = b"[DONE]"


class _Message(msgspec.Struct, gc=False):
    role: str
    content: msgspec.Raw = _NOTHING


class _StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool | None = None


class _ResponseFormat(msgspec.Struct, gc=False):
    type: str


class _Call(msgspec.Struct, gc=False):
    model: str
    messages: list[_Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: int | None = None
    best_of: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    tools: list[ChatTool] | None = None
    functions: list[msgspec.Raw] | None = None
    response_format: _ResponseFormat | None = None
    service_tier: str | None = None
    reasoning_effort: str | None = None
    prediction: msgspec.Raw = _NOTHING
    modalities: list[str] | None = None
    logprobs: bool | None = None
    web_search_options: msgspec.Raw = _NOTHING
    search_parameters: msgspec.Raw = _NOTHING
    plugins: msgspec.Raw = _NOTHING
    models: msgspec.Raw = _NOTHING
    extra_body: msgspec.Raw = _NOTHING
    user: str | None = None
    safety_identifier: str | None = None


class _Delta(msgspec.Struct, gc=False):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None
    audio: Any = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta | None = None
    text: Any = None
    finish_reason: Any = None


class _Chunk(msgspec.Struct, gc=False):
    id: Any = None
    model: Any = None
    service_tier: Any = None
    choices: list[_Choice] | None = None
    usage: Any = None
    x_groq: Any = None
    error: Any = None


_CALL: Final = msgspec.json.Decoder(_Call)
_CHUNK: Final = msgspec.json.Decoder(_Chunk)


class OpenAIChat:
    """`POST /v1/chat/completions`."""

    def read_call(self, body: bytes) -> ModelCall:
        call = bodies.read(_CALL, body)
        places = bodies.spans(body)
        content = ChatContent()
        for message in call.messages:
            content.read(message.content)
        size = bodies.sizes(body)
        field, ceiling = bodies.ceiling(
            {"max_completion_tokens": call.max_completion_tokens, "max_tokens": call.max_tokens}
        )
        return ModelCall(
            dialect=Dialect.OPENAI_CHAT,
            model=bodies.named(call.model),
            body=body,
            stream=bool(call.stream),
            stream_usage_requested=bool(call.stream_options and call.stream_options.include_usage),
            choices=max(_choices("n", call.n), _choices("best_of", call.best_of)),
            output_tokens_max=ceiling,
            output_field=field,
            reasoning_effort=call.reasoning_effort,
            prediction_bytes=len(memoryview(call.prediction)) if _given(call.prediction) else 0,
            output_audio="audio" in (call.modalities or ()),
            logprobs=bool(call.logprobs),
            text_bytes=len(body) - content.media_bytes,
            wide_bytes=size.wide_bytes,
            escapes=size.escapes,
            messages=len(call.messages),
            tools=len(call.tools or ()) + len(call.functions or ()),
            server_tools=_server_tools(call),
            media=tuple(content.media),
            object_ids=tuple(content.file_ids),
            provider_state=_provider_state(call, content),
            structured=call.response_format is not None and call.response_format.type != "text",
            service_tier=call.service_tier,
            end_user=call.safety_identifier or call.user,
            places=places,
        )

    def rewrite(
        self,
        call: ModelCall,
        *,
        model: str | None = None,
        output_tokens_max: int | None = None,
        output_field: str | None = None,
        ask_stream_usage: bool = False,
    ) -> bytes:
        values = bodies.changes(
            call, model, output_tokens_max, (output_field or _CEILINGS[0], *_CEILINGS)
        )
        if ask_stream_usage and call.stream and not call.stream_usage_requested:
            start, end = call.places.get("stream_options", (0, 0))
            options = orjson.loads(call.body[start:end] or b"null") or {}
            values["stream_options"] = orjson.dumps({**options, "include_usage": True})
        return bodies.splice(call.body, call.places, values) if values else call.body

    def read_answer(self, body: bytes) -> Reported:
        try:
            answer = _CHUNK.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Reported(complete=False)
        usage = counts.openai_usage(answer.usage)
        reasons = (counts.text(choice.finish_reason) for choice in answer.choices or ())
        return Reported(
            model=counts.text(answer.model),
            usages=() if usage is None else ((None, usage),),
            service_tier=counts.text(answer.service_tier),
            response_id=counts.text(answer.id),
            finish_reason=next((reason for reason in reasons if reason), None),
            complete=answer.error is None,
        )

    def stream(self, call: ModelCall) -> StreamReader:
        return _ChatStream(self, remove_usage=not call.stream_usage_requested)

    def error_body(self, error: AosError, request_id: str) -> bytes:
        return orjson.dumps({"error": openai_error(error, request_id)})


class _ChatStream(EventStreamReader):
    """Chunks up to `data: [DONE]`, which is held."""

    def __init__(self, dialect: OpenAIChat, *, remove_usage: bool) -> None:
        super().__init__()
        self._dialect = dialect
        self._remove_usage = remove_usage
        self._model: str | None = None
        self._id: str | None = None
        self._tier: str | None = None
        self._finish_reason: str | None = None
        self._usage: TokenUsage | None = None
        self._plain: Reported | None = None

    @property
    def reported(self) -> Reported:
        return self._plain or Reported(
            model=self._model,
            usages=() if self._usage is None else ((None, self._usage),),
            service_tier=self._tier,
            response_id=self._id,
            finish_reason=self._finish_reason,
            complete=self.upstream_error is None
            and (self.finished or (self._finish_reason is not None and self._usage is not None)),
        )

    def error_event(self, error: AosError, request_id: str) -> bytes:
        return b"data: %b\n\n" % self._dialect.error_body(error, request_id)

    def _take(self, event: bytes) -> bytes:
        data = data_of(event)
        if not data:
            return event
        if data.strip() == _TERMINAL:
            self.finished = True
            return event
        try:
            chunk = _CHUNK.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return event
        self._note(chunk)
        if not self._remove_usage:
            return event
        if chunk.usage is None:
            return event.replace(b',"usage":null', b"", 1)
        return _without_usage(event, data) if chunk.choices else b""

    def _take_plain(self, body: bytes) -> None:
        self._plain = self._dialect.read_answer(body)

    def _note(self, chunk: _Chunk) -> None:
        self._model = counts.text(chunk.model) or self._model
        self._id = counts.text(chunk.id) or self._id
        self._tier = counts.text(chunk.service_tier) or self._tier
        for choice in chunk.choices or ():
            self._finish_reason = counts.text(choice.finish_reason) or self._finish_reason
            self.output_bytes += _generated(choice)
        if chunk.usage is not None or chunk.x_groq is not None:
            usage = chunk.usage or counts.member(chunk.x_groq, "usage")
            self._usage = counts.openai_usage(usage) or self._usage
        if chunk.error is not None:
            self._holding = True
            self.upstream_error = counts.error_message(chunk.error)


def _without_usage(event: bytes, data: bytes) -> bytes:
    """Some upstreams tell the usage beside the last words."""
    try:
        kept = bodies.without(data, "usage")
    except InvalidRequest:
        return event
    return event.replace(data, kept, 1) if data in event else b"data: %b\n\n" % kept


def _choices(name: str, value: int | None) -> int:
    if value is None:
        return 1
    if not 1 <= value <= CHOICES_MAX:
        raise InvalidRequest(f"`{name}` must be between 1 and {CHOICES_MAX}.", param=name)
    return value


def _server_tools(call: _Call) -> tuple[ServerTool, ...]:
    found = chat_server_tools(call.tools or [])
    if _given(call.web_search_options):  # One search a request; no field allows more.
        found.append(ServerTool("web_search_options", 1))
    for name in _UNBOUNDED_FIELDS:
        if _given(getattr(call, name)):
            found.append(ServerTool(name))
    return tuple(found)


def _provider_state(call: _Call, content: ChatContent) -> tuple[str, ...]:
    # Google's compatible endpoint takes `cached_content` in there.
    extra = ("extra_body",) if _given(call.extra_body) else ()
    return ("file_id", *extra) if content.file_ids else extra


def _given(raw: msgspec.Raw) -> bool:
    return memoryview(raw)[:4].tobytes() not in (b"", b"null")


def _generated(choice: _Choice) -> int:
    delta = choice.delta
    if delta is None:
        return counts.text_bytes(choice.text)
    size = counts.text_bytes(delta.content)
    if delta.reasoning_content is not None or delta.reasoning is not None:
        size += counts.text_bytes(delta.reasoning_content or delta.reasoning)
    if delta.tool_calls is not None or delta.function_call is not None:
        size += counts.text_bytes(delta.tool_calls) + counts.text_bytes(delta.function_call)
    if delta.refusal is not None or delta.audio is not None:
        size += counts.text_bytes(delta.refusal) + counts.text_bytes(delta.audio)
    return size
