"""psycopg2."""

import numpy as np
import psycopg2
import pytest

from iscc_usearch_pg.psycopg2 import register


@pytest.fixture
def cursor(images):
    connection = psycopg2.connect("")
    register(connection)
    with connection.cursor() as cursor:
        yield cursor
    connection.close()


def test_results_are_bytes(cursor):
    cursor.execute("SELECT phash, ARRAY[phash, NULL], NULL::bitvec FROM image WHERE id = 1")
    assert cursor.fetchone() == (b"\xfc\xbd", [b"\xfc\xbd", None], None)


@pytest.mark.parametrize("query", [b"\xfc\xbd", "\\xfcbd", np.array([0xFC, 0xBD], np.uint8)])
def test_parameters(cursor, query):
    cursor.execute("SELECT id FROM image ORDER BY phash <~> %s, id LIMIT 3", [query])
    assert cursor.fetchall() == [(1,), (2,), (3,)]
    cursor.execute("SELECT id FROM image WHERE nphd_within(phash, %s, 0.1) ORDER BY id", [query])
    assert cursor.fetchall() == [(1,), (2,), (3,)]
    cursor.execute("INSERT INTO image VALUES (9, %s) RETURNING phash", [query])
    assert cursor.fetchone() == (b"\xfc\xbd",)


def test_arrays(cursor):
    cursor.execute("SELECT id FROM image WHERE phash = ANY (%s::bitvec[])", [["\\xfcbd", "\\x0342"]])
    assert sorted(cursor.fetchall()) == [(1,), (4,)]
    cursor.execute("SELECT id FROM image WHERE phash = ANY (%s)", [[b"\xfc\xbd", b"\x03\x42"]])
    assert sorted(cursor.fetchall()) == [(1,), (4,)]


def test_float_arrays_are_real_vectors(cursor):
    cursor.execute("SELECT '{0.5,0.25}'::real[] <-> %s", [np.array([0.5, 0.25])])
    assert cursor.fetchone() == (0,)


def test_without_the_extension(connection):
    connection.execute("DROP EXTENSION iscc_usearch")
    with pytest.raises(psycopg2.ProgrammingError, match="CREATE EXTENSION"):
        register(psycopg2.connect(""))
