"""asyncpg."""

import asyncio

import asyncpg
import numpy as np
import pytest

from iscc_usearch_pg.asyncpg import register


def test_everything(images):
    async def run():
        connection = await asyncpg.connect()
        await register(connection)
        assert await connection.fetchval("SELECT phash FROM image WHERE id = 1") == b"\xfc\xbd"
        assert await connection.fetchval("SELECT array_agg(phash) FROM image WHERE id > 3") == [b"\x03\x42", None]
        for query in (b"\xfc\xbd", "\\xfcbd", np.array([0xFC, 0xBD], np.uint8)):
            rows = await connection.fetch("SELECT id FROM image ORDER BY phash <~> $1, id LIMIT 3", query)
            assert [row["id"] for row in rows] == [1, 2, 3]
        await connection.copy_records_to_table("image", records=[(9, b"\x01"), (10, None)])
        rows = await connection.fetch("SELECT id FROM image WHERE phash = ANY ($1) ORDER BY id", [b"\x01", b"\x03\x42"])
        assert [row["id"] for row in rows] == [4, 9]
        with pytest.raises(asyncpg.DataError, match="not int"):
            await connection.fetch("SELECT id FROM image WHERE phash = $1", 7)
        await connection.close()

    asyncio.run(run())


def test_pool(images):
    async def run():
        async with asyncpg.create_pool(init=register, min_size=1, max_size=2) as pool:
            return await pool.fetchval("SELECT phash FROM image WHERE nphd_within(phash, $1, 0)", b"\x03\x42")

    assert asyncio.run(run()) == b"\x03\x42"


def test_a_schema_of_its_own(connection):
    connection.execute("CREATE SCHEMA codes; ALTER EXTENSION iscc_usearch SET SCHEMA codes")

    async def run():
        connection = await asyncpg.connect(server_settings={"search_path": "public, codes"})
        await register(connection)
        value = await connection.fetchval("SELECT $1::bitvec", b"\x03\x42")
        await connection.close()
        return value

    assert asyncio.run(run()) == b"\x03\x42"


def test_without_the_extension(connection):
    connection.execute("DROP EXTENSION iscc_usearch")

    async def run():
        connection = await asyncpg.connect()
        try:
            await register(connection)
        finally:
            await connection.close()

    with pytest.raises(asyncpg.UndefinedObjectError, match="CREATE EXTENSION"):
        asyncio.run(run())
