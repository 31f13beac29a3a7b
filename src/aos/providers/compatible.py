"""Any upstream that speaks OpenAI's or Anthropic's dialects at its own address."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aos.catalog import Model
from aos.messages import Dialect, ModelCall
from aos.providers import anthropic, bounds, rules
from aos.providers.model import Ceilings, ProviderConfig, UpstreamAnswer, UpstreamRequest

_MESSAGES: Final = "/messages"


@dataclass(frozen=True, slots=True)
class Traits:
    """How an upstream differs from the one whose dialect it speaks."""

    profile: bounds.Profile = bounds.Profile()
    hides_reasoning: bool = True
    """Thinking is billed without being streamed; True where nobody says."""
    output_field: str | None = "max_tokens"
    """The ceiling's name in chat; None = the dialect's own."""
    asks_stream_usage: bool = True


class CompatibleProvider:
    """A row of the table of shipped upstreams, or one that is declared in `aos.yaml`."""

    def __init__(self, config: ProviderConfig, traits: Traits) -> None:
        self.config = config
        self.asks_stream_usage = traits.asks_stream_usage
        self._traits = traits
        self._bearer: dict[str, str] = {}
        self._both: dict[str, str] = {}
        if config.api_key:
            self._bearer = {"authorization": f"Bearer {config.api_key}"}
            # Some of them take Anthropic's own header, some the bearer token that its clients
            # send for `ANTHROPIC_AUTH_TOKEN`.
            self._both = {**self._bearer, "x-api-key": config.api_key}

    def ceilings(self, call: ModelCall, model: Model) -> Ceilings:
        return bounds.ceilings(call, model, self._traits.profile)

    def output_field(self, call: ModelCall) -> str | None:
        return self._traits.output_field if call.dialect is Dialect.OPENAI_CHAT else None

    def hides_reasoning(self, call: ModelCall, model: str | None = None) -> bool:
        if call.dialect is Dialect.ANTHROPIC_MESSAGES:
            return anthropic.hides_reasoning(call, model)
        return self._traits.hides_reasoning and call.reasoning_effort != "none"

    def request(
        self,
        call: ModelCall | None,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        method: str = "POST",
    ) -> UpstreamRequest:
        dialect = call.dialect if call is not None else None
        base_url, own = self.config.base_url, self._bearer
        if path.startswith(_MESSAGES):
            base_url, own = self.config.anthropic_base_url or base_url, self._both
        sent = rules.outgoing_headers(headers, own)
        return UpstreamRequest(base_url + path, sent, body, method, dialect)

    def answer(self, request: UpstreamRequest) -> UpstreamAnswer | None:  # noqa: ARG002
        return None
