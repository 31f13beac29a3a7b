"""Reading what an upstream reports without trusting its types."""

from typing import Any, Final

from aos.messages.limits import TOKENS_MAX
from aos.messages.model import TokenUsage

_OWN_ITERATIONS: Final = frozenset({"message", "fallback_message"})


def count(holder: Any, *names: str) -> int:
    """The first of these fields that is a positive number, at most TOKENS_MAX; else 0."""
    if not isinstance(holder, dict):
        return 0
    for name in names:
        value = holder.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return int(min(value, TOKENS_MAX))
    return 0


def member(holder: Any, *names: str) -> Any:
    """The first of these fields that is an object; else None."""
    if not isinstance(holder, dict):
        return None
    return next((holder[name] for name in names if isinstance(holder.get(name), dict)), None)


def text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def text_bytes(value: Any) -> int:
    """Bytes of generated text in a delta, wherever it stands in it. Never fewer than tokens."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode())
    if isinstance(value, dict):
        return sum(text_bytes(part) for part in value.values())
    if isinstance(value, list):
        return sum(text_bytes(part) for part in value)
    return 0


def error_message(error: Any) -> str:
    """What an error object of any upstream says went wrong."""
    if isinstance(error, dict):
        return text(error.get("message")) or text(error.get("code")) or str(error)
    return str(error)


def openai_image_usage(usage: Any) -> TokenUsage | None:
    """What the image generation tool used, on a model of its own; None for nothing."""
    if not isinstance(usage, dict) or not count(usage, "total_tokens", "input_tokens"):
        return None
    prompt, output = count(usage, "input_tokens"), count(usage, "output_tokens")
    cached = member(usage, "cached_tokens_details")
    cached_pictures = count(cached, "cached_image_tokens")
    into = member(usage, "input_tokens_details")
    out = member(usage, "output_tokens_details")
    pictures = max(0, min(prompt, count(into, "image_tokens")) - cached_pictures)
    return TokenUsage(
        input_tokens=prompt,
        cache_read_tokens=min(prompt - pictures, count(cached, "cached_text_tokens")),
        input_image_tokens=pictures,
        cache_read_image_tokens=min(prompt - pictures, cached_pictures),
        output_tokens=output,
        # Without details, all of it is taken for pictures, the dearer of the two.
        output_image_tokens=min(output, count(out, "image_tokens")) if out else output,
    )


def anthropic_usages(usage: Any) -> tuple[tuple[str | None, TokenUsage], ...]:
    """One entry an iteration, each with the model that ran it (None = the answer's own).

    Top-level counts leave out compaction, advisor and declined iterations; where they say more
    than the iterations of the answer itself add up to, the rest is an entry of its own.
    """
    whole = _anthropic_usage(usage)
    if whole is None:
        return ()
    entries: list[tuple[str | None, TokenUsage]] = []
    own = TokenUsage()
    iterations = usage.get("iterations")
    for iteration in iterations if isinstance(iterations, list) else ():
        used = _anthropic_usage(iteration)
        if used is None:
            continue
        entries.append((text(iteration.get("model")), used))
        if iteration.get("type") in _OWN_ITERATIONS:
            own += used
    rest = _beyond(whole, own)
    return (*entries, (None, rest)) if rest != TokenUsage() or not entries else tuple(entries)


def _anthropic_usage(usage: Any) -> TokenUsage | None:
    if not isinstance(usage, dict):
        return None
    read = count(usage, "cache_read_input_tokens")
    written = count(usage, "cache_creation_input_tokens")
    details = member(usage, "cache_creation")
    hour = min(written, count(details, "ephemeral_1h_input_tokens"))
    if hour and hour + count(details, "ephemeral_5m_input_tokens") < written:
        hour = written - count(details, "ephemeral_5m_input_tokens")
    output = count(usage, "output_tokens")
    thinking = count(member(usage, "output_tokens_details"), "thinking_tokens")
    return TokenUsage(
        input_tokens=count(usage, "input_tokens") + read + written,
        cache_read_tokens=read,
        cache_write_5m_tokens=written - hour,
        cache_write_1h_tokens=hour,
        output_tokens=output,
        reasoning_tokens=min(thinking, output),
        web_searches=count(member(usage, "server_tool_use"), "web_search_requests"),
    )


def _beyond(whole: TokenUsage, part: TokenUsage) -> TokenUsage:
    """What `whole` has more than `part`, field by field, never below nothing."""
    names = TokenUsage.__dataclass_fields__
    return TokenUsage(*(max(0, getattr(whole, n) - getattr(part, n)) for n in names))


def openai_usage(usage: Any) -> TokenUsage | None:
    """A `usage` object of chat, responses or embeddings, with its compatible upstreams' oddities.

    None for no usage at all.
    """
    if not isinstance(usage, dict):
        return None
    prompt = count(usage, "prompt_tokens", "input_tokens")
    completion = count(usage, "completion_tokens", "output_tokens")
    total = count(usage, "total_tokens")
    if not (prompt or completion or total):
        return None
    into = member(usage, "prompt_tokens_details", "input_tokens_details")
    out = member(usage, "completion_tokens_details", "output_tokens_details")
    reasoning = count(out, "reasoning_tokens") or count(usage, "reasoning_tokens")
    if prompt and total > prompt + completion:
        # xAI and Google's compatible endpoint bill thinking beside `completion_tokens`, and say
        # so only in the total.
        reasoning = max(reasoning, total - prompt - completion)
        completion = total - prompt
    prompt = prompt or max(0, total - completion)
    audio = min(prompt, count(into, "audio_tokens"))
    # DeepSeek: prompt_cache_hit_tokens; Moonshot: cached_tokens beside the details.
    cached = count(into, "cached_tokens") or count(
        usage, "prompt_cache_hit_tokens", "cached_tokens"
    )
    pictures = min(prompt - audio, count(into, "image_tokens"))
    cached = min(cached, prompt - audio)
    written = min(
        count(into, "cache_write_tokens", "cache_creation_tokens"), prompt - audio - cached
    )
    # OpenAI's 30-minute and 12-hour retention stand in the short and the long column.
    long = count(member(into, "cache_write_tokens_details"), "ttl_12h_tokens")
    long = min(written, long)
    audio_out = min(completion, count(out, "audio_tokens"))
    return TokenUsage(
        input_tokens=prompt,
        cache_read_tokens=cached,
        cache_write_5m_tokens=written - long,
        cache_write_1h_tokens=long,
        input_audio_tokens=audio,
        input_image_tokens=min(pictures, prompt - audio - cached - written),
        output_tokens=completion,
        reasoning_tokens=min(reasoning, completion - audio_out),
        output_audio_tokens=audio_out,
        web_searches=count(member(usage, "server_tool_use"), "web_search_requests"),
    )
