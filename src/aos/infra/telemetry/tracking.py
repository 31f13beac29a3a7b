"""Metrics for model calls that do not pass the gateway: a decorator and a function.

They read what the common clients answer: an object or a dict with `usage`, in the words of OpenAI
or Anthropic, or flat with `input_tokens`, `output_tokens`, `cost_cents`.
"""

import functools
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

from aos.infra.telemetry.metrics import METRICS, NANO_PER_CENT

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class _Tokens:
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int


def track_llm_response(
    response: Any, *, adapter_id: str, model: str, seconds: float | None = None
) -> None:
    """Count one answer under provider `adapter_id`. What it does not say is not counted."""
    told = _field(response, "latency_ms")
    cents = _field(response, "cost_cents")
    METRICS.observe_call(
        adapter_id,
        str(_field(response, "model") or model),
        "ok",
        seconds if seconds is not None else (told or 0) / 1000,
        tokens=_tokens(response),
        cost_nanousd=None if cents is None else round(float(cents) * NANO_PER_CENT),
    )


def track_llm_usage(adapter_id: str, model: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function, async or not, that returns a model's answer: counts each call, how long
    it took, and what failed.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
            started = time.monotonic()
            try:
                answer = await cast("Awaitable[Any]", function(*args, **kwargs))
            except BaseException:
                METRICS.observe_call(adapter_id, model, "error", time.monotonic() - started)
                raise
            seconds = time.monotonic() - started
            track_llm_response(answer, adapter_id=adapter_id, model=model, seconds=seconds)
            return answer

        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            started = time.monotonic()
            try:
                answer = function(*args, **kwargs)
            except BaseException:
                METRICS.observe_call(adapter_id, model, "error", time.monotonic() - started)
                raise
            seconds = time.monotonic() - started
            track_llm_response(answer, adapter_id=adapter_id, model=model, seconds=seconds)
            return answer

        return cast("Callable[P, R]", awaited) if inspect.iscoroutinefunction(function) else called

    return decorate


def _tokens(response: Any) -> _Tokens:
    usage = _field(response, "usage") or response
    cached = _count(usage, "cache_read_input_tokens")
    written = _count(usage, "cache_creation_input_tokens")
    # Anthropic counts cached tokens beside the input, OpenAI inside it.
    inside = _field(usage, "prompt_tokens_details") or _field(usage, "input_tokens_details")
    shown = _field(usage, "completion_tokens_details") or _field(usage, "output_tokens_details")
    prompt = _count(usage, "prompt_tokens") or _count(usage, "input_tokens")
    return _Tokens(
        input_tokens=prompt + cached + written,
        cache_read_tokens=cached + _count(inside, "cached_tokens"),
        cache_write_tokens=written,
        output_tokens=_count(usage, "completion_tokens") or _count(usage, "output_tokens"),
        reasoning_tokens=_count(shown, "reasoning_tokens"),
    )


def _field(thing: Any, name: str) -> Any:
    if isinstance(thing, Mapping):
        return thing.get(name)
    return getattr(thing, name, None)


def _count(thing: Any, name: str) -> int:
    value = _field(thing, name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
