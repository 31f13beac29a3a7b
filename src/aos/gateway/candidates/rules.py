"""Pure: from a target to a candidate with its bound, from a candidate to what it asks to spend."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aos.budgets import Clamp, SpendFacts
from aos.catalog import (
    Model,
    PriceBook,
    PriceUnit,
    PriceVersion,
    Unpriced,
    WorstCase,
    pinned_context,
    worst_case,
)
from aos.gateway.limits import OUTPUT_TOKENS_FLOOR
from aos.gateway.model import Candidate
from aos.gateway.progress.model import Progress
from aos.kit.money import Nanousd
from aos.messages import Dialect, MediaKind, ModelCall
from aos.providers import Ceilings, Provider
from aos.routing import Target

_AUDIO_IN: Final = frozenset({PriceUnit.INPUT_AUDIO, PriceUnit.CACHE_READ_AUDIO})
_WRITES: Final = frozenset({PriceUnit.CACHE_WRITE_5M, PriceUnit.CACHE_WRITE_1H})

_FIELDS: Final = {"region": "inference_geo"}
"""What a price calls otherwise than requests do."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A target, who serves it, and what the tenant declared of the model, if anything."""

    provider: Provider
    target: Target
    declared: Model | None


def candidate_for(
    call: ModelCall, offer: Offer, book: PriceBook, tenant_id: str, at: datetime
) -> Candidate:
    """The bound of this call on what is offered."""
    provider, target = offer.provider, offer.target
    prices_of = target.price_provider or provider.config.price_provider or provider.config.id
    model = offer.declared or book.find_model(prices_of, target.model)
    if model is None:
        model = Model(provider.config.id, target.model, target.model)
    price = book.find_pricing(prices_of, target.model, at, tenant_id)
    ceilings = provider.ceilings(call, model)
    priced, because = price is not None, ceilings.because
    try:
        worst = _worst(call, price, ceilings)
    except Unpriced as error:
        worst, priced, because = None, False, _field_without_price(error)
    return Candidate(
        provider=provider,
        model=target.model,
        prices_of=prices_of,
        price=price,
        ceilings=ceilings,
        bound=worst.amount if worst else None,
        input_bound=worst.input_amount if worst else Nanousd(0),
        pico_per_output_token=worst.pico_per_output_token if worst else 0,
        priced=priced,
        because=because,
        output_tokens_known=model.output_tokens_max,
    )


def spend_facts(progress: Progress, model: str) -> SpendFacts:
    incoming = progress.incoming
    caller, labels = incoming.caller, incoming.labels
    return SpendFacts(
        tenant_id=caller.tenant_id,
        key_id=caller.key_id,
        model=model,
        at=incoming.received_at,
        agent_id=labels.agent_id or caller.agent_id,
        user_id=caller.user_id,
        team_id=caller.team_id,
        run_id=labels.run_id,
        workflow=labels.workflow,
        fixed_tags=caller.tags,
    )


def clamp_of(call: ModelCall, candidate: Candidate) -> Clamp | None:
    """How far the answer may be shortened; None where a shorter one would be a broken one."""
    output = candidate.ceilings.output_tokens
    if call.tools or call.server_tools or call.structured or candidate.bound is None:
        return None
    if not output or not candidate.ceilings.clampable:
        return None
    tokens_max = output // call.choices
    return Clamp(
        fixed=candidate.input_bound,
        pico_per_output_token=candidate.pico_per_output_token,
        choices=call.choices,
        tokens_max=tokens_max,
        tokens_floor=min(call.thinking_tokens + OUTPUT_TOKENS_FLOOR, tokens_max),
    )


def output_tokens_to_send(
    call: ModelCall, candidate: Candidate, clamped: int | None, *, blocking: bool
) -> int | None:
    """The output ceiling that the upstream is told; None = as the caller wrote it.

    Where the caller sets none, one is set only under a blocking budget: providers count a declared
    ceiling against the caller's rate limits, so an unneeded one would cost throughput.
    """
    if clamped is not None:
        return clamped
    if call.output_tokens_max is not None or not blocking:
        return None
    return candidate.output_tokens_known if candidate.ceilings.output_tokens else None


def _worst(call: ModelCall, price: PriceVersion | None, ceilings: Ceilings) -> WorstCase | None:
    if price is None or ceilings.input_tokens is None or ceilings.output_tokens is None:
        return None
    return worst_case(
        price,
        input_tokens=ceilings.input_tokens,
        output_tokens=ceilings.output_tokens,
        web_searches=ceilings.web_searches,
        pinned=pinned_context(call),
        excluded=_unreachable(call),
    )


def _field_without_price(error: Unpriced) -> str | None:
    """The request's field that asks for what has no price; None where it is the model itself."""
    context = error.details.get("context")
    return None if context is None else _FIELDS.get(context, context)


def _unreachable(call: ModelCall) -> frozenset[PriceUnit]:
    """Units that this request cannot use, whatever the answer."""
    excluded: frozenset[PriceUnit] = frozenset()
    if not call.output_audio:
        excluded |= {PriceUnit.OUTPUT_AUDIO}
    if call.provider_state:
        return excluded
    if not any(medium.kind is MediaKind.AUDIO for medium in call.media):
        excluded |= _AUDIO_IN
    if call.dialect is Dialect.ANTHROPIC_MESSAGES and not call.escapes:
        # Anthropic writes a cache only where the request says so, and for an hour only if told.
        if b"cache_control" not in call.body:
            excluded |= _WRITES
        elif b'"1h"' not in call.body:
            excluded |= {PriceUnit.CACHE_WRITE_1H}
    return excluded
