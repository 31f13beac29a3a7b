"""One write: the caller's transaction, and with an `Idempotency-Key` at most once.

    async def create_thing(body: ThingBody, write: AdminWrite, services: Services) -> Response:
        async def work(tx: Transaction) -> ThingAnswer: ...
        return await write.run(work, status=201)

The claim of the key, the change and the answer commit together, so that no crash leaves one
without the others. A failure is not remembered: its repetition is a new try. A secret is not
remembered either: a repeated request that made a key is answered with `"key": null`; whoever has
lost the secret rotates the key.
"""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Depends, Header
from starlette.requests import Request
from starlette.responses import Response

from aos.control.access.api import Services, requires
from aos.control.errors import InvalidIdempotencyKey
from aos.control.limits import IDEMPOTENCY_KEY_LENGTH_MAX
from aos.control.schemas import Answer
from aos.control.writes.store import StoredAnswer, claim_request, store_answer
from aos.identity import Caller, Scope
from aos.infra.postgres import Database, Transaction

REPLAYED: Final = "x-aos-idempotent-replay"


class Write:
    """The write that one request asks for."""

    def __init__(self, database: Database, caller: Caller, key: str | None, digest: bytes) -> None:
        """`digest` is of method, path and body: what a repeated request must agree in."""
        self.caller = caller
        self._database = database
        self._key = key
        self._digest = digest

    async def run(
        self, work: Callable[[Transaction], Awaitable[Answer]], *, status: int = 200
    ) -> Response:
        """Do the work in a tenant transaction, or answer as the first time.

        Raises IdempotencyKeyReused, RequestInProgress, and what the work raises.
        """
        tenant_id, key = self.caller.tenant_id, self._key
        async with self._database.tenant(tenant_id) as tx:
            if key is not None:
                earlier = await claim_request(tx, tenant_id, key, self._digest)
                if earlier is not None:
                    return _json(earlier, {REPLAYED: "true"})
            answer = await work(tx)
            if key is not None:
                kept = StoredAnswer(status, _bytes(answer.lasting()))
                await store_answer(tx, tenant_id, key, kept)
        return _json(StoredAnswer(status, _bytes(answer)), {})


def writes(scope: Scope) -> Callable[..., Awaitable[Write]]:
    """A dependency: the write of a caller whose key has this scope."""

    async def write_of(
        request: Request,
        services: Services,
        caller: Annotated[Caller, Depends(requires(scope))],
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> Write:
        if idempotency_key is not None and not (
            0 < len(idempotency_key) <= IDEMPOTENCY_KEY_LENGTH_MAX
            and idempotency_key.isascii()
            and idempotency_key.isprintable()
        ):
            raise InvalidIdempotencyKey(
                f"Idempotency-Key has 1 to {IDEMPOTENCY_KEY_LENGTH_MAX} visible ASCII characters"
            )
        asked = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
        digest = hashlib.sha256(asked + await request.body()).digest()
        return Write(services.database, caller, idempotency_key, digest)

    return write_of


AdminWrite = Annotated[Write, Depends(writes(Scope.ADMIN))]


def _bytes(answer: Answer) -> bytes:
    return answer.model_dump_json().encode()


def _json(answer: StoredAnswer, headers: dict[str, str]) -> Response:
    return Response(answer.body, answer.status, headers, "application/json")
