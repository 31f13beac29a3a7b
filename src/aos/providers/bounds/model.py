"""How one upstream turns a request into tokens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aos.messages import Media

MediaTokens = Callable[[Media, str], int | None]
"""(measured medium, model) → tokens at most; None = nobody knows, so the whole window."""


def always(_model: str) -> bool:
    return True


def no_table(_medium: Media, _model: str) -> int | None:
    return None


@dataclass(frozen=True, slots=True)
class Profile:
    """Tokens that an upstream adds to what the request's bytes show.

    The defaults are for upstreams that publish no more: byte-level tokenizers, chat templates of
    open models with room to spare, media unmeasured.
    """

    call_tokens: int = 256
    """Added to every call: a default system prompt, framing, priming of the answer."""
    message_tokens: int = 16
    """Added for each message."""
    tools_tokens: int = 1_024
    """Added once when there are tools: the hidden prompt that explains them."""
    tool_tokens: int = 256
    """Added for each tool: templates print its schema with indentation."""
    wide_growth: int = 3
    """Bytes that normalising makes of one byte of a non-ASCII character: 1 without
    normalisation, 3 for NFC, 11 for NFKC (UAX 15, maximum expansion factors for UTF-8)."""
    media_tokens: MediaTokens = no_table
    hidden_tool_tokens: Mapping[str, int] = field(default_factory=dict)
    """Size of a definition that the provider writes, by the beginning of the tool's type; a type
    that is not here has an unpublished size, so the whole window."""
    windows: Mapping[str, int] = field(default_factory=dict)
    """Context windows above the catalogue's, for calls whose header opens them (`long_context`),
    by beginning of the model."""
    ceiling_binds: Callable[[str], bool] = always
    """Whether the model's output ceiling also bounds its reasoning."""
    unbounded_models: tuple[str, ...] = ()
    """Parts of names of models that search or call tools by themselves, without any limit."""
