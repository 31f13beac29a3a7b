"""Serves what costs nothing; nothing here is held, and nothing is guessed."""

import orjson

from aos.gateway.candidates.service import path_of, sent_headers
from aos.gateway.directory.service import Directory
from aos.gateway.errors import DialectMismatch
from aos.gateway.free.rules import ListedModel, model_shape, models_shape
from aos.gateway.limits import ANSWER_BYTES_MAX, MODELS_LISTED_MAX
from aos.gateway.model import Headers, Incoming, Kind, Reply
from aos.gateway.objects.service import Objects
from aos.gateway.relay.rules import status_for_caller
from aos.messages import reader
from aos.providers import Provider, Upstreams, relayed_headers
from aos.routing import ModelNotFound, allowed, check_allowed


class FreeOperations:
    """The operations of `/v1/*` that cost nothing."""

    def __init__(self, directory: Directory, upstreams: Upstreams, objects: Objects) -> None:
        self._directory = directory
        self._upstreams = upstreams
        self._objects = objects

    async def serve(self, incoming: Incoming, reply: Reply) -> None:
        match incoming.operation.kind:
            case Kind.MODELS:
                await self._models(incoming, reply)
            case Kind.COUNT:
                await self._count(incoming, reply)
            case _:
                await self._retrieve(incoming, reply)

    async def _models(self, incoming: Incoming, reply: Reply) -> None:
        wanted = incoming.operation.object_id
        listed = [
            ListedModel(name, target.price_provider or target.provider, display_name)
            for name, target, display_name in self._directory.listed(incoming.caller.tenant_id)
            if allowed(incoming.caller.models, name, target) and wanted in {None, name}
        ]
        if wanted is None:
            body = orjson.dumps(models_shape(listed[:MODELS_LISTED_MAX], incoming.query))
        elif listed:
            body = orjson.dumps(model_shape(listed[0]))
        else:
            raise ModelNotFound(f"no model named {wanted} can be called with this key")
        await _answer(reply, body)

    async def _count(self, incoming: Incoming, reply: Reply) -> None:
        """Forwarded to a provider that counts; never a guess of ours."""
        call = reader(incoming.operation.dialect).read_call(incoming.body)
        tenant_id = incoming.caller.tenant_id
        for target in self._directory.resolve(tenant_id, call.model):
            check_allowed(incoming.caller.models, call.model, target)
            if self._directory.speaks(tenant_id, target, call.dialect):
                body = reader(call.dialect).rewrite(call, model=target.model)
                provider = self._directory.provider(tenant_id, target.provider)
                await self._forward(incoming, provider, body, reply)
                return
        raise DialectMismatch(f"no provider of {call.model} counts tokens for {call.dialect}")

    async def _retrieve(self, incoming: Incoming, reply: Reply) -> None:
        object_id = incoming.operation.object_id
        assert object_id is not None
        tenant_id = incoming.caller.tenant_id
        kept_at = await self._objects.providers_of(tenant_id, [object_id])
        provider = self._directory.provider(tenant_id, kept_at[object_id])
        await self._forward(incoming, provider, incoming.body, reply)

    async def _forward(
        self, incoming: Incoming, provider: Provider, body: bytes, reply: Reply
    ) -> None:
        request = provider.request(
            None, path_of(incoming), body, sent_headers(incoming), incoming.method
        )
        answer = await self._upstreams.send(provider, request)
        try:
            content = await answer.read(ANSWER_BYTES_MAX)
        finally:
            await answer.close()
        headers: Headers = relayed_headers(answer.headers)
        headers.append((b"x-aos-provider", provider.config.id.encode()))
        headers.append((b"content-length", str(len(content)).encode()))
        await reply.start(status_for_caller(answer.status), headers)
        await reply.send(content, last=True)


async def _answer(reply: Reply, body: bytes) -> None:
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await reply.start(200, headers)
    await reply.send(body, last=True)
