"""psycopg 3: both formats, arrays, numpy, COPY, both kinds of connections."""

import asyncio

import numpy as np
import psycopg
import pytest

from iscc_usearch_pg.psycopg import register, register_async

QUERY = b"\xfc\xbd"


@pytest.fixture
def registered(images):
    register(images)
    return images


@pytest.mark.parametrize("binary", [False, True])
def test_results_are_bytes(registered, binary):
    cursor = registered.cursor(binary=binary)
    row = cursor.execute("SELECT phash, ARRAY[phash, NULL], NULL::bitvec FROM image WHERE id = 2").fetchone()
    assert row == (b"\xfc\xbd\x04\xc3", [b"\xfc\xbd\x04\xc3", None], None)


@pytest.mark.parametrize("placeholder", ["%s", "%t", "%b"])
@pytest.mark.parametrize(
    "query", [QUERY, np.frombuffer(QUERY, np.uint8), np.unpackbits(np.frombuffer(QUERY, np.uint8)).astype(bool)]
)
def test_parameters(registered, placeholder, query):
    def rows(sql):
        return [row for (row,) in registered.execute(sql.replace("$", placeholder), [query])]

    assert rows("SELECT id FROM image ORDER BY phash <~> $, id LIMIT 3") == [1, 2, 3]
    assert rows("SELECT id FROM image WHERE nphd_within(phash, $, 0.1) ORDER BY id") == [1, 2, 3]
    assert rows("SELECT id FROM image WHERE phash = $") == [1]
    assert rows("INSERT INTO image VALUES (9, $) RETURNING phash") == [QUERY]


@pytest.mark.parametrize("binary", [False, True])
def test_array_parameters(registered, binary):
    codes = [b"\xfc\xbd", b"\x03\x42"]
    for parameter in (codes, [np.frombuffer(code, np.uint8) for code in codes]):
        cursor = registered.cursor(binary=binary)
        found = cursor.execute("SELECT id FROM image WHERE phash = ANY (%s) ORDER BY id", [parameter]).fetchall()
        assert found == [(1,), (4,)]
        found = cursor.execute(
            """SELECT n, b.id FROM unnest(%s::bitvec[]) WITH ORDINALITY q (code, n) CROSS JOIN LATERAL
                 (SELECT id FROM image ORDER BY phash <~> q.code, id LIMIT 1) b ORDER BY n""",
            [parameter],
        ).fetchall()
        assert found == [(1, 1), (2, 4)]


@pytest.mark.parametrize("options", ["", "(FORMAT binary)"])
def test_copy(registered, options):
    with registered.cursor().copy(f"COPY image FROM STDIN {options}") as copy:
        copy.set_types(["int4", "bitvec"])
        copy.write_row((10, b"\x01\x02"))
        copy.write_row((11, np.array([3], np.uint8)))
        copy.write_row((12, None))
    sql = f"COPY (SELECT id, phash FROM image WHERE id >= 10 ORDER BY id) TO STDOUT {options}"
    with registered.cursor().copy(sql) as copy:
        copy.set_types(["int4", "bitvec"])
        assert list(copy.rows()) == [(10, b"\x01\x02"), (11, b"\x03"), (12, None)]


@pytest.mark.parametrize("placeholder", ["%s", "%t", "%b"])
def test_float_arrays_are_real_vectors(registered, placeholder):
    registered.execute("CREATE TABLE item (id int, embedding real[])")
    values = np.array([0.5, -0.25, np.float32(0.1)], np.float64)
    sql = f"INSERT INTO item VALUES (1, {placeholder}) RETURNING embedding = '{{0.5,-0.25,0.1}}'"
    assert registered.execute(sql, [values]).fetchone() == (True,)
    for parameter in (values, values.astype(np.float32)):
        row = registered.execute(f"SELECT embedding <-> {placeholder} FROM item", [parameter]).fetchone()
        assert row == (0,)
    with pytest.raises(ValueError, match="not 2"):
        registered.execute(f"SELECT embedding <-> {placeholder} FROM item", [np.zeros((2, 2))])


def test_prepared_statement_and_server_side_cursor(registered):
    for _ in range(7):
        sql = "SELECT id FROM image ORDER BY phash <~> %s, id LIMIT 1"
        assert registered.execute(sql, [b"\x03\x42"], prepare=True).fetchone() == (4,)
    with registered.transaction(), registered.cursor("c") as cursor:
        cursor.execute("SELECT phash FROM image WHERE phash IS NOT NULL ORDER BY id")
        assert [code for (code,) in cursor] == [b"\xfc\xbd", b"\xfc\xbd\x04\xc3", b"\xfc\xbf", b"\x03\x42"]


def test_asynchronous(images):
    async def codes():
        async with await psycopg.AsyncConnection.connect() as connection:
            await register_async(connection)
            cursor = await connection.execute("SELECT phash FROM image ORDER BY phash <~> %s, id LIMIT 2", [QUERY])
            return await cursor.fetchall()

    assert asyncio.run(codes()) == [(b"\xfc\xbd",), (b"\xfc\xbd\x04\xc3",)]


def test_other_connections_stay_as_they_are(registered):
    with psycopg.connect() as connection:
        assert connection.execute("SELECT phash FROM image WHERE id = 1").fetchone() == ("\\xfcbd",)


def test_without_the_extension(connection):
    connection.execute("DROP EXTENSION iscc_usearch")
    with pytest.raises(psycopg.ProgrammingError, match="CREATE EXTENSION"):
        register(connection)
