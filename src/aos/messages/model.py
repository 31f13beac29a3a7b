"""What a model request asks for and what an answer used, whatever the dialect."""

from dataclasses import dataclass, field
from enum import StrEnum


class Dialect(StrEnum):
    """The wire formats that callers and upstreams speak."""

    OPENAI_CHAT = "openai-chat"
    OPENAI_RESPONSES = "openai-responses"
    OPENAI_EMBEDDINGS = "openai-embeddings"
    ANTHROPIC_MESSAGES = "anthropic-messages"


class MediaKind(StrEnum):
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Media:
    """One inline or referenced medium of a request.

    `width` and `height` are pixels measured from the inline bytes; both 0 when it could not be
    measured (a URL, a file id, an unknown format), which makes its bound the whole window.
    """

    kind: MediaKind
    width: int = 0
    height: int = 0
    detail: str = "auto"


@dataclass(frozen=True, slots=True)
class ServerTool:
    """A tool that the provider runs itself. `uses_max` is None when the request declares none."""

    name: str
    uses_max: int | None = None


@dataclass(frozen=True, slots=True)
class ModelCall:
    """What one request asks for: read from its body, which stays as the caller sent it.

    Sizes are bytes. `text_bytes` is the body without inline media; `wide_bytes` of them are not
    ASCII, and `escapes` counts escaped code units, for tokenizers that normalise before they count.
    """

    dialect: Dialect
    model: str
    body: bytes
    stream: bool = False
    stream_usage_requested: bool = False
    choices: int = 1
    output_tokens_max: int | None = None
    output_field: str | None = None
    """Name of the field that carried `output_tokens_max`."""
    thinking_tokens: int = 0
    """The thinking budget that the output ceiling must exceed; 0 where none is asked for."""
    reasoning_effort: str | None = None
    prediction_bytes: int = 0
    """A predicted output: rejected parts of it are billed as output on top of the answer."""
    output_audio: bool = False
    logprobs: bool = False
    text_bytes: int = 0
    wide_bytes: int = 0
    escapes: int = 0
    messages: int = 0
    tools: int = 0
    server_tools: tuple[ServerTool, ...] = ()
    hidden_tools: tuple[str, ...] = ()
    """Types of client tools whose definitions the provider writes itself (`bash_20250124`)."""
    media: tuple[Media, ...] = ()
    provider_state: tuple[str, ...] = ()
    """Fields that make the provider add context we cannot see (`previous_response_id`, …)."""
    object_ids: tuple[str, ...] = ()
    """Ids of things the provider keeps (responses, files); they must be this tenant's."""
    background: bool = False
    structured: bool = False
    """A JSON schema or JSON mode is asked for: a shortened answer would be broken."""
    service_tier: str | None = None
    speed: str | None = None
    region: str | None = None
    """Where inference must run, as the request says it (`inference_geo`); it may cost more."""
    end_user: str | None = None
    long_context: bool = False
    """A header of the request opens a larger context window than the model's usual one."""
    places: dict[str, tuple[int, int]] = field(default_factory=dict, repr=False, compare=False)
    """Where in `body` the value of each top-level field stands: (start, end)."""


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """What a provider reports to have used. Totals include their parts, parts never overlap.

    `input_tokens` counts every prompt token, cached or not; `output_tokens` every generated one,
    reasoning included. Units: tokens, except the last two, which count events.
    """

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    input_audio_tokens: int = 0
    cache_read_audio_tokens: int = 0
    input_image_tokens: int = 0
    cache_read_image_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    output_audio_tokens: int = 0
    output_image_tokens: int = 0
    web_searches: int = 0
    storage_searches: int = 0

    @property
    def cache_write_tokens(self) -> int:
        return self.cache_write_5m_tokens + self.cache_write_1h_tokens

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        return TokenUsage(
            *(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__)
        )


@dataclass(frozen=True, slots=True)
class Reported:
    """What an answer says of itself; None where it does not say.

    `usages` has one entry for each iteration the provider reports, each priced with the model
    that ran it (None = the answer's own model). An empty tuple means: no usage was reported.
    """

    model: str | None = None
    usages: tuple[tuple[str | None, TokenUsage], ...] = ()
    service_tier: str | None = None
    speed: str | None = None
    region: str | None = None
    response_id: str | None = None
    object_ids: tuple[str, ...] = ()
    """Other things that the provider now keeps for the caller (containers, conversations)."""
    finish_reason: str | None = None
    complete: bool = True
    """False for a stream that ended before its terminal event."""

    @property
    def usage(self) -> TokenUsage:
        if len(self.usages) == 1:
            return self.usages[0][1]
        return sum((usage for _, usage in self.usages), TokenUsage())


@dataclass(frozen=True, slots=True)
class Labels:
    """How a caller labelled a call, in its headers or body."""

    agent_id: str | None = None
    run_id: str | None = None
    workflow: str | None = None
    session_id: str | None = None
    end_user: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
