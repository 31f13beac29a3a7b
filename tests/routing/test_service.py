"""Declarations in the database, and the snapshot that calls read."""

import psycopg
import pytest

from aos.identity import Tenants
from aos.infra.postgres import Database
from aos.routing import (
    Alias,
    DeclaredModel,
    InvalidRoute,
    RouteBook,
    Routing,
    Upstream,
    UpstreamKind,
)
from aos.routing.service import check_address

LOCAL = Upstream(
    id="local",
    kind=UpstreamKind.OPENAI_COMPATIBLE,
    base_url="http://127.0.0.1:11434/v1",
    api_key_env="LOCAL_API_KEY",
    models=(DeclaredModel("llama-3", context_window=8192),),
)


async def test_what_is_declared_is_in_the_snapshot_until_deleted(database: Database) -> None:
    routing, book = Routing(), RouteBook(database)
    async with database.tenant("default") as tx:
        await routing.save_upstream(tx, "default", LOCAL)
        await routing.save_alias(tx, "default", Alias("fast", ("local/llama-3", "gpt-4o")))
        await routing.check(tx)
    await book.load()
    routes = book.of("default")
    assert routes.upstreams == {"local": LOCAL}
    assert routes.aliases == {"fast": ("local/llama-3", "gpt-4o")}
    assert routes.providers_of == {"llama-3": ("local",)}
    assert not book.of("ten_other").aliases

    async with database.tenant("default") as tx:
        assert await routing.upstreams(tx) == [LOCAL]
        await routing.delete_upstream(tx, "local")
        await routing.delete_alias(tx, "fast")
    await book.load()
    assert not book.of("default").upstreams


async def test_a_tenant_sees_and_changes_its_own_rows_only(database: Database) -> None:
    routing = Routing()
    await Tenants(database).ensure("ten_1", "one")
    await Tenants(database).ensure("ten_2", "two")
    async with database.tenant("ten_1") as tx:
        await routing.save_upstream(tx, "ten_1", LOCAL)
    async with database.tenant("ten_2") as tx:
        await routing.delete_upstream(tx, "local")
        assert await routing.upstreams(tx) == []
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with database.tenant("ten_2") as tx:
            await routing.save_upstream(tx, "ten_1", LOCAL)
    async with database.tenant("ten_1") as tx:
        assert await routing.upstreams(tx) == [LOCAL]


async def test_a_chain_of_aliases_is_refused_as_a_whole(database: Database) -> None:
    routing = Routing()
    async with database.tenant("default") as tx:
        await routing.save_alias(tx, "default", Alias("a", ("b",)))
        await routing.save_alias(tx, "default", Alias("b", ("gpt-4o",)))
        with pytest.raises(InvalidRoute):
            await routing.check(tx)


async def test_the_database_too_refuses_a_variable_that_is_no_key(database: Database) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        async with database.tenant("default") as tx:
            await tx.execute(
                "INSERT INTO aos.upstreams (tenant_id, id, kind, base_url, api_key_env) "
                "VALUES ('default', 'x', 'openai', 'https://x.test', 'DATABASE_URL')"
            )


async def test_a_change_is_announced(database: Database) -> None:
    async with database.tenant("default") as tx:
        await Routing().save_alias(tx, "default", Alias("fast", ("gpt-4o",)))
    async with database.system() as tx:
        cursor = await tx.execute("SELECT version FROM aos.changes WHERE topic = 'config'")
        assert await cursor.fetchone() == {"version": 1}


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest",
        "http://[fd00:ec2::254]/v1",
        "http://0.0.0.0:80/v1",
        "https://x.test:99999/v1",
        "https:///v1",
    ],
)
def test_an_address_that_can_never_be_called_is_refused_when_it_is_written(address: str) -> None:
    with pytest.raises(InvalidRoute):
        check_address(Upstream("x", UpstreamKind.OPENAI, address))
    check_address(Upstream("x", UpstreamKind.OPENAI, "http://192.168.1.7:8080/v1"))
