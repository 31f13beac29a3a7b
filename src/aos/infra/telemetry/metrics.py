"""The metrics, by name. Series are bound once and kept: a call costs a few dict look-ups.

Labels are bounded. The first METRIC_MODELS_MAX models (tenants, agents) of a process get a series
of their own; whatever comes later is counted as `other`. Sums over a label are therefore exact.
"""

from typing import Final, Protocol

from aos.infra.limits import METRIC_AGENTS_MAX, METRIC_MODELS_MAX, METRIC_TENANTS_MAX
from aos.infra.telemetry.prometheus import Child, Family, Registry

OTHER: Final = "other"
NANO_PER_CENT: Final = 10_000_000

CALL_BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
WAIT_BUCKETS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 5.0, 30.0)


class TokenCounts(Protocol):
    """What a provider reported. Input includes what was cached, output includes reasoning."""

    @property
    def input_tokens(self) -> int: ...
    @property
    def cache_read_tokens(self) -> int: ...
    @property
    def cache_write_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> int: ...
    @property
    def reasoning_tokens(self) -> int: ...


class _Model:
    """The bound series of one model of one provider."""

    __slots__ = ("cost", "duration", "labels", "statuses", "tokens", "unpriced")

    def __init__(self, labels: tuple[str, str], duration: Child) -> None:
        self.labels = labels
        self.duration = duration
        self.statuses: dict[str, Child] = {}
        self.tokens: dict[str, Child] = {}
        self.cost: Child | None = None
        self.unpriced: Child | None = None


class Metrics:
    """Made once a process. What a name means is in its help text."""

    def __init__(self, registry: Registry | None = None) -> None:
        self.registry = registry or Registry()
        self._models: dict[tuple[str, str], _Model] = {}
        self._make_call_metrics()
        self._make_house_metrics()

    def _make_call_metrics(self) -> None:
        make = self.registry
        model = ("provider", "model")
        self._tokens = make.counter(
            "nova_llm_tokens_total",
            "Tokens, in parts that do not overlap: input (not cached), cache_read, cache_write,"
            " output (not reasoning), reasoning. Their sum is every token.",
            (*model, "token_type"),
        )
        self._cost = make.counter(
            "nova_llm_cost_cents_total", "Cost in US cents of calls that have a price.", model
        )
        self._duration = make.histogram(
            "nova_llm_duration_seconds",
            "From the caller's request to the last byte of the answer.",
            CALL_BUCKETS,
            model,
        )
        self._invocations = make.counter(
            "nova_llm_invocations_total", "Calls, by how they ended.", (*model, "status")
        )
        self._unpriced = make.counter(
            "nova_llm_unpriced_total", "Calls whose model has no price: cost unknown.", model
        )

    def _make_house_metrics(self) -> None:
        make = self.registry
        self.hold_wait = make.histogram(
            "aos_hold_wait_seconds", "From asking for a hold to having it.", WAIT_BUCKETS
        ).labels()
        self.overhead = make.histogram(
            "aos_gateway_overhead_seconds", "Time of a call that was ours.", WAIT_BUCKETS
        ).labels()
        self.calls_in_flight = make.gauge("aos_calls_in_flight", "Calls under way.").labels()
        self.settlements_retrying = make.gauge(
            "aos_settlements_retrying", "Settlements that wait for the database to come back."
        ).labels()
        self.holds_waiting = make.gauge(
            "aos_holds_waiting", "Calls that wait for room in a budget."
        ).labels()
        self.overruns = make.counter(
            "aos_overruns_total", "Attempts that cost more than was held for them."
        ).labels()
        self.estimated = make.counter(
            "aos_estimated_total", "Attempts booked at a bound: their usage was never reported."
        ).labels()
        self.connections_refused = make.counter(
            "aos_connections_refused_total", "Connections over the door's limit."
        ).labels()
        self._tenants = _Bounded(
            make.counter("aos_tenant_cost_cents_total", "Cost by tenant.", ("tenant",)),
            METRIC_TENANTS_MAX,
        )
        self._agents = _Bounded(
            make.counter("aos_agent_cost_cents_total", "Cost by agent.", ("agent",)),
            METRIC_AGENTS_MAX,
        )

    def observe_call(  # noqa: PLR0913 - one fact of a call each; a record for them costs a copy
        self,
        provider: str,
        model: str,
        status: str,
        seconds: float,
        *,
        tokens: TokenCounts | None = None,
        cost_nanousd: int | None = None,
        unpriced: bool = False,
    ) -> None:
        """Count one call. `model` is one that the catalogue knows, or `unknown`."""
        series = self._models.get((provider, model)) or self._bind_model(provider, model)
        counted = series.statuses.get(status)
        if counted is None:
            counted = self._invocations.labels(*series.labels, status)
            series.statuses[status] = counted
        counted.inc()
        series.duration.observe(seconds)
        if tokens is not None:
            self._count_tokens(series, tokens)
        if cost_nanousd:
            if series.cost is None:
                series.cost = self._cost.labels(*series.labels)
            series.cost.inc(cost_nanousd / NANO_PER_CENT)
        if unpriced:
            if series.unpriced is None:
                series.unpriced = self._unpriced.labels(*series.labels)
            series.unpriced.inc()

    def observe_spend(self, tenant_id: str, agent_id: str | None, cost_nanousd: int) -> None:
        """Count what a tenant and its agent spent."""
        cents = cost_nanousd / NANO_PER_CENT
        self._tenants.labels(tenant_id).inc(cents)
        if agent_id is not None:
            self._agents.labels(agent_id).inc(cents)

    def render(self) -> tuple[bytes, str]:
        """The body and content type of `/metrics`."""
        return self.registry.render()

    def _count_tokens(self, series: _Model, tokens: TokenCounts) -> None:
        cached, written = tokens.cache_read_tokens, tokens.cache_write_tokens
        reasoning = tokens.reasoning_tokens
        for kind, count in (
            ("input", tokens.input_tokens - cached - written),
            ("cache_read", cached),
            ("cache_write", written),
            ("output", tokens.output_tokens - reasoning),
            ("reasoning", reasoning),
        ):
            if count > 0:
                child = series.tokens.get(kind)
                if child is None:
                    child = series.tokens[kind] = self._tokens.labels(*series.labels, kind)
                child.inc(count)

    def _bind_model(self, provider: str, model: str) -> _Model:
        labels = (provider, model)
        if len(self._models) >= METRIC_MODELS_MAX and labels != (OTHER, OTHER):
            return self._models.get((OTHER, OTHER)) or self._bind_model(OTHER, OTHER)
        series = self._models[labels] = _Model(labels, self._duration.labels(*labels))
        return series


class _Bounded:
    """The series of one label, of which only so many are made."""

    def __init__(self, family: Family, series_max: int) -> None:
        self._family = family
        self._series_max = series_max
        self._series: dict[str, Child] = {}

    def labels(self, value: str) -> Child:
        found = self._series.get(value)
        if found is None:
            if len(self._series) >= self._series_max:
                value = OTHER
            found = self._series[value] = self._family.labels(value)
        return found


METRICS: Final = Metrics()
"""The process's own. `/metrics` shows it."""
