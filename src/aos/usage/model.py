"""The row of a call and the row of an attempt. Costs are nano-dollars, None when unpriced."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from aos.kit.money import Nanousd
from aos.messages import TokenUsage


class CallStatus(StrEnum):
    """How a call ended."""

    OK = "ok"
    UPSTREAM_ERROR = "upstream_error"
    CANCELLED = "cancelled"
    REFUSED_BUDGET = "refused_budget"
    REFUSED_SECURITY = "refused_security"
    REFUSED_LIMIT = "refused_limit"
    INVALID = "invalid"
    LOST = "lost"
    """Its process died after dispatch; the bound was posted."""


@dataclass(frozen=True, slots=True)
class CallRow:
    """What the caller asked for and what came of it: one row a request, whatever the attempts.

    `created_at` is the instant in `id`, within a second: look-ups by id read one partition by it.
    """

    id: str
    tenant_id: str
    created_at: datetime
    key_id: str
    dialect: str
    model_requested: str
    status: CallStatus
    stream: bool = False
    agent_id: str | None = None
    team_id: str | None = None
    user_id: str | None = None
    run_id: str | None = None
    workflow: str | None = None
    session_id: str | None = None
    end_user: str | None = None
    provider: str | None = None
    model: str | None = None
    service_tier: str | None = None
    usage: TokenUsage = TokenUsage()
    cost: Nanousd | None = None
    estimated: bool = False
    overrun: Nanousd = Nanousd(0)
    latency_ms: int = 0
    time_to_first_token_ms: int | None = None
    attempts: int = 0
    tags: dict[str, str] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    story: dict[str, Any] = field(default_factory=dict)
    """Hold, wait, clamp, settlement: what GET /api/v1/usage/calls/{id} tells beside the row."""


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One dispatch to one provider, with its own hold and its own cost.

    `id` is that of its hold. `agent_id` and `run_id` are those of its call; `record` fills them in
    where it has both rows.
    """

    id: str
    call_id: str
    tenant_id: str
    created_at: datetime
    number: int
    provider: str
    model: str
    status: CallStatus
    hold: Nanousd
    cost: Nanousd | None
    estimated: bool
    overrun: Nanousd = Nanousd(0)
    usage: TokenUsage = TokenUsage()
    cost_lines: tuple[dict[str, Any], ...] = ()
    price_id: str | None = None
    upstream_status: int | None = None
    upstream_request_id: str | None = None
    latency_ms: int = 0
    error: dict[str, Any] | None = None
    agent_id: str | None = None
    run_id: str | None = None


class CallLabel(StrEnum):
    """What a call can be told apart by."""

    AGENT = "agent"
    KEY = "key"
    USER = "user"
    TEAM = "team"
    MODEL = "model"
    WORKFLOW_TAG = "workflow_tag"


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls are asked for; None leaves a field open.

    `since` is included, `until` not. `model` is the one asked for or the one that served. `tag` is
    a name, or a name and its value. `label` without a value asks for calls that have any.
    """

    since: datetime | None = None
    until: datetime | None = None
    agent_id: str | None = None
    key_id: str | None = None
    user_id: str | None = None
    run_id: str | None = None
    model: str | None = None
    status: CallStatus | None = None
    tag: tuple[str, str | None] | None = None
    label: tuple[CallLabel, str | None] | None = None


@dataclass(frozen=True, slots=True)
class CallCursor:
    """The last call seen: the next page begins after it."""

    created_at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Spend:
    """A sum over calls. Unpriced calls count as calls, and add nothing to `cost`."""

    cost: Nanousd
    calls: int
    total_tokens: int
