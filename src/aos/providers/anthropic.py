"""Anthropic."""

import re
from collections.abc import Mapping
from typing import Final

from aos.catalog import Model
from aos.messages import Media, MediaKind, ModelCall
from aos.providers import bounds, rules
from aos.providers.model import Ceilings, ProviderConfig, UpstreamAnswer, UpstreamRequest

_VERSION: Final = "2023-06-01"
_PATCH_PIXELS: Final = 28
_PICTURE_TOKENS_MAX: Final = 4_784
"""92 x 52 patches: pictures are scaled down to 2576 pixels on the long side (1568 before)."""
_PICTURE_FRAME_TOKENS: Final = 64

_THINKS_WHEN_TOLD: Final = re.compile(r"claude-(v?[0-3]|instant|(opus|sonnet|haiku)-4)")
"""Models that think only where the request says so; later ones may do it unasked."""


def picture_tokens(medium: Media, _model: str) -> int | None:
    """https://platform.claude.com/docs/en/build-with-claude/vision: a token for each patch of 28
    pixels (about width x height / 750). A PDF is text and pictures: nobody knows without reading.
    """
    if medium.kind is not MediaKind.IMAGE or not medium.width or not medium.height:
        return None
    across, down = -(-medium.width // _PATCH_PIXELS), -(-medium.height // _PATCH_PIXELS)
    return min(across * down, _PICTURE_TOKENS_MAX) + _PICTURE_FRAME_TOKENS


PROFILE: Final = bounds.Profile(
    call_tokens=64,
    message_tokens=16,
    # Published for each model under "Tool use pricing": 264 to 530, and 346 for most.
    tools_tokens=1_024,
    tool_tokens=64,
    # The one tokenizer that Anthropic published normalises with NFKC first
    # (anthropic-tokenizer-typescript, `text.normalize('NFKC')`); later ones are not public.
    wide_growth=11,
    media_tokens=picture_tokens,
    # Published: bash 245, text editor 700, computer use 735 and a prompt of 499; memory's is not,
    # and neither are those of the toolsets, which therefore count as the whole window.
    hidden_tool_tokens={
        "bash_": 512,
        "text_editor_": 1_024,
        "computer_20": 2_048,
        "memory_": 2_048,
    },
    # The header `anthropic-beta: context-1m-…` opens a million tokens on these.
    windows={
        "claude-sonnet-4-0": 1_000_000,
        "claude-sonnet-4-2": 1_000_000,
        "claude-sonnet-4-5": 1_000_000,
    },
)


class AnthropicProvider:
    """api.anthropic.com, or wherever ANTHROPIC_BASE_URL points."""

    def __init__(self, config: ProviderConfig, profile: bounds.Profile = PROFILE) -> None:
        self.config = config
        self.asks_stream_usage = True
        self._profile = profile
        self._own = {"x-api-key": config.api_key} if config.api_key else {}

    def ceilings(self, call: ModelCall, model: Model) -> Ceilings:
        return bounds.ceilings(call, model, self._profile)

    def output_field(self, call: ModelCall) -> str | None:  # noqa: ARG002 - the dialect's own
        return None

    def hides_reasoning(self, call: ModelCall, model: str | None = None) -> bool:
        return hides_reasoning(call, model)

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
        sent.setdefault("anthropic-version", _VERSION)
        return UpstreamRequest(self.config.base_url + path, sent, body, method, dialect)

    def answer(self, request: UpstreamRequest) -> UpstreamAnswer | None:  # noqa: ARG002
        return None


def hides_reasoning(call: ModelCall, model: str | None = None) -> bool:
    """Thinking is streamed summarised or not at all, and billed in full."""
    if call.reasoning_effort is None:
        return _THINKS_WHEN_TOLD.match(model or call.model) is None
    return call.reasoning_effort != "none"
