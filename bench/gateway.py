"""Throughput and added latency of one gateway process, beside its peers, in the same run."""

import json
import tempfile
from pathlib import Path

import peers
from load import Load, wrk
from servers import Server, admin_key, aos, call_api, upstream

CHAT = "/v1/chat/completions"
SMALL = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Hello, who are you and what can you do for me?"}],
    "max_tokens": 64,
}
STREAMED = {**SMALL, "stream": True}
CODING = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 4096,
    "system": "You are a coding assistant. " * 400,
    "tools": [
        {
            "name": f"tool_{number}",
            "description": "Does one thing and does it well. " * 20,
            "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
        }
        for number in range(20)
    ],
    "messages": [
        {
            "role": "user" if turn % 2 == 0 else "assistant",
            "content": [{"type": "text", "text": "def value(item):\n    return item.value\n" * 60}],
        }
        for turn in range(191)
    ],
}
"""About 500 KB, as a coding client sends after an hour."""


def file_of(folder: Path, name: str, body: object) -> Path:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(body))
    return path


def with_two_budgets(server: Server, home: Path) -> dict[str, str]:
    """A key that two budgets bind, neither of which the run exhausts."""
    admin = admin_key(home)
    key = call_api(server, admin, "POST", "/api/v1/keys", {"name": "bench"})
    for name, scope, value in (("all", "GLOBAL", None), ("key", "PER_KEY", key["id"])):
        body = {"name": name, "scope": scope, "scope_value": value, "period": "MONTHLY",
                "limit_usd": "100000", "action_on_breach": "BLOCK"}  # fmt: skip
        call_api(server, admin, "POST", "/api/v1/budgets", body)
    return {"Authorization": f"Bearer {key['key']}"}


def measure(with_peers: bool = True) -> list[tuple[str, str, Load]]:
    rows: list[tuple[str, str, Load]] = []
    folder = Path(tempfile.mkdtemp(prefix="aos-bench-"))
    small = file_of(folder, "small", SMALL)
    streamed = file_of(folder, "streamed", STREAMED)
    coding = file_of(folder, "coding", CODING)
    with upstream() as mock:
        bearer = {"Authorization": "Bearer sk-bench"}
        for connections in (1, 32, 100):
            rows.append(
                (
                    "nginx alone",
                    f"plain, {connections}",
                    wrk(mock.url + CHAT, small, bearer, connections),
                )
            )
        rows.append(
            ("nginx alone", "stream, 100", wrk(f"{mock.url}/slow{CHAT}", streamed, bearer, 100))
        )
        rows.append(("nginx alone", "500 KB, 1", wrk(f"{mock.url}/v1/messages", coding, bearer, 1)))
        with aos(folder, mock.url) as gate:
            headers = with_two_budgets(gate, folder)
            for connections in (1, 32, 100):
                rows.append(
                    (
                        "AOS",
                        f"plain, {connections}",
                        wrk(gate.url + CHAT, small, headers, connections),
                    )
                )
            rows.append(("AOS", "500 KB, 1", wrk(f"{gate.url}/v1/messages", coding, headers, 1)))
        with aos(folder, f"{mock.url}/slow") as gate:
            rows.append(("AOS", "stream, 100", wrk(gate.url + CHAT, streamed, headers, 100)))
        if with_peers:
            peers.install()
            with peers.litellm(mock.url) as peer:
                rows += [
                    ("LiteLLM", f"plain, {n}", wrk(peer.url + CHAT, small, bearer, n))
                    for n in (1, 32, 100)
                ]
            portkey = {
                **bearer,
                "x-portkey-provider": "openai",
                "x-portkey-custom-host": f"{mock.url}/v1",
            }
            with peers.portkey() as peer:
                rows += [
                    ("Portkey", f"plain, {n}", wrk(peer.url + CHAT, small, portkey, n))
                    for n in (1, 32, 100)
                ]
    return rows


if __name__ == "__main__":
    for who, what, load in measure():
        speed = f"{load.requests_per_second:9.0f} req/s"
        print(f"{who:12} {what:12} {speed}  p50 {load.p50:7.2f}  p99 {load.p99:7.2f} ms")
