"""Measures the gateway and its peers in one run, and writes RESULTS.md.

`python bench/run.py [--quick] [--without-peers]`; `make bench` runs all of it (about ten minutes).
"""

import argparse
import asyncio
import os
import platform
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import budget
import holds
import lifetime
from load import Load
from servers import ECHO_MODULE, ROOT

import gateway

RESULTS = Path(__file__).parent / "RESULTS.md"
TOOLS = {"nginx": "nginx", "wrk": "wrk"}


def check_tools() -> None:
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if not ECHO_MODULE.exists():
        missing.append("libnginx-mod-http-echo")
    if missing:
        sys.exit(f"needed for the benchmark: apt-get install {' '.join(missing)}")


def machine() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    ).stdout.strip()
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return (
        f"{model}, {os.cpu_count()} cores shared by the gateway, PostgreSQL, the mock upstream and "
        f"the load; Python {platform.python_version()}; commit {commit}; "
        f"{datetime.now(UTC):%Y-%m-%d}; load average at the start {load}"
    )


def ratios(rows: list[tuple[str, str, Load]]) -> list[tuple[str, str, str]]:
    """(figure, at least / want, measured)."""
    by = {(who, what): load for who, what, load in rows}
    nothing, ours = by["nginx alone", "plain, 1"], by["AOS", "plain, 1"]
    best = max(by["AOS", f"plain, {n}"].requests_per_second for n in (32, 100))
    table = []
    for peer, bounds in (("LiteLLM", "35 x / 60 x"), ("Portkey", "2 x / 3.5 x")):
        if (peer, "plain, 100") in by:
            theirs = max(by[peer, f"plain, {n}"].requests_per_second for n in (32, 100))
            measured = f"{best / theirs:.1f} x ({best:.0f} to {theirs:.0f} req/s)"
            table.append((f"throughput against {peer}", bounds, measured))
    table.append(
        (
            "added latency at 1 connection, p50 / p99",
            "2 / 6 ms, want 1.1 / 3",
            f"{ours.p50 - nothing.p50:.2f} / {ours.p99 - nothing.p99:.2f} ms",
        )
    )
    for what, told in (
        ("stream, 100", "100 streams of an upstream that takes 180 to 220 ms"),
        ("stream in step, 100", "the same, 200 ms to the millisecond: all hundred at once"),
    ):
        added = by["AOS", what].p99 - by["nginx alone", what].p99
        table.append((f"added p99, {told}", "10, want 4 ms", f"{added:.1f} ms"))
    large = by["AOS", "500 KB, 1"].p50 - by["nginx alone", "500 KB, 1"].p50
    table.append(("a 500 KB request, added p50", "8, want 4 ms", f"{large:.1f} ms"))
    return table


def overspends(table: list[tuple[str, str, str]]) -> None:
    for streamed in (False, True):
        outcome = asyncio.run(budget.scenario(streamed))
        kind = "streamed" if streamed else "plain"
        table.append(
            (
                f"500 calls on a budget for 40, four processes, {kind}",
                "overspend 0, ≥ 38 served, want 39",
                f"overspend ${outcome.overspent_usd}, {outcome.statuses[200]} served",
            )
        )


def write(rows: list[tuple[str, str, Load]], table: list[tuple[str, str, str]], where: str) -> None:
    lines = ["# Results", "", where, "", "| figure | at least | measured |", "|---|---|---|"]
    lines += [f"| {figure} | {bound} | {measured} |" for figure, bound, measured in table]
    lines += [
        "",
        "## Every run",
        "",
        "| who | what | req/s | p50 ms | p99 ms |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {who} | {what} | {load.requests_per_second:.0f} | {load.p50:.2f} | {load.p99:.2f} |"
        for who, what, load in rows
    ]
    RESULTS.write_text("\n".join(lines) + "\n")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="20,000 calls for the memory figure")
    options.add_argument("--without-peers", action="store_true")
    chosen = options.parse_args()
    check_tools()
    where = machine()
    rows = gateway.measure(with_peers=not chosen.without_peers)
    table = ratios(rows)
    p99 = holds.hold_p99_ms()
    table.append(("hold p99 at 100 concurrent", "5, want 2 ms", f"{p99:.1f} ms"))
    overspends(table)
    calls = 20_000 if chosen.quick else lifetime.CALLS
    readings = lifetime.memory(calls)
    told = ", ".join(
        f"{megabytes:.0f} MB after {count}"
        for count, megabytes in readings[:: max(1, len(readings) // 4)]
    )
    table.append(
        (
            f"memory after {calls:,} calls",
            "250 MB, flat, want 150",
            f"{readings[-1][1]:.0f} MB ({told})",
        )
    )
    table.append(
        (
            "start to first answered call, warm home",
            "4, want 2 s",
            f"{lifetime.start_seconds():.1f} s",
        )
    )
    write(rows, table, where)
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
