"""One call's texts, bounded and redacted before they go anywhere."""

from dataclasses import dataclass
from datetime import datetime

from aos.infra.telemetry import redact_text
from aos.usage.limits import CONTENT_BYTES_MAX


@dataclass(frozen=True, slots=True)
class CallContent:
    """The bodies as text. `cut` says that one of them was longer than is kept."""

    call_id: str
    tenant_id: str
    created_at: datetime
    request: str
    answer: str
    cut: bool


def content_of(
    call_id: str, tenant_id: str, created_at: datetime, request: bytes, answer: bytes
) -> CallContent:
    """Bounded first, so that redacting is; a NUL is what PostgreSQL cannot hold."""
    return CallContent(
        call_id,
        tenant_id,
        created_at,
        _kept(request),
        _kept(answer),
        cut=max(len(request), len(answer)) > CONTENT_BYTES_MAX,
    )


def _kept(body: bytes) -> str:
    return redact_text(body[:CONTENT_BYTES_MAX].decode("utf-8", "replace")).replace("\0", "")
