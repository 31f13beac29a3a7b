"""Five hundred calls of four processes on a budget for forty."""

import asyncio
import sys
from collections import Counter

import orjson

from aos.infra.postgres import Database
from tests.budgets.admission import crowd
from tests.conftest import rows_as_owner

PROCESSES = 4


async def test_a_crowd_spends_what_there_is_and_not_more(database: Database) -> None:
    async def start() -> Counter[str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.budgets.admission.crowd",
            database.url,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0
        return Counter(orjson.loads(output))

    ends = sum(await asyncio.gather(*(start() for _ in range(PROCESSES))), Counter[str]())
    # A bound of three fits until 37 are spent: 38 are served, and nobody is sent away to wait.
    served = (crowd.LIMIT - crowd.BOUND) // crowd.COST + 1
    assert ends == {"served": served, "budget_exceeded": PROCESSES * crowd.CALLS - served}
    rows = await rows_as_owner(
        database,
        "SELECT pending_nanousd, posted_nanousd FROM aos.accounts WHERE budget_id = 'bgt_shared'",
    )
    assert rows == [{"pending_nanousd": 0, "posted_nanousd": served * crowd.COST}]
