"""AOS: an LLM gateway and an agent runtime behind one gate.

What earlier code imports from here is loaded when it is asked for: a start pays for nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aos.infra.telemetry import track_llm_response, track_llm_usage

_ROOMS = {
    "track_llm_response": "aos.infra.telemetry",
    "track_llm_usage": "aos.infra.telemetry",
}

__all__ = ["track_llm_response", "track_llm_usage"]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'aos' has no attribute {name!r}")
    return getattr(import_module(_ROOMS[name]), name)
