import asyncio
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

import aos
from aos.infra.telemetry import METRICS, Metrics
from aos.infra.telemetry.prometheus import Registry
from aos.messages import TokenUsage


def series(metrics: Metrics) -> dict[str, float]:
    text = metrics.render()[0].decode()
    pairs = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_a_call_is_counted_under_the_agreed_names() -> None:
    metrics = Metrics()
    usage = TokenUsage(
        input_tokens=100,
        cache_read_tokens=30,
        cache_write_5m_tokens=20,
        output_tokens=50,
        reasoning_tokens=10,
    )
    metrics.observe_call("openai", "gpt-4o", "ok", 1.5, tokens=usage, cost_nanousd=25_000_000)
    metrics.observe_call("openai", "gpt-4o", "upstream_error", 0.1, unpriced=True)
    shown = series(metrics)
    tokens = {
        kind: shown[
            f'nova_llm_tokens_total{{model="gpt-4o",provider="openai",token_type="{kind}"}}'
        ]
        for kind in ("input", "cache_read", "cache_write", "output", "reasoning")
    }
    assert tokens == {
        "input": 50,
        "cache_read": 30,
        "cache_write": 20,
        "output": 40,
        "reasoning": 10,
    }
    assert sum(tokens.values()) == usage.total_tokens
    labels = 'model="gpt-4o",provider="openai"'
    assert shown[f"nova_llm_cost_cents_total{{{labels}}}"] == 2.5
    assert shown[f'nova_llm_invocations_total{{{labels},status="ok"}}'] == 1
    assert shown[f'nova_llm_invocations_total{{{labels},status="upstream_error"}}'] == 1
    assert shown[f"nova_llm_unpriced_total{{{labels}}}"] == 1
    assert shown[f"nova_llm_duration_seconds_count{{{labels}}}"] == 2
    assert f'nova_llm_duration_seconds_bucket{{le="300.0",{labels}}}' in shown
    assert not [name for name in shown if name.endswith("_created") or "_created{" in name]


def test_labels_stay_bounded_and_sums_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aos.infra.telemetry.metrics.METRIC_MODELS_MAX", 3)
    monkeypatch.setattr("aos.infra.telemetry.metrics.METRIC_TENANTS_MAX", 2)
    metrics = Metrics()
    for number in range(50):
        metrics.observe_call("p", f"m{number}", "ok", 0.1, cost_nanousd=10_000_000)
        metrics.observe_spend(f"ten_{number}", None, 10_000_000)
    shown = series(metrics)
    costs = {name: value for name, value in shown.items() if name.startswith("nova_llm_cost")}
    assert len(costs) == 4
    assert sum(costs.values()) == 50
    assert costs['nova_llm_cost_cents_total{model="other",provider="other"}'] == 47
    tenants = {name: v for name, v in shown.items() if name.startswith("aos_tenant_cost")}
    assert len(tenants) == 3
    assert sum(tenants.values()) == 50


def test_without_prometheus_everything_is_taken_and_nothing_counted() -> None:
    metrics = Metrics(Registry(real=False))
    metrics.observe_call("p", "m", "ok", 0.1, tokens=TokenUsage(input_tokens=1), cost_nanousd=1)
    metrics.observe_spend("t", "a", 1)
    metrics.calls_in_flight.set(1)
    metrics.hold_wait.observe(1)
    assert not metrics.registry.real
    assert b"not installed" in metrics.render()[0]


def counted(adapter: str, name: str) -> float:
    return sum(
        value
        for key, value in series(METRICS).items()
        if key.startswith(name) and f'provider="{adapter}"' in key
    )


def test_the_function_reads_what_clients_answer() -> None:
    aos.track_llm_response(
        {"model": "gpt", "usage": {"prompt_tokens": 7, "completion_tokens": 3}},
        adapter_id="adapter-a",
        model="asked",
    )
    aos.track_llm_response(
        SimpleNamespace(input_tokens=5, output_tokens=1, cost_cents=1.5, latency_ms=200),
        adapter_id="adapter-a",
        model="asked",
    )
    assert counted("adapter-a", "nova_llm_tokens_total") == 16
    assert counted("adapter-a", "nova_llm_cost_cents_total") == 1.5
    assert counted("adapter-a", "nova_llm_duration_seconds_sum") == 0.2


@dataclass
class Usage:
    input_tokens: int = 10
    output_tokens: int = 2
    cache_read_input_tokens: int = 4


@dataclass
class Answer:
    usage: Usage
    model: str = "claude"


def test_the_decorator_counts_answers_and_failures_sync_and_async() -> None:
    @aos.track_llm_usage("adapter-b", "claude")
    def ask(*, fail: bool = False) -> Answer:
        if fail:
            raise ValueError("no")
        return Answer(Usage())

    @aos.track_llm_usage("adapter-b", "claude")
    async def ask_async() -> Answer:
        return Answer(Usage())

    assert ask().model == "claude"
    assert asyncio.run(ask_async()).model == "claude"
    with pytest.raises(ValueError, match="no"):
        ask(fail=True)
    assert counted("adapter-b", "nova_llm_tokens_total") == 2 * 16
    assert counted("adapter-b", "nova_llm_invocations_total") == 3


def test_the_front_door_knows_its_names() -> None:
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = aos.nothing_such
