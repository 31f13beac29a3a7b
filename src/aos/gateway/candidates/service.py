"""Plans a call: who may serve it, what it can cost, what goes upstream."""

from typing import Final

from aos.budgets import BreachAction, BudgetMatch, Budgets, SpendRequest
from aos.catalog import Catalog
from aos.gateway.candidates.rules import (
    Offer,
    candidate_for,
    clamp_of,
    output_tokens_to_send,
    spend_facts,
)
from aos.gateway.directory.service import Directory
from aos.gateway.errors import DialectMismatch
from aos.gateway.limits import CANDIDATES_MAX
from aos.gateway.model import Candidate, Incoming
from aos.gateway.objects.service import Objects
from aos.gateway.pricing.rules import Pricer
from aos.gateway.progress.model import Attempt, Progress
from aos.gateway.settlement.rules import lost_call
from aos.identity import Authenticator
from aos.infra.settings import BudgetSettings
from aos.kit import ids
from aos.kit.money import parse_usd
from aos.messages import ModelCall, reader
from aos.providers import UpstreamRequest
from aos.routing import check_allowed

_DOWNGRADES: Final = frozenset({"downgraded_to", "not_downgraded"})
"""What the story says once a budget has asked for a cheaper model, which it does once."""


class Planner:
    """Reads snapshots; waits only to check one that has not been confirmed for a second."""

    def __init__(
        self,
        catalog: Catalog,
        directory: Directory,
        budgets: Budgets,
        authenticator: Authenticator,
        objects: Objects,
        settings: BudgetSettings,
    ) -> None:
        self._catalog = catalog
        self._directory = directory
        self._budgets = budgets
        self._authenticator = authenticator
        self._objects = objects
        self._wait_seconds = settings.wait_seconds
        self._reserve = parse_usd(settings.unpriced_reserve_usd)

    def pricer(self, incoming: Incoming) -> Pricer:
        return Pricer(self._catalog.book, incoming.caller.tenant_id, incoming.received_at)

    async def candidates(self, incoming: Incoming, call: ModelCall) -> list[Candidate]:
        """Whoever may serve the call, in order of preference; at least one.

        Raises NotFound (agent, model, provider), Forbidden (model not allowed), DialectMismatch.
        """
        tenant_id, agent_id = incoming.caller.tenant_id, incoming.labels.agent_id
        if agent_id is not None:
            await self._authenticator.agent(tenant_id, agent_id)
        if call.object_ids:
            await self._objects.providers_of(tenant_id, call.object_ids)
        return self.for_model(incoming, call, call.model)

    def for_model(self, incoming: Incoming, call: ModelCall, model: str) -> list[Candidate]:
        """The candidates for a model's name; also where a budget downgrades to another one."""
        caller = incoming.caller
        targets = self._directory.resolve(caller.tenant_id, model)
        book, found = self._catalog.book, []
        for target in targets[:CANDIDATES_MAX]:
            check_allowed(caller.models, model, target)
            provider = self._directory.provider(caller.tenant_id, target.provider)
            if call.dialect in provider.config.dialects:
                declared = self._directory.declared_model(caller.tenant_id, target)
                offer = Offer(provider, target, declared)
                found.append(
                    candidate_for(call, offer, book, caller.tenant_id, incoming.received_at)
                )
        if not found:
            raise DialectMismatch(
                f"{targets[0].provider} does not speak {call.dialect}: use the path of its own API",
                provider=targets[0].provider,
            )
        return found

    async def spend_request(self, progress: Progress, candidate: Candidate) -> SpendRequest:
        """What the candidate may cost at most, asked of every budget that binds the call."""
        call = progress.call
        assert call is not None
        facts = spend_facts(progress, candidate.model)
        book = self._budgets.book_if_fresh()
        if book is None:  # An empty book is false, and as good as any.
            book = await self._budgets.fresh_book()
        return SpendRequest(
            hold_id=ids.new("hold"),
            call_id=progress.incoming.id,
            facts=facts,
            matches=book.match(facts),
            bound=candidate.bound,
            reserve=self._reserve,
            call=lost_call(progress, candidate),
            because=candidate.because,
            priced=candidate.priced,
            clamp=None if progress.incoming.operation.fixed_output else clamp_of(call, candidate),
            wait_seconds=self._wait_seconds,
            downgraded=not progress.story.keys().isdisjoint(_DOWNGRADES),
        )

    def upstream_request(self, progress: Progress, attempt: Attempt) -> UpstreamRequest:
        """The caller's bytes, changed only in model, output ceiling and stream options."""
        call, incoming, candidate = progress.call, progress.incoming, attempt.candidate
        assert call is not None
        provider = candidate.provider
        body = reader(call.dialect).rewrite(
            call,
            model=candidate.model,
            output_tokens_max=self._output_tokens(incoming, call, attempt),
            output_field=provider.output_field(call),
            ask_stream_usage=provider.asks_stream_usage,
        )
        return provider.request(call, path_of(incoming), body, sent_headers(incoming))

    def _output_tokens(self, incoming: Incoming, call: ModelCall, attempt: Attempt) -> int | None:
        if incoming.operation.fixed_output:
            return None
        return output_tokens_to_send(
            call,
            attempt.candidate,
            attempt.hold.clamped_tokens,
            blocking=any(_blocks(match) for match in attempt.hold.matches),
        )


def path_of(incoming: Incoming) -> str:
    """What the caller asked for after `/v1`, with its query."""
    path = incoming.operation.path
    if incoming.query:
        return f"{path}?{incoming.query.decode('ascii', 'replace')}"
    return path


def sent_headers(incoming: Incoming) -> dict[str, str]:
    """The caller's headers; one that was sent twice is one list, as HTTP has it."""
    sent: dict[str, str] = {}
    for raw_name, raw_value in incoming.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        sent[name] = f"{sent[name]}, {value}" if name in sent else value
    return sent


def _blocks(match: BudgetMatch) -> bool:
    return match.budget.action is not BreachAction.ALERT_ONLY
