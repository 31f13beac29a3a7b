"""The product as a user starts it: a process of its own, in an empty home, on a free port."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent
START_SECONDS_MAX = 60
LISTENS = re.compile(r"AOS listens on\s+(http://\S+)")


@dataclass(frozen=True)
class Server:
    url: str
    printed: str
    environment: dict[str, str]


@contextmanager
def served(home: Path) -> Iterator[Server]:
    """What `make run` starts, on a free port and in an empty home."""
    environment = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(home),
        "AOS_HOME": str(home / ".aos"),
        "AOS_PORT": str(_free_port()),
        "LANG": "C.UTF-8",
    }
    log = home / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [BIN / "aos", "serve"], stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        try:
            url = _wait_for_address(process, log)
            yield Server(url, log.read_text(), environment | {"AOS_URL": url})
        finally:
            process.terminate()
            assert process.wait(START_SECONDS_MAX) in (0, -signal.SIGTERM), log.read_text()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_for_address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        found = LISTENS.search(log.read_text())
        if found:
            return found.group(1)
        time.sleep(0.05)
    raise AssertionError(f"it did not start:\n{log.read_text()}")
