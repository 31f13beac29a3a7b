"""Pure: the list of models in every client's shape."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

_RELEASED: Final = datetime(2024, 1, 1, tzinfo=UTC)
"""Nobody publishes every model's date; clients want one, and ignore it."""


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


def models_shape(models: Iterable[ListedModel]) -> dict[str, Any]:
    """The whole list: `data` for OpenAI's and Anthropic's clients, `models` for Codex."""
    data = [model_shape(model) for model in models]
    return {
        "object": "list",
        "data": data,
        "models": [],
        "has_more": False,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }
