"""asyncpg: after `await register(connection)`, codes are `bytes`: parameters, results, arrays and COPY.

For a pool: `asyncpg.create_pool(init=register)`. Parameters may be numpy arrays, too.
"""

from __future__ import annotations

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from iscc_usearch_pg.codes import as_code


async def register(
    connection: asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record],
) -> None:
    """Makes a connection know the type. The extension must exist in its database."""
    schema = await connection.fetchval(
        "SELECT nspname FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE t.oid = to_regtype('bitvec')"
    )
    if schema is None:
        raise asyncpg.UndefinedObjectError(
            "type bitvec not found: run CREATE EXTENSION iscc_usearch, or set the search_path"
        )
    await connection.set_type_codec("bitvec", schema=schema, encoder=as_code, decoder=bytes, format="binary")
