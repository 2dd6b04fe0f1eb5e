"""Tables by name."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier


def identifier(name: str) -> Identifier:
    """`table` or `schema.table`."""
    return Identifier(*name.split("."))


def create_table(connection: psycopg.Connection[Any], table: str, columns: str | None) -> None:
    """Creates a table with these definitions of columns, which are SQL; without them, nothing."""
    if columns is not None:
        connection.execute(SQL("CREATE TABLE {} ({})").format(identifier(table), SQL(columns)))
