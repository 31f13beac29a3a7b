"""Reading what an upstream reports without trusting its types."""

from typing import Any

from aos.messages.limits import TOKENS_MAX
from aos.messages.model import TokenUsage


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
    written = count(into, "cache_write_tokens", "cache_creation_tokens")
    cached = min(cached, prompt - audio)
    audio_out = min(completion, count(out, "audio_tokens"))
    return TokenUsage(
        input_tokens=prompt,
        cache_read_tokens=cached,
        cache_write_5m_tokens=min(written, prompt - audio - cached),
        input_audio_tokens=audio,
        output_tokens=completion,
        reasoning_tokens=min(reasoning, completion - audio_out),
        output_audio_tokens=audio_out,
        web_searches=count(member(usage, "server_tool_use"), "web_search_requests"),
    )
