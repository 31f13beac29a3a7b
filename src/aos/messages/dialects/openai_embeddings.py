"""OpenAI embeddings."""

from typing import Any, Final

import msgspec
import orjson

from aos.kit.errors import AosError
from aos.messages import bodies, counts
from aos.messages.dialects.model import EventStreamReader, StreamReader
from aos.messages.failures import openai_error
from aos.messages.model import Dialect, ModelCall, Reported


class _Call(msgspec.Struct, gc=False):
    model: str
    input: msgspec.Raw
    user: str | None = None


class _Answer(msgspec.Struct, gc=False):
    id: Any = None
    model: Any = None
    usage: Any = None
    error: Any = None


_CALL: Final = msgspec.json.Decoder(_Call)
_INPUTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ANSWER: Final = msgspec.json.Decoder(_Answer)


class OpenAIEmbeddings:
    """`POST /v1/embeddings`. Never streams, generates nothing."""

    def read_call(self, body: bytes) -> ModelCall:
        call = bodies.read(_CALL, body)
        size = bodies.sizes(body)
        texts, has_objects = _inputs(call.input)
        return ModelCall(
            dialect=Dialect.OPENAI_EMBEDDINGS,
            model=bodies.named(call.model),
            body=body,
            text_bytes=len(body),
            wide_bytes=size.wide_bytes,
            escapes=size.escapes,
            messages=texts,
            # Some upstreams embed pictures, given as objects; they are not measured.
            provider_state=("input",) if has_objects else (),
            end_user=call.user,
            places=bodies.spans(body),
        )

    def rewrite(
        self,
        call: ModelCall,
        *,
        model: str | None = None,
        output_tokens_max: int | None = None,  # noqa: ARG002 - there is no output
        output_field: str | None = None,  # noqa: ARG002
        ask_stream_usage: bool = False,  # noqa: ARG002
    ) -> bytes:
        values = bodies.changes(call, model, None, ())
        return bodies.splice(call.body, call.places, values) if values else call.body

    def read_answer(self, body: bytes) -> Reported:
        try:
            answer = _ANSWER.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Reported(complete=False)
        usage = counts.openai_usage(answer.usage)
        return Reported(
            model=counts.text(answer.model),
            usages=() if usage is None else ((None, usage),),
            response_id=counts.text(answer.id),
            complete=answer.error is None,
        )

    def stream(self, call: ModelCall) -> StreamReader:  # noqa: ARG002 - part of the Protocol
        return _NoStream(self)

    def error_body(self, error: AosError, request_id: str) -> bytes:
        return orjson.dumps({"error": openai_error(error, request_id)})


class _NoStream(EventStreamReader):
    """An upstream that streams embeddings all the same: events pass, the plain body is read."""

    def __init__(self, dialect: OpenAIEmbeddings) -> None:
        super().__init__()
        self._dialect = dialect
        self._plain = Reported(complete=False)

    @property
    def reported(self) -> Reported:
        return self._plain

    def error_event(self, error: AosError, request_id: str) -> bytes:
        return self._dialect.error_body(error, request_id)

    def _take(self, event: bytes) -> bytes:
        return event

    def _take_plain(self, body: bytes) -> None:
        self._plain = self._dialect.read_answer(body)


def _inputs(raw: msgspec.Raw) -> tuple[int, bool]:
    """(how many texts, whether one of them is an object). A list of numbers is one text."""
    if not bodies.starts_with(raw, b"["):
        return 1, bodies.starts_with(raw, b"{")
    items = bodies.read_part(_INPUTS, raw)
    kinds = {memoryview(item)[:1].tobytes() for item in items}
    if not kinds & {b'"', b"[", b"{"}:
        return 1, False
    return len(items), b"{" in kinds
