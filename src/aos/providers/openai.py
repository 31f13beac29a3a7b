"""OpenAI, and Azure's deployment of it."""

import re
from collections.abc import Mapping
from typing import Final

from aos.catalog import Model
from aos.messages import Media, MediaKind, ModelCall
from aos.providers import bounds, rules
from aos.providers.model import Ceilings, ProviderConfig, UpstreamAnswer, UpstreamRequest

_TILE_PIXELS: Final = 512
_TILES_MAX: Final = 8
"""A picture is scaled to fit 2048 x 2048, then to 768 on its short side: 4 x 2 tiles at most."""
_PATCH_PIXELS: Final = 32
_PATCH_FACTOR_PERCENT: Final = 246
"""The largest factor that any model multiplies its patches by (gpt-4.1-nano, 2.46)."""
_PICTURE_FRAME_TOKENS: Final = 64
_SMALL_MODEL_TILES: Final = ("gpt-4o-mini", 2_833, 5_667)
_TILES: Final = (85, 170)
"""Base and tile: gpt-4o, gpt-4.1; o1, o3 and gpt-5 take fewer (75 + 150, 70 + 140)."""

_SPEAKS_AT_ONCE: Final = re.compile(r"(ft:)?(gpt-3|gpt-4|chatgpt-4|text-|davinci|babbage)")
"""Models from before reasoning. All others may think, and none of it shows in the stream."""


def picture_tokens(medium: Media, model: str) -> int | None:
    """https://developers.openai.com/api/docs/guides/images-vision, "Calculating costs".

    Some models count tiles, others patches, and `detail` is ignored by many: the dearer of the two
    at full size. Billed counts were seen to follow the patches without their published cap.
    """
    if medium.kind is not MediaKind.IMAGE or not medium.width or not medium.height:
        return None
    tiles = min(_TILES_MAX, _cells(medium, _TILE_PIXELS))
    name, base, tile = _SMALL_MODEL_TILES
    base, tile = (base, tile) if name in model else _TILES
    patches = -(-_cells(medium, _PATCH_PIXELS) * _PATCH_FACTOR_PERCENT // 100)
    return max(base + tile * tiles, patches) + _PICTURE_FRAME_TOKENS


def _cells(medium: Media, pixels: int) -> int:
    return -(-medium.width // pixels) * -(-medium.height // pixels)


PROFILE: Final = bounds.Profile(
    # tiktoken's cookbook: three tokens a message, one for a name, three to prime the answer; a
    # function adds at most twelve beyond its text. The JSON round each is counted besides.
    call_tokens=64,
    message_tokens=8,
    tools_tokens=256,
    tool_tokens=32,
    # tiktoken encodes the bytes as they are.
    wide_growth=1,
    media_tokens=picture_tokens,
    # Not published; four times what the definitions of comparable tools take.
    hidden_tool_tokens={"local_shell": 4_096, "apply_patch": 4_096, "computer": 4_096},
    unbounded_models=("deep-research",),
)


class OpenAIProvider:
    """api.openai.com, or wherever OPENAI_BASE_URL points."""

    def __init__(self, config: ProviderConfig, profile: bounds.Profile = PROFILE) -> None:
        self.config = config
        self.asks_stream_usage = True
        self._profile = profile
        self._own = {"authorization": f"Bearer {config.api_key}"} if config.api_key else {}

    def ceilings(self, call: ModelCall, model: Model) -> Ceilings:
        return bounds.ceilings(call, model, self._profile)

    def output_field(self, call: ModelCall) -> str | None:  # noqa: ARG002 - the dialect's own
        return None

    def hides_reasoning(self, call: ModelCall, model: str | None = None) -> bool:
        if call.reasoning_effort == "none":
            return False
        return _SPEAKS_AT_ONCE.match(model or call.model) is None

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
