"""Contents of calls, in and out."""

from collections.abc import Sequence
from dataclasses import asdict

import orjson
import psycopg

from aos.infra.postgres import Database, Transaction
from aos.usage.contents.model import CallContent
from aos.usage.errors import ContentsNotKept


async def record_contents(database: Database, contents: Sequence[CallContent]) -> None:
    """Keep the texts of any tenants' calls. A repetition changes nothing.

    Raises ContentsNotKept, DatabaseUnavailable.
    """
    rows = orjson.dumps([asdict(content) for content in contents]).decode()
    try:
        await database.call("SELECT aos.usage_record_contents(%s::json)", (rows,))
    except psycopg.Error as error:
        # Not the error's whole text: its context may quote what was to be kept.
        why = error.diag.message_primary or type(error).__name__
        raise ContentsNotKept(f"the database refused the texts of calls: {why}") from error


async def find_content(tx: Transaction, call_id: str, created_at: object) -> CallContent | None:
    """What the transaction's tenant asked and was answered in this call, if it was kept."""
    cursor = await tx.execute(
        "SELECT call_id, tenant_id, created_at, request, answer, cut FROM aos.call_contents"
        " WHERE call_id = %s AND created_at = %s",
        (call_id, created_at),
    )
    row = await cursor.fetchone()
    return None if row is None else CallContent(**row)
