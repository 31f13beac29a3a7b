"""Carries one answer: sends the request, reads or relays what comes back."""

from dataclasses import dataclass
from typing import Final

from aos.gateway.errors import UpstreamRefusedCredentials
from aos.gateway.limits import ANSWER_BYTES_MAX, ERROR_BYTES_MAX, ERROR_MESSAGE_CHARACTERS_MAX
from aos.gateway.model import Headers, Reply
from aos.gateway.progress.model import Attempt, Progress
from aos.gateway.relay.rules import answered, cut, refused_upstream, status_for_caller, told_of
from aos.gateway.settlement.model import Outcome
from aos.kit.clock import Clock
from aos.messages import Reported, reader
from aos.providers import (
    UpstreamAnswer,
    UpstreamBroken,
    UpstreamRequest,
    Upstreams,
    UpstreamTimeout,
    relayed_headers,
)
from aos.usage import CONTENT_BYTES_MAX, CallStatus

_REDIRECT: Final = 300
_UNAUTHORIZED: Final = 401
_SERVER_ERROR: Final = 500
_TOO_MANY: Final = 429
_NO_ANSWER: Final = "the upstream answered 200 with what cannot be read or is an error"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What an attempt came to, and what is still to be sent once that is on the books.

    `rest` is the whole body, or the held back end of a stream.
    """

    outcome: Outcome
    status: int
    headers: Headers
    rest: bytes
    another_may_do: bool = False
    """The upstream is overloaded or failing: the next candidate may be asked instead."""


class Relay:
    """One way to an upstream and back."""

    def __init__(self, upstreams: Upstreams, clock: Clock) -> None:
        self._upstreams = upstreams
        self._clock = clock

    async def carry(
        self, progress: Progress, attempt: Attempt, request: UpstreamRequest, reply: Reply
    ) -> Delivery:
        """Raises the upstream's typed errors; `progress.stream` tells how far a stream came."""
        answer = await self._upstreams.send(attempt.candidate.provider, request)
        attempt.upstream_status = answer.status
        attempt.upstream_request_id = _request_id(answer)
        ended = False
        try:
            if answer.status >= _REDIRECT:
                delivery = await self._refusal(answer)
            elif progress.call and progress.call.stream and _is_event_stream(answer):
                delivery = await self._stream(progress, attempt, answer, reply)
            else:
                delivery = await self._whole(progress, attempt, answer)
            ended = True
        finally:
            await answer.close(ended=ended)
        return delivery

    async def _whole(
        self, progress: Progress, attempt: Attempt, answer: UpstreamAnswer
    ) -> Delivery:
        call = progress.call
        assert call is not None
        body = await answer.read(ANSWER_BYTES_MAX)
        if progress.kept is not None:
            progress.kept += body
        reported = reader(call.dialect).read_answer(body)
        fault = None if reported.complete else _NO_ANSWER
        outcome = _outcome(progress, attempt, reported, fault)
        return Delivery(outcome, answer.status, relayed_headers(answer.headers), body)

    async def _stream(
        self, progress: Progress, attempt: Attempt, answer: UpstreamAnswer, reply: Reply
    ) -> Delivery:
        """Relays up to the terminal event, which waits for the settlement."""
        call = progress.call
        assert call is not None
        stream = progress.stream = reader(call.dialect).stream(call)
        headers = relayed_headers(answer.headers) + told_of(attempt, attempt.candidate.model, None)
        await reply.start(answer.status, headers)
        progress.answered = True
        async for chunk in answer.chunks():
            ready = stream.feed(chunk)
            if ready:
                if progress.first_token_at is None:
                    progress.first_token_at = self._clock.monotonic()
                if progress.kept is not None and len(progress.kept) < CONTENT_BYTES_MAX:
                    progress.kept += ready
                await reply.send(ready, last=False)
            if stream.finished:
                break
        rest = stream.finish()
        reported, fault = stream.reported, stream.upstream_error
        if not reported.complete and fault is None:
            raise UpstreamBroken("the upstream ended its stream before it was complete")
        outcome = _outcome(progress, attempt, reported, fault)
        return Delivery(outcome, answer.status, [], rest)

    async def _refusal(self, answer: UpstreamAnswer) -> Delivery:
        """A 3xx, 4xx or 5xx: nothing was spent, and the upstream's own message is kept."""
        body = await _as_much_as_comes(answer)
        message = body[:ERROR_MESSAGE_CHARACTERS_MAX].decode("utf-8", "replace")
        code = "upstream_error"
        if answer.status == _UNAUTHORIZED:
            code = UpstreamRefusedCredentials.code
        error = {"code": code, "status": answer.status, "message": message}
        return Delivery(
            refused_upstream(error),
            status_for_caller(answer.status),
            relayed_headers(answer.headers),
            body,
            another_may_do=answer.status >= _SERVER_ERROR or answer.status == _TOO_MANY,
        )


def _outcome(
    progress: Progress, attempt: Attempt, reported: Reported, fault: str | None
) -> Outcome:
    """What an answer that was read to its end came to; `fault` is an error it ended with.

    A fault may leave the usage half told: enough within a bound, not where there is none.
    """
    assert progress.call is not None
    if reported.usages and (fault is None or attempt.candidate.bound is not None):
        return answered(progress.pricer, attempt, progress.call, reported, fault)
    if fault is None:
        return cut(progress, attempt, CallStatus.OK, said=reported)
    error: dict[str, object] = {"code": "upstream_error", "message": fault}
    return cut(progress, attempt, CallStatus.UPSTREAM_ERROR, error, reported)


async def _as_much_as_comes(answer: UpstreamAnswer) -> bytes:
    """An error's body, cut off where it is too long or breaks off: its status has said it all."""
    body = b""
    try:
        async for chunk in answer.chunks():
            body += chunk
            if len(body) > ERROR_BYTES_MAX:
                break
    except (UpstreamBroken, UpstreamTimeout):
        pass
    return body[:ERROR_BYTES_MAX]


def _is_event_stream(answer: UpstreamAnswer) -> bool:
    for name, value in answer.headers:
        if name.lower() == b"content-type":
            return value.lstrip().lower().startswith(b"text/event-stream")
    return False


def _request_id(answer: UpstreamAnswer) -> str | None:
    for name, value in answer.headers:
        if name.lower() in {b"request-id", b"x-request-id"}:
            return value.decode("latin-1")
    return None
