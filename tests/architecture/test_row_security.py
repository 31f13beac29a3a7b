"""Row security of every table there is, asked of the database itself: a new table is covered too.

Each table with a tenant_id is stripped of what stands in the way of a made-up row, given one row of
each of two tenants, and then used as aos_app, round the application, in plain SQL.
"""

from collections.abc import Iterator
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.rows import dict_row

MINE, THEIRS = "ten_mine", "ten_theirs"
Row = dict[str, Any]

TABLES: LiteralString = """
SELECT c.oid, c.relname AS name, c.relrowsecurity AS secured, c.relispartition AS partition,
       CASE WHEN c.relname = 'tenants' THEN 'id' ELSE 'tenant_id' END AS tenant,
       has_any_column_privilege('aos_app', c.oid, 'SELECT') AS may_select,
       has_any_column_privilege('aos_app', c.oid, 'INSERT') AS may_insert,
       has_table_privilege('aos_app', c.oid, 'DELETE') AS may_delete,
       has_table_privilege('aos_app', c.oid, 'TRUNCATE') AS may_truncate,
       (SELECT attname FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0
        AND has_column_privilege('aos_app', c.oid, a.attnum, 'UPDATE') LIMIT 1) AS may_update,
       (SELECT count(*) FROM pg_policy AS p WHERE p.polrelid = c.oid) AS policies
FROM pg_class AS c
WHERE c.relnamespace = 'aos'::regnamespace AND c.relkind IN ('r', 'p')
  AND (c.relname = 'tenants' OR EXISTS (
    SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id'))
ORDER BY c.relname
"""


@pytest.fixture
def owner(database_url: str) -> Iterator[Connection[Row]]:
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("RESET ROLE")
        yield connection


def tables(owner: Connection[Row], *, partitions: bool = False) -> list[Row]:
    return [row for row in owner.execute(TABLES) if row["partition"] is partitions]


def name_of(table: Row) -> sql.Identifier:
    return sql.Identifier("aos", table["name"])


def strip(owner: Connection[Row]) -> None:
    """Nothing but row security and grants is left of the tables."""
    for table in tables(owner):
        owner.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(name_of(table)))
    for kind in "fxcup":
        for table in tables(owner):
            found = owner.execute(
                "SELECT conname FROM pg_constraint WHERE conrelid = %s AND contype = %s",
                (table["oid"], kind),
            )
            for row in found.fetchall():
                statement = sql.SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {} CASCADE")
                owner.execute(statement.format(name_of(table), sql.Identifier(row["conname"])))
    for table in tables(owner):
        indexes = owner.execute(
            """SELECT i.indexrelid::regclass::text AS name FROM pg_index AS i
               WHERE i.indrelid = %s AND i.indisunique""",
            (table["oid"],),
        )
        for row in indexes.fetchall():
            owner.execute(sql.SQL("DROP INDEX {}").format(sql.SQL(row["name"])))
        columns = owner.execute(
            """SELECT attname FROM pg_attribute
               WHERE attrelid = %s AND attnum > 0 AND attnotnull AND attidentity = ''""",
            (table["oid"],),
        )
        for row in columns.fetchall():
            statement = sql.SQL("ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL")
            owner.execute(statement.format(name_of(table), sql.Identifier(row["attname"])))
        owner.execute(sql.SQL("DELETE FROM {}").format(name_of(table)))


def insert(connection: Connection[Row], table: Row, tenant: str) -> None:
    statement = sql.SQL("INSERT INTO {} ({}) VALUES (%s)")
    connection.execute(statement.format(name_of(table), sql.Identifier(table["tenant"])), (tenant,))


def act_as(connection: Connection[Row], tenant: str | None) -> None:
    connection.execute("SET ROLE aos_app")
    connection.execute("SELECT set_config('aos.tenant', %s, false)", (tenant or "",))


def visible(connection: Connection[Row], table: Row) -> set[str]:
    statement = sql.SQL("SELECT DISTINCT {} AS tenant FROM {}")
    rows = connection.execute(
        statement.format(sql.Identifier(table["tenant"]), name_of(table))
    ).fetchall()
    return {row["tenant"] for row in rows}


def touched(connection: Connection[Row], statement: sql.Composed) -> int:
    return connection.execute(statement, (THEIRS,)).rowcount


def test_every_tenant_owned_table_has_row_security_and_a_policy(owner: Connection[Row]) -> None:
    found = tables(owner)
    assert {"tenants", "agents", "api_keys", "api_key_secrets", "idempotent_requests"} <= {
        table["name"] for table in found
    }
    assert [table["name"] for table in found if not table["secured"]] == []
    readable = [table for table in found if table["may_select"] or table["may_insert"]]
    assert [table["name"] for table in readable if not table["policies"]] == []
    assert [table["name"] for table in found if table["may_truncate"]] == []


def test_nobody_reads_or_writes_another_tenants_rows(owner: Connection[Row]) -> None:
    strip(owner)
    found = tables(owner)
    for table in found:
        insert(owner, table, MINE)
        insert(owner, table, THEIRS)
        assert visible(owner, table) == {MINE, THEIRS}
    for table in found:
        act_as(owner, None)
        if table["may_select"]:
            assert visible(owner, table) == set(), table["name"]
        act_as(owner, MINE)
        if table["may_select"]:
            assert visible(owner, table) == {MINE}, table["name"]
        if table["may_insert"]:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                insert(owner, table, THEIRS)
        tenant = sql.Identifier(table["tenant"])
        if table["may_update"]:
            column = sql.Identifier(table["may_update"])
            statement = sql.SQL("UPDATE {} SET {} = {} WHERE {} = %s")
            changed = statement.format(name_of(table), column, column, tenant)
            assert touched(owner, changed) == 0, table["name"]
        if table["may_delete"]:
            statement = sql.SQL("DELETE FROM {} WHERE {} = %s")
            assert touched(owner, statement.format(name_of(table), tenant)) == 0, table["name"]
        owner.execute("RESET ROLE")
        assert visible(owner, table) == {MINE, THEIRS}, table["name"]


def test_partitions_are_reached_through_their_table_only(owner: Connection[Row]) -> None:
    open_ones = [
        table["name"]
        for table in tables(owner, partitions=True)
        if table["may_select"] or table["may_insert"] or table["may_update"] or table["may_delete"]
    ]
    assert open_ones == []


def test_views_show_what_their_reader_may_see(owner: Connection[Row]) -> None:
    lax = owner.execute(
        """SELECT relname FROM pg_class
           WHERE relnamespace = 'aos'::regnamespace AND relkind IN ('v', 'm')
             AND NOT coalesce('security_invoker=true' = ANY (reloptions), false)"""
    )
    assert lax.fetchall() == []


def test_procedures_that_see_all_tenants_are_closed_to_everybody_else(
    owner: Connection[Row],
) -> None:
    """A definer's function with a loose search_path can be made to run anybody's code."""
    open_ones = owner.execute(
        """SELECT proname, pg_get_userbyid(proowner) AS owner FROM pg_proc
           WHERE pronamespace = 'aos'::regnamespace
             -- Not what comes with a type or an extension: pure functions of PostgreSQL's own.
             AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = pg_proc.oid
                             AND d.classid = 'pg_proc'::regclass AND d.deptype IN ('i', 'e')) AND (
             EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0) OR proacl IS NULL
             OR (prosecdef AND (pg_get_userbyid(proowner) <> 'aos_owner'
               OR NOT coalesce('search_path=pg_catalog, aos' = ANY (proconfig), false))))"""
    )
    assert open_ones.fetchall() == []
    login = owner.execute(
        "SELECT rolname FROM pg_roles WHERE rolname IN ('aos_app', 'aos_owner') AND "
        "(rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole)"
    )
    assert login.fetchall() == []


def test_digests_of_secrets_cannot_be_read(owner: Connection[Row]) -> None:
    act_as(owner, "default")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute("SELECT digest FROM aos.api_key_secrets")
    owner.execute("SELECT key_id, valid_until FROM aos.api_key_secrets")
