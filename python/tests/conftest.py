"""A fresh database with the extension for each test, on the server that libpq's variables name."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

TEMPLATE = "clients_template"
numbers = itertools.count()


@pytest.fixture(scope="session")
def template() -> str:
    with psycopg.connect(autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    with psycopg.connect(dbname=TEMPLATE) as connection:
        connection.execute("CREATE EXTENSION iscc_usearch")
    return TEMPLATE


@pytest.fixture
def database(template: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of the database; PGDATABASE is set to it."""
    name = f"clients_{os.getpid()}_{next(numbers)}"
    with psycopg.connect(autocommit=True) as admin:
        admin.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(template)))
        with monkeypatch.context() as environment:
            environment.setenv("PGDATABASE", name)
            yield name
        admin.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(autocommit=True) as connection:
        yield connection


IMAGES = [(1, b"\xfc\xbd"), (2, b"\xfc\xbd\x04\xc3"), (3, b"\xfc\xbf"), (4, b"\x03\x42"), (5, None)]


@pytest.fixture
def images(connection: psycopg.Connection) -> psycopg.Connection:
    """The table `image (id, phash)` with `IMAGES`."""
    connection.execute("CREATE TABLE image (id int PRIMARY KEY, phash bitvec(64))")
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO image VALUES (%s, %s)", IMAGES)
    return connection
