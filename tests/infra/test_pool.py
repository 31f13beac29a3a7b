from aos.infra.postgres import Database


async def test_a_tenants_transaction_says_who_it_is(database: Database) -> None:
    async with database.tenant("ten_1") as tx:
        cursor = await tx.execute("SELECT aos.current_tenant() AS tenant, current_user AS role")
        assert await cursor.fetchone() == {"tenant": "ten_1", "role": "aos_app"}
    async with database.system() as tx:
        cursor = await tx.execute("SELECT aos.current_tenant() AS tenant")
        assert await cursor.fetchone() == {"tenant": None}


async def test_a_change_is_counted(database: Database) -> None:
    async with database.system() as tx:
        await tx.execute("SELECT aos.changed('keys')")
    async with database.system() as tx:
        cursor = await tx.execute("SELECT version FROM aos.changes WHERE topic = 'keys'")
        assert await cursor.fetchone() == {"version": 1}
