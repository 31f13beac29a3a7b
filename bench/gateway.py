"""Throughput and added latency of one gateway process, beside its peers, in the same run."""

import json
import tempfile
from pathlib import Path

import peers
from load import SECONDS, Load, wrk
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


CONNECTIONS = (1, 32, 100)
STREAM_SECONDS = 4 * SECONDS
"""All begin at once: in a short run that first round would be one in a hundred."""
STREAMS = (("stream, 100", "/slow"), ("stream in step, 100", "/step"))


def measure(with_peers: bool = True) -> list[tuple[str, str, Load]]:
    """(who, what, load) of every run."""
    folder = Path(tempfile.mkdtemp(prefix="aos-bench-"))
    small = file_of(folder, "small", SMALL)
    streamed = file_of(folder, "streamed", STREAMED)
    coding = file_of(folder, "coding", CODING)
    bearer = {"Authorization": "Bearer sk-bench"}
    rows: list[tuple[str, str, Load]] = []

    def plain(who: str, url: str, headers: dict[str, str]) -> None:
        for count in CONNECTIONS:
            rows.append((who, f"plain, {count}", wrk(url + CHAT, small, headers, count)))

    def add(who: str, what: str, url: str, body: Path, headers: dict[str, str]) -> None:
        count = int(what.rpartition(" ")[2])
        seconds = STREAM_SECONDS if what.startswith("stream") else SECONDS
        rows.append((who, what, wrk(url, body, headers, count, seconds)))

    with upstream() as mock:
        plain("nginx alone", mock.url, bearer)
        add("nginx alone", "500 KB, 1", f"{mock.url}/v1/messages", coding, bearer)
        with aos(folder, mock.url) as gate:
            headers = with_two_budgets(gate, folder)
            plain("AOS", gate.url, headers)
            add("AOS", "500 KB, 1", f"{gate.url}/v1/messages", coding, headers)
        for what, place in STREAMS:
            add("nginx alone", what, mock.url + place + CHAT, streamed, bearer)
            with aos(folder, mock.url + place) as gate:
                add("AOS", what, gate.url + CHAT, streamed, headers)
        if with_peers:
            peers.install()
            with peers.litellm(mock.url) as peer:
                plain("LiteLLM", peer.url, bearer)
            chosen = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"{mock.url}/v1"}
            with peers.portkey() as peer:
                plain("Portkey", peer.url, {**bearer, **chosen})
    return rows


if __name__ == "__main__":
    for who, what, load in measure():
        speed = f"{load.requests_per_second:9.0f} req/s"
        print(f"{who:12} {what:12} {speed}  p50 {load.p50:7.2f}  p99 {load.p99:7.2f} ms")
