"""The built-in stub: answers when no provider at all has a key. No network, no model, no cost.

Deterministic: the same request gives the same bytes; ids and times come from the request's hash.
It is priced as the model asked for, and every answer says `x-aos-stub: true`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from aos.catalog import Model
from aos.messages import Dialect, InvalidRequest, ModelCall, reader
from aos.providers import answers, bounds
from aos.providers.errors import AnswerTooLarge
from aos.providers.model import Ceilings, ProviderConfig, UpstreamAnswer, UpstreamRequest

_URL: Final = "stub:"
_PROFILE: Final = bounds.Profile(wide_growth=1, media_tokens=lambda _medium, _model: 0)
"""It counts a quarter of the text's bytes, and nothing else."""


class MemoryAnswer:
    """An answer that is already here; streams come an event at a time."""

    __slots__ = ("_parts", "headers", "status")

    def __init__(self, status: int, parts: Sequence[bytes], *, stream: bool = False) -> None:
        kind = b"text/event-stream; charset=utf-8" if stream else b"application/json"
        self.status = status
        self.headers: Sequence[tuple[bytes, bytes]] = (
            (b"content-type", kind),
            (b"x-aos-stub", b"true"),
        )
        self._parts = parts

    async def read(self, bytes_max: int) -> bytes:
        body = b"".join(self._parts)
        if len(body) > bytes_max:
            raise AnswerTooLarge(f"The stub answered with more than {bytes_max:,} bytes.")
        return body

    async def chunks(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part

    async def close(self, *, ended: bool = False) -> None:  # noqa: ARG002 - part of the Protocol
        self._parts = ()


class StubProvider:
    """Speaks every dialect."""

    def __init__(self, config: ProviderConfig) -> None:
        self.config = config
        self.asks_stream_usage = True

    def ceilings(self, call: ModelCall, model: Model) -> Ceilings:
        bound = bounds.ceilings(call, model, _PROFILE)
        if bound.input_tokens is None:
            return bound
        # Its tokenizer is a rule of its own, so this is no estimate: it is what it will report.
        return replace(bound, input_tokens=answers.prompt_tokens(call))

    def output_field(self, call: ModelCall) -> str | None:  # noqa: ARG002 - part of the Protocol
        return None

    def hides_reasoning(
        self,
        call: ModelCall,  # noqa: ARG002 - it never reasons
        model: str | None = None,  # noqa: ARG002
    ) -> bool:
        return False

    def request(
        self,
        call: ModelCall | None,
        path: str,
        body: bytes,
        headers: Mapping[str, str],  # noqa: ARG002 - nothing of it matters here
        method: str = "POST",
    ) -> UpstreamRequest:
        dialect = call.dialect if call is not None else None
        return UpstreamRequest(_URL + path, {}, body, method, dialect)

    def answer(self, request: UpstreamRequest) -> UpstreamAnswer | None:
        path = request.url.removeprefix(_URL).partition("?")[0]
        if request.dialect is None:
            return _answer_uncounted(path, request)
        try:
            call = reader(request.dialect).read_call(request.body)
        except InvalidRequest as error:
            return MemoryAnswer(400, [reader(request.dialect).error_body(error, "stub")])
        said = answers.speaker(request.dialect)
        if call.stream:
            return MemoryAnswer(200, said.stream(call), stream=True)
        return MemoryAnswer(200, [said.plain(call)])


def _answer_uncounted(path: str, request: UpstreamRequest) -> UpstreamAnswer:
    """What costs nothing: count_tokens; nothing else is kept here, so nothing else is found."""
    if path == "/messages/count_tokens" and request.method == "POST":
        call = reader(Dialect.ANTHROPIC_MESSAGES).read_call(request.body)
        return MemoryAnswer(200, [b'{"input_tokens":%d}' % answers.prompt_tokens(call)])
    return MemoryAnswer(
        404, [b'{"error":{"message":"The stub keeps nothing.","type":"not_found"}}']
    )
