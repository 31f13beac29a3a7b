"""Memory over many calls, and how long a start takes."""

import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from load import _run
from servers import admin_key, aos, upstream

from gateway import CHAT, SMALL, file_of, with_two_budgets

CALLS = 200_000


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise LookupError(pid)


def memory(calls: int = CALLS) -> list[tuple[int, float]]:
    """(calls so far, MB) at each quarter."""
    folder = Path(tempfile.mkdtemp(prefix="aos-bench-"))
    body = file_of(folder, "small", SMALL)
    with upstream() as mock, aos(folder, mock.url) as gate:
        headers = with_two_budgets(gate, folder)
        done, readings = 0.0, [(0, memory_mb(gate.pid))]
        while done < calls:
            load = _run(gate.url + CHAT, body, headers, 32, 10)
            done += load.requests_per_second * 10
            readings.append((int(done), memory_mb(gate.pid)))
    return readings


def start_seconds() -> float:
    """From the command to the first answered call, on a home that has run before."""
    folder = Path(tempfile.mkdtemp(prefix="aos-bench-"))
    with upstream() as mock:
        with aos(folder, mock.url):
            pass
        began = time.monotonic()
        with aos(folder, mock.url) as gate:
            body = file_of(folder, "small", SMALL).read_bytes()
            headers = {"authorization": f"Bearer {admin_key(folder)}"}
            request = urllib.request.Request(gate.url + CHAT, data=body, headers=headers)
            while True:
                try:
                    with urllib.request.urlopen(request, timeout=5):
                        return time.monotonic() - began
                except urllib.error.URLError:
                    time.sleep(0.01)


if __name__ == "__main__":
    print(f"start to first answered call: {start_seconds():.2f} s")
    for calls, megabytes in memory():
        print(f"{calls:8d} calls  {megabytes:6.1f} MB")
