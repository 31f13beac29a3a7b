"""What the gateway knows of an upstream, and how it talks to one."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from aos.catalog import Model
from aos.messages import Dialect, ModelCall


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """A configured upstream. `api_key` is a secret: never logged, never returned.

    `base_url` has no trailing slash and ends before `/chat/completions` or `/messages`.
    """

    id: str
    kind: str
    base_url: str
    api_key: str | None = field(default=None, repr=False)
    dialects: frozenset[Dialect] = frozenset()
    price_provider: str | None = None
    """Whose prices apply: an id in the catalogue; None = `id`."""
    own_prices: bool = False
    """Prices are declared beside the upstream in `aos.yaml` (vLLM, Ollama)."""
    anthropic_base_url: str | None = None
    """Where the Anthropic dialect lives when not under `base_url`."""


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What a call can use at most, in tokens; None = nobody knows (unbounded, see `because`)."""

    input_tokens: int | None
    output_tokens: int | None
    web_searches: int = 0
    because: str | None = None
    """The request field that makes it unbounded, for the error message."""
    clampable: bool = True
    """A smaller output ceiling makes the bound smaller by as many tokens a choice. False where
    the upstream bills output that its ceiling does not bind."""


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """Where the bytes go. Header names are lower case; `dialect` is None for what is not a call."""

    url: str
    headers: dict[str, str]
    body: bytes
    method: str = "POST"
    dialect: Dialect | None = None


class UpstreamAnswer(Protocol):
    """One answer, being read. Close it, whatever happened."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    """As they came; `relayed_headers` chooses those that the caller may see."""

    async def read(self, bytes_max: int) -> bytes:
        """The whole body. Raises AnswerTooLarge, UpstreamTimeout, UpstreamBroken."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises UpstreamTimeout, UpstreamBroken."""
        ...

    async def close(self, *, ended: bool = False) -> None:
        """Give the connection back if the answer was read to its end, else cut it.

        `ended` says that the stream's terminal event came: the connection's own end, which is
        bound to follow, is awaited for a moment in the background, so that it can be used again.
        """
        ...


class Provider(Protocol):
    """One upstream. Pure but for what it is constructed with: sending is `Upstreams`'."""

    config: ProviderConfig
    asks_stream_usage: bool
    """False where the upstream reports usage in every stream by itself and refuses to be asked."""

    def ceilings(self, call: ModelCall, model: Model) -> Ceilings:
        """The most that this call can use on this model."""
        ...

    def output_field(self, call: ModelCall) -> str | None:
        """The ceiling's field where the call has none; None = the dialect's own."""
        ...

    def hides_reasoning(self, call: ModelCall, model: str | None = None) -> bool:
        """Whether tokens may be billed that never show in the stream.

        `model` is the upstream's name for it where the call has an alias.
        """
        ...

    def request(
        self,
        call: ModelCall | None,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        method: str = "POST",
    ) -> UpstreamRequest:
        """The call as this upstream wants it: URL, its own credentials, the caller's headers.

        `path` is what the caller asked for after `/v1`, with its query. `call` is None for
        what costs nothing (count_tokens, a stored response).
        """
        ...

    def answer(self, request: UpstreamRequest) -> UpstreamAnswer | None:
        """An answer made in this process; None for every upstream that is really one."""
        ...
