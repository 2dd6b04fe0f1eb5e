"""What the table in docs/clients.md says about drivers without this package."""

import asyncio

import asyncpg
import psycopg2
import pytest

NEAREST = "SELECT phash FROM image ORDER BY phash <~> {} LIMIT 1"
TEXT, BYTES = "\\x0342", b"\x03\x42"


@pytest.mark.parametrize("parameter", [TEXT, BYTES])
def test_psycopg(images, parameter):
    assert images.execute(NEAREST.format("%s"), [parameter]).fetchone() == (TEXT,)
    with psycopg2.connect("") as connection, connection.cursor() as cursor:
        cursor.execute(NEAREST.format("%s"), [parameter])
        assert cursor.fetchone() == (TEXT,)
    connection.close()


def test_asyncpg(images):
    async def run():
        connection = await asyncpg.connect()
        assert await connection.fetchval(NEAREST.format("$1"), TEXT) == TEXT
        with pytest.raises(asyncpg.DataError):
            await connection.fetchval(NEAREST.format("$1"), BYTES)
        assert await connection.fetchval(NEAREST.format("$1::bytea"), BYTES) == TEXT
        await connection.close()

    asyncio.run(run())


def test_lists_of_floats(images):
    sql = "SELECT '{1,0}'::real[] <=> %s::real[]"
    assert images.execute(sql, [[1.0, 0.0]]).fetchone() == (0,)
