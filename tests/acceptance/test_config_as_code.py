"""An `aos.yaml` from an empty home to a call that it routes and prices."""

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.acceptance.served import BIN, Server, served

pytestmark = pytest.mark.slow

ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "llama-3",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello from here."},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
}


class Local(BaseHTTPRequestHandler):
    """A model server of one's own, on this machine."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        body = json.dumps(ANSWER | {"model": asked["model"]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def local() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Local) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("home")) as server:
        yield server


def aos(server: Server, *arguments: str, status: int = 0) -> str:
    done = subprocess.run(
        [BIN / "aos", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=server.environment,
        timeout=60,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


def call(server: Server, key: str, model: str) -> tuple[dict[str, Any], dict[str, str]]:
    request = Request(
        f"{server.url}/v1/chat/completions",
        json.dumps(
            {"model": model, "max_tokens": 200, "messages": [{"role": "user", "content": "Hi"}]}
        ).encode(),
        {"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    with urlopen(request, timeout=30) as answer:
        return json.load(answer), dict(answer.headers)


def test_a_file_declares_a_model_that_then_answers_at_its_price(
    server: Server, local: str, tmp_path: Path
) -> None:
    file = tmp_path / "aos.yaml"
    file.write_text(
        f"""
version: 1
providers:
  local:
    kind: openai-compatible
    base_url: {local}
    models:
      llama-3:
        context_window: 8192
        output_tokens_max: 4096
        price: {{input: 0.05, output: 0.08}}
aliases:
  fast: local/llama-3
agents:
  scout: {{budget_cents: 500}}
keys:
  ci: {{agent: scout, models: [fast]}}
budgets:
  scouting: {{scope: PER_AGENT, scope_value: scout, period: DAILY, limit_usd: 0.10}}
"""
    )
    preview = aos(server, "apply", "-f", str(file), "--dry-run")
    assert "would change: 5 created" in preview
    assert aos(server, "export") == "version: 1\n"

    applied = json.loads(aos(server, "apply", "-f", str(file), "--json"))
    (key,) = applied["created_keys"]
    assert aos(server, "apply", "-f", str(file)) == "nothing to change\n"

    answer, headers = call(server, key["key"], "fast")
    assert answer["choices"][0]["message"]["content"] == "Hello from here."
    assert headers["x-aos-provider"] == "local"
    # 1,000 tokens at 0.05 and 100 at 0.08 dollars a million.
    assert headers["x-aos-cost-usd"] == "0.000058000"
    (row,) = json.loads(aos(server, "calls", "list", "--json"))["items"]
    assert (row["model_requested"], row["model"]) == ("fast", "llama-3")
    assert row["cost_usd"] == "0.000058000"
    status = json.loads(aos(server, "budgets", "status", "scouting", "--json"))
    assert status["current_spend_usd"] == "0.000058000"
    assert json.loads(aos(server, "agents", "get", "scout", "--json"))["spent_cents"] == 0.0058

    copy = tmp_path / "copy.yaml"
    copy.write_text(aos(server, "export"))
    assert aos(server, "apply", "-f", str(copy), "--prune") == "nothing to change\n"

    copy.write_text("version: 1\n")
    pruned = aos(server, "apply", "-f", str(copy), "--prune")
    assert "5 deleted" in pruned
    refused = aos(server, "keys", "get", "ci", status=1)
    assert refused == "aos: nothing is named ci\n"
    assert aos(server, "ledger", "verify").startswith("the ledger adds up")


def test_a_mistake_in_the_file_changes_nothing_and_says_where(
    server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "aos.yaml"
    before = aos(server, "export")
    file.write_text("version: 1\nagents: {new: {}}\nbudgets: {x: {scope: GLOBAL, limit: 1}}\n")
    assert "budgets.x.limit: there is no such field" in aos(
        server, "apply", "-f", str(file), status=1
    )
    assert aos(server, "export") == before
