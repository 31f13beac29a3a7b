"""Pure: from a call, a model and a profile to ceilings; from a cut call to what it is posted as."""

from collections.abc import Mapping
from typing import Final

from aos.catalog import Model
from aos.messages import Dialect, ModelCall, Reported, TokenUsage
from aos.providers.bounds.model import Profile
from aos.providers.model import Ceilings

# The longest expansion of one escaped code unit: U+FDFA under NFKC is 33 bytes; under NFC no code
# unit becomes more than nine (UAX 15). The escape's own six bytes are counted besides.
_ESCAPE_BYTES: Final = {1: 0, 3: 9, 11: 33}
_COMPACTIONS: Final = frozenset({"context_management", "compaction"})


def text_tokens_max(call: ModelCall, profile: Profile) -> int:
    """A byte-level tokenizer never makes more tokens than there are bytes of UTF-8, and JSON's
    escapes only make these more: so the body's own length is a bound that needs no tokenizer.
    """
    text = call.text_bytes
    if call.wide_bytes or call.escapes:
        text += call.wide_bytes * (profile.wide_growth - 1)
        text += call.escapes * _ESCAPE_BYTES[profile.wide_growth]
    text += profile.call_tokens + call.messages * profile.message_tokens
    if call.tools or call.server_tools:
        text += profile.tools_tokens + call.tools * profile.tool_tokens
    return text


def ceilings(call: ModelCall, model: Model, profile: Profile) -> Ceilings:
    """The most that a call can use. Unbounded names the field that makes it so."""
    boundless = _boundless(call, model, profile)
    if boundless is not None:
        return Ceilings(None, None, because=boundless)
    output = _output_max(call, model, profile)
    if output is None:
        return Ceilings(None, None, because=_ceiling_field(call))
    clampable = profile.ceiling_binds(model.id) and not call.server_tools
    shown = text_tokens_max(call, profile)
    hidden, because = _hidden_tokens(call, model, profile)
    window = _window(call, model, profile)
    if window is None:
        if because is not None:
            return Ceilings(None, None, because=because)
        return Ceilings(shown + hidden, output, clampable=clampable)
    if because is not None:
        once = window * _texts(call)
    else:
        once = min(shown + hidden, window * _texts(call))
    rounds = 1 + sum(tool.uses_max or 0 for tool in call.server_tools)
    searches = sum(t.uses_max or 0 for t in call.server_tools if "web_search" in t.name)
    return Ceilings(once * rounds, output, web_searches=searches, clampable=clampable)


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
    output = bound.output_tokens
    if call.stream and not hidden_reasoning:
        output = output_bytes if output is None else min(output, output_bytes)
    parts = known if known.input_tokens else TokenUsage(input_tokens=bound.input_tokens or 0)
    return TokenUsage(
        input_tokens=parts.input_tokens,
        cache_read_tokens=parts.cache_read_tokens,
        cache_write_5m_tokens=parts.cache_write_5m_tokens,
        cache_write_1h_tokens=parts.cache_write_1h_tokens,
        input_audio_tokens=parts.input_audio_tokens,
        input_image_tokens=parts.input_image_tokens,
        output_tokens=max(output or 0, known.output_tokens),
        web_searches=max(known.web_searches, bound.web_searches),
    )


def _boundless(call: ModelCall, model: Model, profile: Profile) -> str | None:
    """The field that lets the provider go on without end, or None."""
    if call.background:
        return "background"
    undeclared = next((tool for tool in call.server_tools if tool.uses_max is None), None)
    if undeclared is not None:
        return undeclared.name
    if any(part in model.id for part in profile.unbounded_models):
        return "model"
    return None


def _hidden_tokens(call: ModelCall, model: Model, profile: Profile) -> tuple[int, str | None]:
    """Tokens of media and of tools that the provider defines, and the field that makes the
    provider add what cannot be measured.
    """
    tokens = 0
    for kind in call.hidden_tools:
        size = _by_beginning(profile.hidden_tool_tokens, kind)
        if size is None:
            return 0, "tools"
        tokens += size
    for medium in call.media:
        size = profile.media_tokens(medium, model.id)
        if size is None:
            return 0, medium.kind.value
        tokens += size
    if call.provider_state:
        return 0, call.provider_state[0]
    if call.server_tools:
        return 0, call.server_tools[0].name
    return tokens, None


def _output_max(call: ModelCall, model: Model, profile: Profile) -> int | None:
    if call.dialect is Dialect.OPENAI_EMBEDDINGS:
        return 0
    ceiling = call.output_tokens_max
    if ceiling is None or not profile.ceiling_binds(model.id):
        ceiling = model.output_tokens_max or model.context_window
    if ceiling is None:
        return None
    ceiling = max(ceiling, call.output_tokens_max or 0)
    if call.thinking_tokens >= ceiling:
        # Interleaved thinking: its budget is for the whole turn, and may exceed the ceiling.
        ceiling += call.thinking_tokens
    # A compaction writes its summary before the answer, under the same ceiling.
    rounds = 1 + sum(tool.uses_max or 0 for tool in call.server_tools if tool.name in _COMPACTIONS)
    return call.choices * ceiling * rounds + call.prediction_bytes


def _ceiling_field(call: ModelCall) -> str:
    return "max_output_tokens" if call.dialect is Dialect.OPENAI_RESPONSES else "max_tokens"


def _window(call: ModelCall, model: Model, profile: Profile) -> int | None:
    if model.context_window is None or not call.long_context:
        return model.context_window
    return max(model.context_window, _by_beginning(profile.windows, model.id) or 0)


def _texts(call: ModelCall) -> int:
    """How many windows one call can fill: each text of an embeddings call has its own."""
    return max(1, call.messages) if call.dialect is Dialect.OPENAI_EMBEDDINGS else 1


def _by_beginning(table: Mapping[str, int], name: str) -> int | None:
    return next((size for start, size in table.items() if name.startswith(start)), None)
