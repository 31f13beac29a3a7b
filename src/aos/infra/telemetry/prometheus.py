"""prometheus-client, or metrics that count nothing where it is not installed.

Which of the two stands behind the metrics is a row of the wiring report.
"""

from collections.abc import Sequence
from typing import Any, Protocol

try:
    import prometheus_client
    from prometheus_client import platform_collector, process_collector
except ImportError:  # pragma: no cover - a dependency of ours, but not of those who embed us
    PROMETHEUS_AVAILABLE = False
else:
    PROMETHEUS_AVAILABLE = True


class Child(Protocol):
    """One series: a metric with its labels' values bound."""

    def inc(self, amount: float = 1) -> None: ...

    def set(self, value: float) -> None: ...

    def observe(self, amount: float) -> None: ...


class Family(Protocol):
    """One metric."""

    def labels(self, *values: str) -> Child: ...


class Registry:
    """Makes metrics and shows them as text."""

    def __init__(self, *, real: bool = PROMETHEUS_AVAILABLE) -> None:
        self.real = real
        if real:
            # A `_created` series beside each counter doubles the output and is read by nobody.
            prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
            self._registry = prometheus_client.CollectorRegistry()
            process_collector.ProcessCollector(registry=self._registry)
            platform_collector.PlatformCollector(registry=self._registry)

    def counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Family:
        if not self.real:
            return StubMetric()
        return _family(
            prometheus_client.Counter(name, text, labels, registry=self._registry), labels
        )

    def gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Family:
        if not self.real:
            return StubMetric()
        return _family(prometheus_client.Gauge(name, text, labels, registry=self._registry), labels)

    def histogram(
        self, name: str, text: str, buckets: Sequence[float], labels: Sequence[str] = ()
    ) -> Family:
        if not self.real:
            return StubMetric()
        return _family(
            prometheus_client.Histogram(
                name, text, labels, buckets=buckets, registry=self._registry
            ),
            labels,
        )

    def render(self) -> tuple[bytes, str]:
        """The body and content type of `/metrics`."""
        if not self.real:
            return b"# prometheus-client is not installed: nothing is counted\n", "text/plain"
        return (
            prometheus_client.generate_latest(self._registry),
            prometheus_client.CONTENT_TYPE_LATEST,
        )


class StubMetric:
    """Takes everything, counts nothing."""

    def labels(self, *_values: str) -> "StubMetric":
        return self

    def inc(self, amount: float = 1) -> None:
        """Nothing is counted."""

    def set(self, value: float) -> None:
        """Nothing is kept."""

    def observe(self, amount: float) -> None:
        """Nothing is counted."""


class _Unlabelled:
    """A metric without labels is its own only series."""

    def __init__(self, metric: Child) -> None:
        self._metric = metric

    def labels(self, *_values: str) -> Child:
        return self._metric


def _family(metric: Any, labels: Sequence[str]) -> Family:
    """Theirs have a type for each kind, with that kind's verbs only; ours is their union."""
    family: Family = metric if labels else _Unlabelled(metric)
    return family
