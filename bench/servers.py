"""Starts and stops what is measured. Everything listens on 127.0.0.1 and ends with the run."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".bench"
ECHO_MODULE = Path("/usr/lib/nginx/modules/ngx_http_echo_module.so")
START_SECONDS_MAX = 90

ANSWER = {
    "id": "chatcmpl-bench",
    "object": "chat.completion",
    "created": 1760000000,
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello! How can I help you today?"},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 20,
        "completion_tokens": 9,
        "total_tokens": 29,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    },
    "service_tier": "default",
}
MESSAGE = {
    "id": "msg_bench",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [{"type": "text", "text": "Hello! How can I help you today?"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 20, "output_tokens": 9},
}


@dataclass(frozen=True)
class Server:
    name: str
    url: str
    pid: int


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, seconds: float = START_SECONDS_MAX) -> float:
    """Until something answers, whatever it says. Returns the seconds that took."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        try:
            urllib.request.urlopen(url, timeout=2)
        except urllib.error.HTTPError:
            return time.monotonic() - started
        except OSError:
            time.sleep(0.02)
        else:
            return time.monotonic() - started
    raise TimeoutError(f"nothing answers at {url}")


@contextmanager
def process(
    name: str, command: list[str], url: str, ready: str = "/", **options: object
) -> Iterator[Server]:
    """`ready` is the path that says that it is up."""
    log = Path(tempfile.gettempdir()) / f"aos-bench-{name}.log"
    with log.open("wb") as out:
        child = subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            start_new_session=True,
            **options,  # type: ignore[call-overload]
        )
    try:
        wait_for(url + ready)
        yield Server(name, url, child.pid)
    finally:
        os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _stream_lines() -> str:
    def chunk(delta: dict[str, str], finish: str | None = None, **more: object) -> str:
        choices = [] if more else [{"index": 0, "delta": delta, "finish_reason": finish}]
        return json.dumps(
            {
                "id": "chatcmpl-bench",
                "object": "chat.completion.chunk",
                "created": 1760000000,
                "model": "gpt-4o-mini-2024-07-18",
                "choices": choices,
                **more,
            }
        )

    words = [chunk({"content": f"word{number} "}) for number in range(20)]
    events = [*words, chunk({}, "stop"), chunk({}, usage=ANSWER["usage"]), "[DONE]"]
    return "\n      ".join(f"echo 'data: {event}\n';" for event in events)


@contextmanager
def upstream() -> Iterator[Server]:
    """nginx: answers in microseconds; `/slow` streams after 200 ms."""
    folder, port = Path(tempfile.mkdtemp(prefix="aos-bench-nginx-")), free_port()
    folder.chmod(0o755)
    template = (Path(__file__).parent / "nginx.conf.template").read_text()
    (folder / "nginx.conf").write_text(
        template.format(
            folder=folder,
            port=port,
            echo_module=ECHO_MODULE,
            answer=json.dumps(ANSWER),
            message=json.dumps(MESSAGE),
            stream_lines=_stream_lines(),
        )
    )
    url = f"http://127.0.0.1:{port}"
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with process("upstream", command, url) as server:
        yield server


@contextmanager
def aos(home: Path, upstream_url: str, **variables: str) -> Iterator[Server]:
    """One gateway process on its private PostgreSQL."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AOS_HOME": str(home / "aos"),
        "AOS_PORT": str(port),
        "OPENAI_API_KEY": "sk-bench",
        "OPENAI_BASE_URL": f"{upstream_url}/v1",
        "ANTHROPIC_API_KEY": "sk-ant-bench",
        "ANTHROPIC_BASE_URL": upstream_url,
        "AOS_LOG_LEVEL": "warning",
        **variables,
    }
    url = f"http://127.0.0.1:{port}"
    command = [str(ROOT / ".venv/bin/aos"), "serve"]
    with process("aos", command, url, "/health", env=environment, cwd=str(home)) as server:
        yield server


def admin_key(home: Path) -> str:
    return (home / "aos" / "admin-key").read_text().strip()


def call_api(server: Server, key: str, method: str, path: str, body: object = None) -> dict:  # type: ignore[type-arg]
    request = urllib.request.Request(
        server.url + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"{}")  # type: ignore[no-any-return]


@contextmanager
def shared_database(home: Path) -> Iterator[str]:
    """A private PostgreSQL of its own for several gateway processes; yields its URL."""
    from aos.infra.postgres import PrivateServer

    server = PrivateServer(home / "database")
    url = server.start()
    try:
        yield url
    finally:
        server.stop()
