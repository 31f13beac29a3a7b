"""A running gateway tells administrators what it runs on; a declared provider is a real one."""

from typing import Any

from aos.app.ports import ports_of_core
from aos.infra.wiring import require_real
from tests.houses import Gate, open_gate
from tests.upstreams import by_dialect, fake_provider

OWN = {"house": {"kind": "openai-compatible", "base_url": "http://127.0.0.1:9/v1"}}


async def providers(gate: Gate) -> Any:
    wiring = await gate.api("GET", "/api/v1/wiring")
    assert wiring["profile"] == "development"
    (port,) = [port for port in wiring["ports"] if port["name"] == "providers"]
    return port


async def test_it_tells_what_the_process_runs_on(priced_url: str) -> None:
    async with fake_provider(by_dialect) as provider, open_gate(priced_url, provider.url) as gate:
        port = await providers(gate)
        key = await gate.key()
        async with gate.session.get(gate.url + "/api/v1/wiring", headers=key.headers) as answer:
            assert answer.status == 403
    assert not port["mock"]
    assert "openai" in port["wired"]


async def test_a_provider_that_the_operator_declares_ends_the_stub(priced_url: str) -> None:
    async with open_gate(priced_url, None) as gate:
        assert (await providers(gate))["mock"]
        document = {"version": 1, "providers": OWN}
        await gate.api("POST", "/api/v1/config/apply", {"document": document})
        port = await providers(gate)
        require_real(ports_of_core(gate.house.core))
    assert (port["mock"], port["wired"]) == (False, "house")


async def test_in_production_the_stub_answers_nobody(priced_url: str) -> None:
    async with open_gate(priced_url, None, AOS_ENV="production", ENFORCE_TENANCY="0") as gate:
        for model in ("gpt-4o-mini", "stub/gpt-4o-mini"):
            status, _, body = await gate.call({"model": model, "messages": []})
            assert status == 404, body
        assert (await gate.api("GET", "/v1/models"))["data"] == []
