"""Prompts and answers are stored nowhere, unless a setting says so, and then redacted of keys."""

from typing import Any

import psycopg
import pytest

from aos.infra.postgres import Database
from tests.conftest import rows_as_owner
from tests.houses import open_gate
from tests.upstreams import by_dialect, fake_provider

SECRET = "sk-proj-" + "a1B2c3D4e5F6" * 4
BODY: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "max_tokens": 20,
    "messages": [{"role": "user", "content": f"marmalade, and my key is {SECRET}"}],
}


async def everything_written(database: Database) -> str:
    """Every row of every table, as text."""
    tables = await rows_as_owner(
        database, "SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'aos'"
    )
    rows = [
        await rows_as_owner(database, f"SELECT t::text FROM aos.{table['relname']} AS t")
        for table in tables
    ]
    return str(rows)


async def test_by_default_nothing_of_them_is_written(priced_url: str) -> None:
    async with fake_provider(by_dialect) as provider, open_gate(priced_url, provider.url) as gate:
        await gate.call({**BODY, "stream": True})
        status, headers, _ = await gate.call(BODY)
        assert status == 200
        call_id = headers["x-aos-request-id"]
        story = await gate.api("GET", f"/api/v1/usage/calls/{call_id}")
        written = await everything_written(gate.house.core.database)
    assert story["content"] is None
    assert call_id in written
    assert "marmalade" not in written


@pytest.mark.parametrize("stream", [False, True])
async def test_where_the_setting_says_so_they_are_kept_without_keys(
    priced_url: str, *, stream: bool
) -> None:
    async with (
        fake_provider(by_dialect) as provider,
        open_gate(priced_url, provider.url, AOS_STORE_PROMPTS="1") as gate,
    ):
        _, headers, _ = await gate.call({**BODY, "stream": stream})
        call_id = headers["x-aos-request-id"]
        story = await gate.api("GET", f"/api/v1/usage/calls/{call_id}")
        written = await everything_written(gate.house.core.database)
    content = story["content"]
    assert "marmalade" in content["request"]
    assert ("word" if stream else "Hello!") in content["answer"].replace("\\u00f6", "o")
    assert not content["cut"]
    assert SECRET not in written


async def test_a_text_that_cannot_be_kept_fails_no_call(priced_url: str) -> None:
    async with (
        fake_provider(by_dialect) as provider,
        open_gate(priced_url, provider.url, AOS_STORE_PROMPTS="1") as gate,
    ):
        database = gate.house.core.database
        async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as owner:
            await owner.execute(
                "CREATE OR REPLACE FUNCTION aos.usage_record_contents(contents json) RETURNS void"
                " LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$"
            )
        key = await gate.key()
        status, _, _ = await gate.call(BODY, **key.headers)
        (call,) = await gate.ended(key)
        await gate.at_rest()
    assert status == 200
    assert call["status"] == "ok"
