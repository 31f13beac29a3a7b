"""OpenAI, and the way every upstream of its dialects is addressed."""

from collections.abc import Mapping
from typing import Final

from aos.catalog import Model
from aos.messages import ModelCall
from aos.providers import rules
from aos.providers.model import Ceilings, ProviderConfig, UpstreamAnswer, UpstreamRequest

# The tokenizer is byte-level BPE without normalisation (tiktoken), so text is bounded by bytes.
PROFILE: Final = rules.PLAIN


class OpenAIProvider:
    """api.openai.com, or wherever OPENAI_BASE_URL points."""

    def __init__(self, config: ProviderConfig) -> None:
        self.config = config
        self._own = {"authorization": f"Bearer {config.api_key}"} if config.api_key else {}

    def ceilings(self, call: ModelCall, model: Model) -> Ceilings:
        return rules.ceilings(call, model, PROFILE)

    def output_field(self, call: ModelCall) -> str | None:  # noqa: ARG002 - the dialect's own
        return None

    def hides_reasoning(self, call: ModelCall) -> bool:  # noqa: ARG002 - any model may think
        return True

    def request(
        self,
        call: ModelCall | None,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        method: str = "POST",
    ) -> UpstreamRequest:
        dialect = call.dialect if call is not None else None
        sent = rules.outgoing_headers(headers, self._own)
        return UpstreamRequest(self.config.base_url + path, sent, body, method, dialect)

    def answer(self, request: UpstreamRequest) -> UpstreamAnswer | None:  # noqa: ARG002
        return None
