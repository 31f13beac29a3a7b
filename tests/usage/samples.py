from datetime import UTC, datetime
from typing import Any

from aos.kit import ids
from aos.kit.money import Nanousd
from aos.messages import TokenUsage
from aos.usage import AttemptRow, CallRow, CallStatus

AT = datetime(2026, 11, 20, 12, 0, 0, 123000, tzinfo=UTC)


def call(**changes: Any) -> CallRow:
    at = changes.pop("at", AT)
    fields: dict[str, Any] = {
        "id": ids.new("call", at),
        "tenant_id": "ten_1",
        "created_at": at,
        "key_id": "key_1",
        "dialect": "openai-chat",
        "model_requested": "gpt-4o-mini",
        "status": CallStatus.OK,
        "provider": "openai",
        "model": "gpt-4o-mini-2024-07-18",
        "usage": TokenUsage(input_tokens=1000, cache_read_tokens=200, output_tokens=50),
        "cost": Nanousd(165_000),
        "attempts": 1,
        "latency_ms": 420,
    }
    return CallRow(**fields | changes)


def attempt(of: CallRow, **changes: Any) -> AttemptRow:
    fields: dict[str, Any] = {
        "id": ids.new("att", of.created_at),
        "call_id": of.id,
        "tenant_id": of.tenant_id,
        "created_at": of.created_at,
        "number": 1,
        "provider": "openai",
        "model": "gpt-4o-mini-2024-07-18",
        "status": CallStatus.OK,
        "hold": Nanousd(900_000),
        "cost": of.cost,
        "estimated": of.estimated,
        "usage": of.usage,
        "cost_lines": ({"unit": "input", "quantity": 800, "pico_per_unit": 150_000},),
        "price_id": "prc_1",
        "upstream_status": 200,
    }
    return AttemptRow(**fields | changes)
