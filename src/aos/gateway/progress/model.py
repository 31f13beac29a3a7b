"""What has become of a call: the one mutable thing of the data path."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aos.budgets import Hold
from aos.gateway.model import Candidate, Incoming
from aos.gateway.pricing.rules import Pricer
from aos.gateway.watch.service import CallerWatch
from aos.ledger import Balance
from aos.messages import ModelCall, StreamReader
from aos.usage import AttemptRow


@dataclass(slots=True)
class Attempt:
    """One dispatch under one hold. `balances` are the latest known of the claimed accounts.

    `upstream_status` and `upstream_request_id` are there once an upstream has begun to answer.
    """

    candidate: Candidate
    hold: Hold
    number: int
    created_at: datetime
    started: float
    balances: tuple[Balance, ...]
    upstream_status: int | None = None
    upstream_request_id: str | None = None


@dataclass(slots=True)
class Progress:
    """What has become of a call so far: the one mutable thing of the path."""

    incoming: Incoming
    pricer: Pricer
    watch: CallerWatch
    call: ModelCall | None = None
    stream: StreamReader | None = None
    attempts: list[AttemptRow] = field(default_factory=list)
    first_token_at: float | None = None
    kept: bytearray | None = None
    """The answer as it went out, where contents are stored; else None."""
    answered: bool = False
    """The status line has left: errors can no longer change it."""
    recorded: bool = False
    """The call's row is written, or waits in memory to be."""
    story: dict[str, Any] = field(default_factory=dict)
