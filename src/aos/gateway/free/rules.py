"""Pure: the list of models in every client's shape."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

_RELEASED: Final = datetime(2024, 1, 1, tzinfo=UTC)
"""Nobody publishes every model's date; clients want one, and ignore it."""

_CODEX_ASKS: Final = b"client_version="
"""What Codex puts in the query, and nobody else."""


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A name that a key may call, and who serves it."""

    name: str
    owner: str
    display_name: str


def model_shape(model: ListedModel) -> dict[str, Any]:
    """One model as the OpenAI and the Anthropic client each want it."""
    return {
        "id": model.name,
        "object": "model",
        "type": "model",
        "created": int(_RELEASED.timestamp()),
        "created_at": _RELEASED.isoformat().replace("+00:00", "Z"),
        "owned_by": model.owner,
        "display_name": model.display_name,
    }


def codex_shape(model: ListedModel, priority: int) -> dict[str, Any]:
    """One model in Codex's words, as far as a gateway can know it."""
    return {
        "slug": model.name,
        "display_name": model.display_name,
        "visibility": "list",
        "supported_in_api": True,
        "priority": priority,
    }


def models_shape(models: Sequence[ListedModel], query: bytes) -> dict[str, Any]:
    """The whole list: `data` for OpenAI's and Anthropic's clients, `models` in Codex's words.

    Codex itself gets no `models`: what stands there would replace its own entry of the same name,
    system prompt and tools included, and those nobody but Codex has.
    """
    data = [model_shape(model) for model in models]
    codex_asks = query.startswith(_CODEX_ASKS) or b"&" + _CODEX_ASKS in query
    known = () if codex_asks else models
    return {
        "object": "list",
        "data": data,
        "models": [codex_shape(model, priority) for priority, model in enumerate(known, start=1)],
        "has_more": False,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }
