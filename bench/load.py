"""One bounded run of wrk against a local address."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

SECONDS = int(os.environ.get("AOS_BENCH_SECONDS", "8"))
WARMUP_SECONDS = 2


@dataclass(frozen=True)
class Load:
    """Latencies are milliseconds."""

    requests_per_second: float
    p50: float
    p90: float
    p99: float
    failed: int


def wrk(
    url: str, body: Path, headers: dict[str, str], connections: int, seconds: int = SECONDS
) -> Load:
    """Closed loop: each connection sends its next request when the last is answered."""
    _run(url, body, headers, connections, WARMUP_SECONDS)
    return _run(url, body, headers, connections, seconds)


def _run(url: str, body: Path, headers: dict[str, str], connections: int, seconds: int) -> Load:
    lines = "\n".join(f"{name}: {value}" for name, value in headers.items())
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "--latency",
         "-s", str(Path(__file__).parent / "post.lua"), url],
        env={**os.environ, "BODY": str(body), "HEADERS": lines},
        capture_output=True, text=True, check=True, timeout=seconds + 60,
    )  # fmt: skip
    result = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    requests, duration, p50, p90, p99, failed = (float(word) for word in result.split()[1:])
    return Load(requests / duration, p50, p90, p99, int(failed))
