"""Anthropic messages."""

from typing import Any, Final

import msgspec
import orjson

from aos.kit.errors import AosError
from aos.messages import bodies, counts
from aos.messages.content import AnthropicContent
from aos.messages.dialects.model import EventStreamReader, StreamReader
from aos.messages.errors import InvalidRequest
from aos.messages.events import data_of
from aos.messages.failures import anthropic_error
from aos.messages.model import Dialect, ModelCall, Reported, ServerTool

_NOTHING: Final = msgspec.Raw(b"")
_CEILING: Final = "max_tokens"

# Tools that the caller runs, though Anthropic writes their definitions.
_HIDDEN_TOOLS: Final = ("bash_", "text_editor_", "computer_", "memory_", "browser_")
# The server's own loop pauses after ten rounds by default (stop reason `pause_turn`); what these
# tools find is in the request already.
_TOOL_SEARCH: Final = "tool_search_tool_"
_TOOL_SEARCH_USES_MAX: Final = 10
# These run other models than the one asked for: no bound of ours can hold for them.
_UNBOUNDED_FIELDS: Final = ("mcp_servers", "fallbacks")


class _Message(msgspec.Struct, gc=False):
    role: str
    content: msgspec.Raw = _NOTHING


class _Tool(msgspec.Struct, gc=False):
    type: str | None = None
    max_uses: int | None = None


class _Thinking(msgspec.Struct, gc=False):
    type: str
    budget_tokens: int | None = None


class _Metadata(msgspec.Struct, gc=False):
    user_id: str | None = None


class _OutputConfig(msgspec.Struct, gc=False):
    effort: str | None = None
    format: msgspec.Raw = _NOTHING


class _Edit(msgspec.Struct, gc=False):
    type: str = ""


class _ContextManagement(msgspec.Struct, gc=False):
    edits: list[_Edit] | None = None


class _Container(msgspec.Struct, gc=False):
    id: str | None = None


class _Thread(msgspec.Struct, gc=False):
    previous_message_id: str | None = None


class _Call(msgspec.Struct, gc=False):
    model: str
    messages: list[_Message]
    max_tokens: int | None = None
    stream: bool | None = None
    system: msgspec.Raw = _NOTHING
    tools: list[_Tool] | None = None
    thinking: _Thinking | None = None
    metadata: _Metadata | None = None
    output_config: _OutputConfig | None = None
    output_format: msgspec.Raw = _NOTHING
    context_management: _ContextManagement | None = None
    compaction: msgspec.Raw = _NOTHING
    container: str | _Container | None = None
    thread: _Thread | None = None
    mcp_servers: list[msgspec.Raw] | None = None
    fallbacks: str | list[msgspec.Raw] | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None


class _Answer(msgspec.Struct, gc=False):
    type: Any = None
    id: Any = None
    model: Any = None
    stop_reason: Any = None
    usage: Any = None
    container: Any = None


class _Event(msgspec.Struct, gc=False):
    type: Any = None
    message: _Answer | None = None
    delta: dict[str, Any] | None = None
    content_block: dict[str, Any] | None = None
    usage: Any = None
    error: Any = None


_CALL: Final = msgspec.json.Decoder(_Call)
_ANSWER: Final = msgspec.json.Decoder(_Answer)
_EVENT: Final = msgspec.json.Decoder(_Event)
_GENERATED: Final = ("text", "thinking", "partial_json", "citation", "content")


class AnthropicMessages:
    """`POST /v1/messages`, and `/v1/messages/count_tokens`, whose body is the same."""

    def read_call(self, body: bytes) -> ModelCall:
        call = bodies.read(_CALL, body)
        places = bodies.spans(body)
        content = AnthropicContent()
        content.read(call.system)
        for message in call.messages:
            content.read(message.content)
        size = bodies.sizes(body)
        field, ceiling = bodies.ceiling({_CEILING: call.max_tokens})
        state, kept = _provider_state(call, content)
        tools = call.tools or ()
        thinking, output = call.thinking, call.output_config
        return ModelCall(
            dialect=Dialect.ANTHROPIC_MESSAGES,
            model=bodies.named(call.model),
            body=body,
            stream=bool(call.stream),
            output_tokens_max=ceiling,
            output_field=field,
            thinking_tokens=max(0, thinking.budget_tokens or 0) if thinking else 0,
            reasoning_effort=_effort(thinking, output),
            text_bytes=len(body) - content.media_bytes,
            wide_bytes=size.wide_bytes,
            escapes=size.escapes,
            messages=len(call.messages) + 1,
            tools=len(tools),
            server_tools=_server_tools(call),
            hidden_tools=tuple(
                t.type for t in tools if t.type and t.type.startswith(_HIDDEN_TOOLS)
            ),
            media=tuple(content.media),
            provider_state=state,
            object_ids=kept,
            structured=bodies.starts_with(call.output_format, b"{")
            or (output is not None and bodies.starts_with(output.format, b"{")),
            service_tier=call.service_tier,
            speed=call.speed,
            region=call.inference_geo,
            end_user=call.metadata.user_id if call.metadata else None,
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
        return _reported(answer, answer.usage, complete=answer.type != "error")

    def stream(self, call: ModelCall) -> StreamReader:  # noqa: ARG002 - every stream is alike
        return _MessageStream(self)

    def error_body(self, error: AosError, request_id: str) -> bytes:
        return orjson.dumps(anthropic_error(error, request_id))


class _MessageStream(EventStreamReader):
    """Events up to `message_stop` (or `error`), which is held."""

    def __init__(self, dialect: AnthropicMessages) -> None:
        super().__init__()
        self._dialect = dialect
        self._answer = _Answer()
        self._usage: dict[str, Any] | None = None
        self._plain: Reported | None = None

    @property
    def reported(self) -> Reported:
        ended = self.finished or self._answer.stop_reason is not None
        complete = self.upstream_error is None and ended
        return self._plain or _reported(self._answer, self._usage, complete=complete)

    def error_event(self, error: AosError, request_id: str) -> bytes:
        return b"event: error\ndata: %b\n\n" % self._dialect.error_body(error, request_id)

    def _take(self, event: bytes) -> bytes:
        data = data_of(event)
        if not data:
            return event
        try:
            said = _EVENT.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return event
        take = _TAKERS.get(said.type) if isinstance(said.type, str) else None
        if take is not None:
            take(self, said)
        return event

    def _take_plain(self, body: bytes) -> None:
        self._plain = self._dialect.read_answer(body)

    def start(self, event: _Event) -> None:
        if event.message is not None:
            self._answer = event.message
            self._note_usage(event.message.usage)

    def open_block(self, event: _Event) -> None:
        block = event.content_block or {}
        # The name is generated; the id stands for the tokens that frame a tool's call.
        self.output_bytes += counts.text_bytes(block.get("name"))
        self.output_bytes += counts.text_bytes(block.get("id"))
        self.output_bytes += counts.text_bytes(block.get("data"))

    def grow(self, event: _Event) -> None:
        delta = event.delta or {}
        for name in _GENERATED:
            if name in delta:
                self.output_bytes += counts.text_bytes(delta[name])

    def conclude(self, event: _Event) -> None:
        delta = event.delta or {}
        self._answer.stop_reason = delta.get("stop_reason") or self._answer.stop_reason
        self._answer.container = delta.get("container") or self._answer.container
        self._note_usage(event.usage)

    def stop(self, _event: _Event) -> None:
        self.finished = True

    def fail(self, event: _Event) -> None:
        self.upstream_error = counts.error_message(event.error)
        self.finished = True

    def _note_usage(self, usage: Any) -> None:
        """Counts are cumulative: a later one replaces an earlier, null says nothing."""
        if isinstance(usage, dict):
            said = {name: value for name, value in usage.items() if value is not None}
            self._usage = {**(self._usage or {}), **said}


_TAKERS: Final = {
    "message_start": _MessageStream.start,
    "content_block_start": _MessageStream.open_block,
    "content_block_delta": _MessageStream.grow,
    "message_delta": _MessageStream.conclude,
    "message_stop": _MessageStream.stop,
    "error": _MessageStream.fail,
}


def _reported(answer: _Answer, usage: Any, *, complete: bool) -> Reported:
    said = usage if isinstance(usage, dict) else {}
    holder = answer.container
    container = counts.text(holder.get("id")) if isinstance(holder, dict) else None
    return Reported(
        model=counts.text(answer.model),
        usages=counts.anthropic_usages(usage),
        service_tier=counts.text(said.get("service_tier")),
        speed=counts.text(said.get("speed")),
        region=counts.text(said.get("inference_geo")),
        response_id=counts.text(answer.id),
        object_ids=(container,) if container else (),
        finish_reason=counts.text(answer.stop_reason),
        complete=complete,
    )


def _effort(thinking: _Thinking | None, output: _OutputConfig | None) -> str | None:
    """What makes the model think: the effort asked for, else the kind of thinking."""
    if thinking is not None and thinking.type == "disabled":
        return "none"
    if output is not None and output.effort:
        return output.effort
    return thinking.type if thinking is not None else None


def _server_tools(call: _Call) -> tuple[ServerTool, ...]:
    """Everything that makes the provider sample again by itself.

    A tool of a kind that is not known to run at the caller's counts as one: new kinds must not
    slip through a bound that was made before they existed.
    """
    found = [
        _server_tool(tool)
        for tool in call.tools or ()
        if tool.type not in (None, "custom") and not tool.type.startswith(_HIDDEN_TOOLS)
    ]
    found += [ServerTool(name) for name in _UNBOUNDED_FIELDS if getattr(call, name)]
    edits = (call.context_management and call.context_management.edits) or ()
    if any(edit.type.startswith("compact") for edit in edits):
        found.append(ServerTool("context_management", 1))
    if bodies.starts_with(call.compaction, b"{"):
        found.append(ServerTool("compaction", 1))
    return tuple(found)


def _server_tool(tool: _Tool) -> ServerTool:
    kind = tool.type or ""
    if tool.max_uses is not None and tool.max_uses < 0:
        raise InvalidRequest("`max_uses` must not be negative.", param="tools")
    if kind.startswith(_TOOL_SEARCH):
        return ServerTool(kind, _TOOL_SEARCH_USES_MAX)
    if kind.startswith("advisor_"):
        return ServerTool(kind)
    return ServerTool(kind, tool.max_uses)


def _provider_state(
    call: _Call, content: AnthropicContent
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(fields that add what we cannot see, ids that must be this tenant's)."""
    fields = ["file_id"] if content.file_ids else []
    ids = list(content.file_ids)
    if call.container is not None:
        fields.append("container")
        container = call.container
        ids.append((container.id if isinstance(container, _Container) else container) or "")
    if call.thread is not None and call.thread.previous_message_id:
        fields.append("thread")
        ids.append(call.thread.previous_message_id)
    return tuple(fields), tuple(filter(None, ids))
