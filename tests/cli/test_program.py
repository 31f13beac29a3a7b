"""The command line as a whole."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

HEAVY = {"aiohttp", "alembic", "fastapi", "psycopg", "pydantic", "sqlalchemy", "uvicorn", "yaml"}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aos", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
    )


def test_help_imports_nothing_heavy() -> None:
    program = "import sys, aos.cli.program; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(done.stdout.split())


def test_the_version_is_the_packages() -> None:
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("aos 0.")


def test_misuse_is_2_and_says_how() -> None:
    assert run("agents", "create").returncode == 2
    assert run("no-such-noun").returncode == 2
    done = run("agents", "list")
    assert done.returncode == 2
    assert "AOS_KEY" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_no_gateway_is_3_and_says_what_to_start(tmp_path: Path) -> None:
    done = run("agents", "list", AOS_URL="http://127.0.0.1:1", AOS_KEY="x")
    assert done.returncode == 3
    assert "aos serve" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AOS_PORT", "abc"),
        ("AOS_LEASE_BEAT_SECONDS", "-1"),
        ("AOS_HOME", "/proc/x"),
        ("DATABASE_URL", "mysql://ada:hunter22@db.test/aos"),
    ],
)
def test_a_setting_that_cannot_be_is_2_and_one_line(name: str, value: str) -> None:
    done = run("serve", **{name: value})
    assert done.returncode == 2, done.stderr
    assert name in done.stderr
    assert "hunter22" not in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_production_does_not_start_on_the_stub(database_url: str, tmp_path: Path) -> None:
    done = run(
        "serve", AOS_ENV="production", AOS_PORT="0", DATABASE_URL=database_url, HOME=str(tmp_path)
    )
    assert done.returncode == 1
    assert done.stdout.count("AOS listens") == 0
    assert "stubs_in_production" in done.stderr
    assert "OPENAI_API_KEY" in done.stderr


def test_the_doctor_says_whom_it_judged(gateway: str) -> None:
    asked = run("doctor", "--json", AOS_URL=gateway, AOS_KEY="x")
    assert asked.returncode == 0, "what runs there has a provider, whatever this shell has"
    assert json.loads(asked.stdout)["judged"] == f"the gateway that answers at {gateway}"
    assert json.loads(asked.stdout)["profile"] == "development"
    for environment in ({}, {"AOS_KEY": "x", "AOS_URL": "http://127.0.0.1:1"}):
        local = run("doctor", "--json", **environment)
        assert local.returncode == 1
        answer = json.loads(local.stdout)
        assert answer["judged"].startswith("the environment of this shell")
        assert answer["stubs"] == ["providers"]
    judged = run("doctor", "--profile", "production")
    assert judged.returncode == 1
    assert "stubs_in_production" in judged.stderr


AGENTS = [
    {"id": f"agt_{n}", "name": f"agent {n}", "status": "active", "budget_cents": None}
    for n in range(3)
]


PORT = {
    "name": "providers",
    "mock": False,
    "file": "aos/providers/openai.py",
    "wired": "openai",
    "env_var": "OPENAI_API_KEY",
    "fix": None,
}


class Gateway(BaseHTTPRequestHandler):
    """Two pages of agents, one problem, one answer that is not JSON."""

    seen: ClassVar[list[tuple[str, str, Any]]] = []

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers["authorization"], None))
        if "missing" in self.path:
            problem = {"title": "Not Found", "detail": "no such agent", "code": "not_found"}
            self._answer(404, json.dumps(problem))
        elif self.path == "/api/v1/wiring":
            self._answer(200, json.dumps({"profile": "development", "ports": [PORT]}))
        elif "agt_html" in self.path:
            self._answer(200, "<html>")
        elif "cursor" in self.path:
            self._answer(200, json.dumps({"items": AGENTS[2:], "next_cursor": None}))
        else:
            self._answer(200, json.dumps({"items": AGENTS[:2], "next_cursor": "c1"}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.seen.append((self.path, self.headers["authorization"], body))
        self._answer(201, json.dumps({"id": "agt_9", **body}))

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments: Any) -> None:
        """Tests read standard error."""


@pytest.fixture
def gateway() -> Iterator[str]:
    Gateway.seen = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_list_follows_its_cursor_and_stays_off_proxies(gateway: str) -> None:
    done = run(
        "agents", "list", "--json", AOS_URL=gateway, AOS_KEY="k", http_proxy="http://127.0.0.1:1"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"items": AGENTS, "next_cursor": None}
    assert Gateway.seen[0][1] == "Bearer k"


def test_a_limit_is_a_limit(gateway: str) -> None:
    done = run("agents", "list", "--limit", "1", "--json", AOS_URL=gateway, AOS_KEY="k")
    assert json.loads(done.stdout)["items"] == AGENTS[:1]


def test_the_earlier_names_still_work(gateway: str) -> None:
    created = run("create-agent", "--name", "scout", AOS_URL=gateway, AOS_KEY="k")
    assert created.returncode == 0, created.stderr
    assert Gateway.seen == [("/api/v1/agents", "Bearer k", {"name": "scout"})]
    listed = run("list-agents", "--json", AOS_URL=gateway, AOS_KEY="k")
    assert json.loads(listed.stdout)["items"] == AGENTS


def test_a_tenant_is_made_by_its_id_or_its_name(gateway: str) -> None:
    made = run("tenants", "create", "acme", "--name", "Acme", AOS_URL=gateway, AOS_KEY="k")
    assert made.returncode == 0, made.stderr
    assert "Keep the key now" in made.stdout
    assert Gateway.seen == [("/api/v1/tenants", "Bearer k", {"id": "acme", "name": "Acme"})]
    assert run("tenants", "create", AOS_URL=gateway, AOS_KEY="k").returncode == 2


def test_a_problem_is_one_line(gateway: str) -> None:
    done = run("agents", "get", "agt_missing", AOS_URL=gateway, AOS_KEY="k")
    assert done.returncode == 1
    assert done.stderr == "aos: no such agent (not_found)\n"


def test_something_else_at_the_address_is_one_line_too(gateway: str) -> None:
    done = run("agents", "get", "agt_html", AOS_URL=gateway, AOS_KEY="k")
    assert done.returncode == 1
    assert "no JSON" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_name_finds_its_id(gateway: str) -> None:
    done = run("agents", "get", "agent 2", "--json", AOS_URL=gateway, AOS_KEY="k")
    assert json.loads(done.stdout) == AGENTS[2]
    nobody = run("agents", "get", "agent 7", AOS_URL=gateway, AOS_KEY="k")
    assert nobody.returncode == 1
    assert nobody.stderr == "aos: nothing is named agent 7\n"
