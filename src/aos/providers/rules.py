"""What a call can cost at most in tokens, which headers pass, what a cut-off call is posted as."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from aos.catalog import Model
from aos.messages import Dialect, Media, ModelCall, Reported, TokenUsage
from aos.providers.model import Ceilings

MediaTokens = Callable[[Media, str], int | None]
"""Tokens of a measured medium for a model; None = nobody knows, the whole window."""


def no_table(_medium: Media, _model: str) -> int | None:
    return None


@dataclass(frozen=True, slots=True)
class Profile:
    """How one upstream turns a request into tokens. Each number has its source where it is set."""

    call_tokens: int = 0
    """Added to every call: framing, priming of the answer."""
    message_tokens: int = 0
    """Added for each message."""
    tools_tokens: int = 0
    """Added once when there are tools: the hidden system prompt that explains them."""
    tool_tokens: int = 0
    """Added for each tool, beyond the bytes of its schema."""
    normalises: bool = False
    """The tokenizer applies NFKC: one character can become many before it is counted."""
    media_tokens: MediaTokens = no_table


# NFKC's worst case is U+FDFA: 3 bytes of UTF-8 become 33. Escaped, it is 6 bytes of ASCII.
_NFKC_GROWTH: Final = 11
_NFKC_ESCAPE_BYTES: Final = 33

PLAIN: Final = Profile(call_tokens=64, message_tokens=16, tools_tokens=1024, tool_tokens=64)
"""For upstreams that publish no more: generous framing, no NFKC, media unmeasured."""


def text_tokens_max(call: ModelCall, profile: Profile) -> int:
    """A byte-level tokenizer never makes more tokens than there are bytes of UTF-8, and JSON's
    escapes only make these more: so the body's own length is a bound that needs no tokenizer.
    """
    text = call.text_bytes
    if profile.normalises:
        text += call.wide_bytes * (_NFKC_GROWTH - 1) + call.escapes * _NFKC_ESCAPE_BYTES
    framing = profile.call_tokens + call.messages * profile.message_tokens
    if call.tools or call.server_tools:
        framing += profile.tools_tokens + call.tools * profile.tool_tokens
    return text + framing


def ceilings(call: ModelCall, model: Model, profile: Profile) -> Ceilings:
    """The most that a call can use; unbounded names the field that makes it so."""
    if call.background:
        return _unbounded("background")
    undeclared = next((tool for tool in call.server_tools if tool.uses_max is None), None)
    if undeclared is not None:
        return _unbounded(undeclared.name)
    output = _output_max(call, model)
    if output is None:
        return _unbounded(call.output_field or "max_tokens")
    window = model.context_window
    needs_window = _needs_window(call, profile)
    if window is None and needs_window is not None:
        return _unbounded(needs_window)
    text = text_tokens_max(call, profile) + _media_tokens(call, profile)
    once = text if window is None else min(text, window)
    if window is not None and needs_window is not None:
        once = window * (1 + sum(tool.uses_max or 0 for tool in call.server_tools))
    searches = sum(t.uses_max or 0 for t in call.server_tools if "search" in t.name)
    return Ceilings(once, output, web_searches=searches)


def _unbounded(field: str) -> Ceilings:
    return Ceilings(None, None, because=field)


def _output_max(call: ModelCall, model: Model) -> int | None:
    if call.dialect is Dialect.OPENAI_EMBEDDINGS:
        return 0
    ceiling = call.output_tokens_max
    if ceiling is None:
        ceiling = model.output_tokens_max or model.context_window
    if ceiling is None:
        return None
    if call.thinking_tokens >= ceiling:
        # Interleaved thinking: the budget is for the turn, and may exceed the ceiling.
        ceiling += call.thinking_tokens
    return call.choices * ceiling + call.prediction_bytes


def _needs_window(call: ModelCall, profile: Profile) -> str | None:
    """The field that makes the provider add what we cannot measure."""
    if call.provider_state:
        return call.provider_state[0]
    if call.server_tools:
        return call.server_tools[0].name
    for medium in call.media:
        if profile.media_tokens(medium, call.model) is None:
            return medium.kind.value
    return None


def _media_tokens(call: ModelCall, profile: Profile) -> int:
    return sum(profile.media_tokens(medium, call.model) or 0 for medium in call.media)


_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
    }
)
_OURS: Final = frozenset(
    {
        "host",
        "content-length",
        "content-encoding",
        "accept-encoding",
        "authorization",
        "api-key",
        "x-api-key",
        "x-goog-api-key",
        "x-tenant-id",
        "cookie",
        "forwarded",
        "via",
    }
)
_DROPPED: Final = _HOP_BY_HOP | _OURS
_DROPPED_PREFIXES: Final = ("x-aos-", "x-forwarded-", "cf-", "sec-")
_RELAYED: Final = frozenset(
    {
        b"content-type",
        b"retry-after",
        b"retry-after-ms",
        b"request-id",
        b"x-request-id",
        b"x-should-retry",
        b"x-aos-stub",
        b"anthropic-organization-id",
    }
)
_RELAYED_PREFIXES: Final = (b"x-ratelimit-", b"anthropic-ratelimit-", b"openai-")


def outgoing_headers(headers: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """The caller's headers without its credentials and ours to say, then the provider's own.

    Names are lower case on both sides.
    """
    passed = {
        name: value
        for name, value in headers.items()
        if name not in _DROPPED and not name.startswith(_DROPPED_PREFIXES)
    }
    # Compressed answers would have to be decoded to be metered; asking for none is cheaper.
    return {**passed, "accept-encoding": "identity", **own}


def relayed_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Those of an answer that the caller may see: an allow-list, names in lower case."""
    lowered = ((name.lower(), value) for name, value in headers)
    return [
        (name, value)
        for name, value in lowered
        if name in _RELAYED or name.startswith(_RELAYED_PREFIXES)
    ]


def estimate_cut(
    call: ModelCall,
    bound: Ceilings,
    reported: Reported,
    *,
    output_bytes: int,
    hidden_reasoning: bool,
) -> TokenUsage:
    """What a call that was cut off is posted as, marked estimated.

    Input: what was reported before the cut, else the bound. Output: the bytes that came, each at
    most a token; the whole ceiling where nothing shows what was generated (a plain call, or
    reasoning that is billed but not sent).
    """
    known = reported.usage
    output = bound.output_tokens or 0
    if call.stream and not hidden_reasoning:
        output = min(output, max(output_bytes, known.output_tokens))
    return TokenUsage(
        input_tokens=known.input_tokens or bound.input_tokens or 0,
        cache_read_tokens=known.cache_read_tokens,
        cache_write_5m_tokens=known.cache_write_5m_tokens,
        cache_write_1h_tokens=known.cache_write_1h_tokens,
        output_tokens=max(output, known.output_tokens),
        web_searches=max(known.web_searches, bound.web_searches),
    )
