"""Commands that work on the database itself, as processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg

from aos.infra.postgres.migrate import newest_revision


def run(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aos", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "DATABASE_URL": url},
    )


def test_an_up_to_date_database_is_left_alone(database_url: str) -> None:
    first = run(database_url, "migrate", "--json")
    assert first.returncode == 0, first.stderr
    answer = json.loads(first.stdout)
    assert (answer["revision"], answer["migrated"]) == (newest_revision(), False)
    again = json.loads(run(database_url, "migrate", "--json").stdout)
    assert not again["prices_seeded"], "the first run took the prices in"


def test_the_books_of_a_fresh_database_add_up(database_url: str) -> None:
    done = run(database_url, "ledger", "verify", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"ok": True, "problems": []}


def test_a_forged_balance_is_found_and_the_command_fails(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("SET ROLE aos_owner")
        connection.execute(
            "INSERT INTO aos.account_terms (tenant_id, budget_id) VALUES ('default', 'root')"
            " ON CONFLICT DO NOTHING"
        )
        connection.execute(
            "INSERT INTO aos.accounts (tenant_id, budget_id, subject, period_start, posted_nanousd)"
            " VALUES ('default', 'root', '', now(), 5)"
        )
    done = run(database_url, "ledger", "verify", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["problems"]
    assert "cannot be" in done.stderr


def test_a_database_that_is_away_is_one_line() -> None:
    done = run("postgresql://nobody@127.0.0.1:1/none", "migrate")
    assert done.returncode == 1
    assert "database_unavailable" in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_the_script_holds_schema_and_prices(database_url: str) -> None:
    done = run(database_url, "migrate", "--sql")
    assert done.returncode == 0, done.stderr
    assert "CREATE TABLE aos.budgets" in done.stdout
    assert "aos.import_prices(" in done.stdout


def test_a_backup_comes_back(database_url: str, tmp_path: Path) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("SET ROLE aos_owner")
        connection.execute("INSERT INTO aos.tenants (id, name) VALUES ('ten_kept', 'kept')")
    file = tmp_path / "all.backup"
    written = run(database_url, "backup", str(file), "--json")
    assert written.returncode == 0, written.stderr
    assert json.loads(written.stdout)["file"] == str(file)
    again = run(database_url, "backup", str(file))
    assert again.returncode == 1
    assert "--force" in again.stderr
    assert run(database_url, "backup", str(file), "--force").returncode == 0
    with psycopg.connect(database_url) as connection:
        connection.execute("SET ROLE aos_owner")
        connection.execute("DELETE FROM aos.tenants WHERE id = 'ten_kept'")
    refused = run(database_url, "restore", str(file))
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    restored = run(database_url, "restore", str(file), "--replace", "--json")
    assert restored.returncode == 0, restored.stderr
    assert json.loads(restored.stdout)["revision"] == newest_revision()
    with psycopg.connect(database_url) as connection:
        connection.execute("SET ROLE aos_owner")
        found = connection.execute("SELECT name FROM aos.tenants WHERE id = 'ten_kept'").fetchone()
    assert found == ("kept",)
