"""OpenAI responses, and `/v1/responses/compact`, whose body is a part of it."""

from typing import Any, Final

import msgspec
import orjson

from aos.kit.errors import AosError
from aos.messages import bodies, counts
from aos.messages.content import ResponsesContent
from aos.messages.dialects.model import EventStreamReader, StreamReader
from aos.messages.events import data_of
from aos.messages.failures import openai_error
from aos.messages.model import Dialect, ModelCall, Reported, ServerTool, TokenUsage
from aos.messages.tools import ResponsesTool, responses_tools, with_nested

_NOTHING: Final = msgspec.Raw(b"")
_CEILING: Final = "max_output_tokens"
_TERMINAL: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})
_GENERATED: Final = ".delta"
_IMAGE_MODEL_UNKNOWN: Final = "image_generation"


class _Identified(msgspec.Struct, gc=False):
    id: str | None = None


class _Kind(msgspec.Struct, gc=False):
    type: str | None = None


class _Text(msgspec.Struct, gc=False):
    format: _Kind | None = None


class _Reasoning(msgspec.Struct, gc=False):
    effort: str | None = None


class _Call(msgspec.Struct, gc=False):
    model: str
    input: msgspec.Raw = _NOTHING
    instructions: msgspec.Raw = _NOTHING
    stream: bool | None = None
    background: bool | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    tools: list[ResponsesTool] | None = None
    previous_response_id: str | None = None
    conversation: str | _Identified | None = None
    prompt: _Identified | None = None
    context_management: list[_Kind] | None = None
    text: _Text | None = None
    reasoning: _Reasoning | None = None
    include: list[str] | None = None
    service_tier: str | None = None
    safety_identifier: str | None = None
    user: str | None = None


class _Item(msgspec.Struct, gc=False):
    type: Any = None
    action: Any = None
    container_id: Any = None
    model: Any = None


class _Answer(msgspec.Struct, gc=False):
    id: Any = None
    model: Any = None
    status: Any = None
    error: Any = None
    incomplete_details: Any = None
    service_tier: Any = None
    conversation: Any = None
    usage: Any = None
    tool_usage: Any = None
    created_at: Any = None
    output: list[_Item] | None = None
    tools: list[_Item] | None = None


class _Event(msgspec.Struct, gc=False):
    type: Any = None
    sequence_number: Any = None
    delta: Any = None
    response: _Answer | None = None
    message: Any = None
    error: Any = None


_CALL: Final = msgspec.json.Decoder(_Call)
_ANSWER: Final = msgspec.json.Decoder(_Answer)
_EVENT: Final = msgspec.json.Decoder(_Event)


class OpenAIResponses:
    """`POST /v1/responses`."""

    def read_call(self, body: bytes) -> ModelCall:
        call = bodies.read(_CALL, body)
        places = bodies.spans(body)
        content = ResponsesContent()
        content.read(call.input)
        size = bodies.sizes(body)
        field, ceiling = bodies.ceiling({_CEILING: call.max_output_tokens})
        tools = list(with_nested((*(call.tools or ()), *content.tools)))
        server_tools, hidden_tools = responses_tools(tools, call.max_tool_calls)
        if any(edit.type == "compaction" for edit in call.context_management or ()):
            server_tools = (*server_tools, ServerTool("context_management", 1))
        state, kept = _provider_state(call, content, tools)
        return ModelCall(
            dialect=Dialect.OPENAI_RESPONSES,
            model=bodies.named(call.model),
            body=body,
            stream=bool(call.stream),
            output_tokens_max=ceiling,
            output_field=field,
            reasoning_effort=call.reasoning.effort if call.reasoning else None,
            logprobs="message.output_text.logprobs" in (call.include or ()),
            text_bytes=len(body) - content.media_bytes,
            wide_bytes=size.wide_bytes,
            escapes=size.escapes,
            messages=max(1, content.items) + 1,
            tools=len(tools),
            server_tools=server_tools,
            hidden_tools=hidden_tools,
            media=tuple(content.media),
            provider_state=state,
            object_ids=kept,
            background=bool(call.background),
            structured=_is_structured(call.text),
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
        ask_stream_usage: bool = False,  # noqa: ARG002 - usage always comes in this dialect
    ) -> bytes:
        fields = (output_field or _CEILING,)
        values = bodies.changes(call, model, output_tokens_max, fields)
        return bodies.splice(call.body, call.places, values) if values else call.body

    def read_answer(self, body: bytes) -> Reported:
        try:
            answer = _ANSWER.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Reported(complete=False)
        return _reported(answer, complete=answer.error is None)

    def stream(self, call: ModelCall) -> StreamReader:  # noqa: ARG002 - every stream is alike
        return _ResponseStream(self)

    def error_body(self, error: AosError, request_id: str) -> bytes:
        return orjson.dumps({"error": openai_error(error, request_id)})


class _ResponseStream(EventStreamReader):
    """Events up to `response.completed`, `.incomplete` or `.failed`, which is held."""

    def __init__(self, dialect: OpenAIResponses) -> None:
        super().__init__()
        self._dialect = dialect
        self._answer = _Answer()
        self._sequence_number = -1
        self._plain: Reported | None = None

    @property
    def reported(self) -> Reported:
        complete = self.finished and self.upstream_error is None
        return self._plain or _reported(self._answer, complete=complete)

    def error_event(self, error: AosError, request_id: str) -> bytes:
        """A `response.failed`: coding clients read its `response.error`, the official SDKs raise
        on its `error`.
        """
        answer = self._answer
        failed = {
            "type": "response.failed",
            "sequence_number": self._sequence_number + 1,
            "response": {
                "id": answer.id or f"resp_{request_id}",
                "object": "response",
                "created_at": answer.created_at or 0,
                "status": "failed",
                "error": {"code": error.code, "message": error.message},
                "incomplete_details": None,
                "model": answer.model,
                "output": [],
                "usage": None,
            },
            "error": openai_error(error, request_id),
        }
        return b"event: response.failed\ndata: %b\n\n" % orjson.dumps(failed)

    def _take(self, event: bytes) -> bytes:
        data = data_of(event)
        if not data or data == b"[DONE]":
            return event
        try:
            said = _EVENT.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return event
        self._note(said)
        return event

    def _take_plain(self, body: bytes) -> None:
        self._plain = self._dialect.read_answer(body)

    def _note(self, event: _Event) -> None:
        kind = event.type if isinstance(event.type, str) else ""
        if isinstance(event.sequence_number, int):
            self._sequence_number = event.sequence_number
        if kind.endswith(_GENERATED):
            self.output_bytes += counts.text_bytes(event.delta)
        if event.response is not None:
            self._answer = event.response
        if kind == "error":
            # `response.failed` may follow; nothing that does may leave before settlement.
            self.upstream_error = counts.error_message(event.error or {"message": event.message})
            self._holding = True
        elif kind in _TERMINAL:
            self.finished = True
            if kind == "response.failed":
                self.upstream_error = counts.error_message(self._answer.error)


def _reported(answer: _Answer, *, complete: bool) -> Reported:
    details = answer.incomplete_details
    reason = counts.text(details.get("reason")) if isinstance(details, dict) else None
    return Reported(
        model=counts.text(answer.model),
        usages=_usages(answer),
        service_tier=counts.text(answer.service_tier),
        response_id=counts.text(answer.id),
        object_ids=_object_ids(answer),
        finish_reason=reason or counts.text(answer.status),
        complete=complete,
    )


def _usages(answer: _Answer) -> tuple[tuple[str | None, TokenUsage], ...]:
    """The model's own usage, then that of the tools which bill by themselves."""
    usage = counts.openai_usage(answer.usage)
    if usage is None:
        return ()
    output = answer.output or ()
    searches = sum(1 for item in output if item.type == "web_search_call" and _searches(item))
    files = sum(1 for item in output if item.type == "file_search_call")
    if isinstance(answer.tool_usage, dict):
        searches = counts.count(counts.member(answer.tool_usage, "web_search"), "num_requests")
    tools = TokenUsage(web_searches=searches, storage_searches=files)
    entries = [(None, usage + tools if searches or files else usage)]
    images = counts.openai_image_usage(counts.member(answer.tool_usage, "image_gen"))
    if images is None:
        return tuple(entries)
    named = (
        counts.text(tool.model) for tool in answer.tools or () if tool.type == "image_generation"
    )
    return (*entries, (next(filter(None, named), _IMAGE_MODEL_UNKNOWN), images))


def _searches(item: _Item) -> bool:
    """Opening a page or finding in it is a `web_search_call` too, and is not billed."""
    return not isinstance(item.action, dict) or item.action.get("type") == "search"


def _object_ids(answer: _Answer) -> tuple[str, ...]:
    ids = [counts.text(item.container_id) for item in answer.output or ()]
    if isinstance(answer.conversation, dict):
        ids.append(counts.text(answer.conversation.get("id")))
    return tuple(dict.fromkeys(filter(None, ids)))


def _provider_state(
    call: _Call, content: ResponsesContent, tools: list[ResponsesTool]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(fields that add what we cannot see, ids that must be this tenant's).

    `prompt.id` names a template that people write in OpenAI's console, so it is nobody's.
    """
    conversation = call.conversation
    if isinstance(conversation, _Identified):
        conversation = conversation.id
    named = {
        "previous_response_id": (call.previous_response_id,),
        "conversation": (conversation,),
        "item_reference": tuple(content.references),
        "file_id": tuple(content.file_ids),
        "tools": tuple(i for tool in tools for i in tool.object_ids()),
    }
    fields = [name for name, ids in named.items() if any(ids)]
    if call.prompt is not None:
        fields.append("prompt")
    return tuple(fields), tuple(i for ids in named.values() for i in ids if i)


def _is_structured(text: _Text | None) -> bool:
    return text is not None and text.format is not None and text.format.type not in (None, "text")
