"""Rows from files into tables, and the index afterwards."""

from __future__ import annotations

import sys
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from pathlib import Path
from typing import Any

import click
import psycopg
from psycopg.sql import SQL, Composable, Identifier, Literal

from iscc_usearch_pg.command.files import ParquetFile, TextFile, open_file
from iscc_usearch_pg.command.tables import identifier

POLL_SECONDS = 0.5


def is_index_file(name: str) -> bool:
    """Whether a path is what iscc-usearch writes."""
    return name.endswith((".usearch", "/")) or Path(name).is_dir()


def copy_file(
    connection: psycopg.Connection[Any],
    name: str,
    table: str,
    columns: list[str] | None,
    skip_header: bool,
    skip_existing: bool,
) -> int:
    """Copies a file into a table; returns the number of rows that are new."""
    file = open_file(name)
    into = identifier(table)
    target: Composable = into
    names = SQL(", ").join(map(Identifier, columns or file.columns()))
    if skip_existing:
        target = Identifier("iscc_usearch_pg_load")
        connection.execute(
            SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} LIMIT 0").format(target, names, into)
        )
    with connection.cursor() as cursor:
        _copy(cursor, file, target, names, skip_header or columns is None)
        if skip_existing:
            cursor.execute(
                SQL("INSERT INTO {0} ({1}) SELECT {1} FROM {2} ON CONFLICT DO NOTHING").format(into, names, target)
            )
        return cursor.rowcount


def _copy(
    cursor: psycopg.Cursor[Any], file: TextFile | ParquetFile, table: Composable, names: Composable, header: bool
) -> None:
    copy_into = SQL("COPY {} ({}) FROM STDIN").format(table, names)
    if isinstance(file, ParquetFile):
        with cursor.copy(copy_into) as copy, progress_bar(file.path.name, file.size) as bar:
            for row in file.rows(bar.update):
                copy.write_row(row)
        return
    # Not COPY's text format, where the backslash of a code such as \xff80 would begin an escape. A TSV file has no
    # quotes, so the quote is a character that it cannot contain.
    quote = '"' if file.delimiter == "," else "\b"
    copy_into += SQL(" (FORMAT csv, HEADER {}, DELIMITER {}, QUOTE {})").format(
        Literal(header), Literal(file.delimiter), Literal(quote)
    )
    with cursor.copy(copy_into) as copy, progress_bar(file.path.name, file.size) as bar:
        for chunk in file.chunks(bar.update):
            copy.write(chunk)


def import_index(
    connection: psycopg.Connection[Any], path: str, table: str, key: str, code: str, skip_existing: bool
) -> int:
    """Imports what iscc-usearch has written; returns the number of rows that are new."""
    into = identifier(table)
    with connection.cursor() as cursor:
        cursor.execute(SQL("SELECT {} FROM {} LIMIT 0").format(Identifier(key), into))
        assert cursor.description is not None
        of_key = "uuid" if cursor.description[0].type_display == "uuid" else "key"
        cursor.execute(
            SQL("INSERT INTO {} ({}, {}) SELECT {}, code FROM usearch_import({}) WHERE code IS NOT NULL{}").format(
                into,
                Identifier(key),
                Identifier(code),
                Identifier(of_key),
                Literal(path),
                SQL(" ON CONFLICT DO NOTHING" if skip_existing else ""),
            )
        )
        return cursor.rowcount


def create_index(connection: psycopg.Connection[Any], dsn: str, table: str, column: str, opclass: str | None) -> None:
    """Creates the index, and shows how far it is where somebody can see it."""
    statement = SQL("CREATE INDEX ON {} USING usearch ({} {})").format(
        identifier(table), Identifier(column), Identifier(opclass) if opclass else SQL("")
    )
    with ThreadPoolExecutor(1) as executor:
        building = executor.submit(connection.execute, statement)
        try:
            _watch(building, connection.info.backend_pid, dsn)
            building.result()
        except KeyboardInterrupt:
            connection.cancel_safe()
            raise


def _watch(building: Future[Any], backend: int, dsn: str) -> None:
    if not sys.stderr.isatty():
        return
    with psycopg.connect(dsn, autocommit=True) as watcher, progress_bar("index", 100) as bar:
        shown = 0
        while not building.done():
            row = watcher.execute(
                "SELECT 100 * tuples_done / NULLIF(tuples_total, 0) FROM pg_stat_progress_create_index WHERE pid = %s",
                [backend],
            ).fetchone()
            done = int(row[0] or 0) if row else 0
            bar.update(max(0, done - shown))
            shown = max(shown, done)
            try:
                building.result(timeout=POLL_SECONDS)
            except NotYet:
                continue
        bar.update(100 - shown)


def progress_bar(label: str, length: int) -> Any:
    """A bar on stderr, which stays empty where nobody watches."""
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())
