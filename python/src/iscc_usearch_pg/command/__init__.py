"""The command line: what it takes, and how it says what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
import psycopg

from iscc_usearch_pg import __version__
from iscc_usearch_pg.command import load as loading
from iscc_usearch_pg.command import report as reporting
from iscc_usearch_pg.command.files import FileError
from iscc_usearch_pg.command.tables import create_table, identifier

PROBLEMS_FOUND = 3

EXIT_CODES = """
Exit code: 0 if all is well, 1 after an error, 2 if the command line is wrong, 3 if a report has found problems.
"""


class Failure(click.ClickException):
    """An error of the server or of a file, in the form of PostgreSQL's own programs."""

    def show(self, file: Any = None) -> None:
        click.echo(f"iscc-usearch-pg: error: {self.message}", err=True)


def _explain(error: psycopg.Error) -> str:
    diagnostics = error.diag
    if diagnostics.message_primary is None:
        return str(error).strip()
    lines = [diagnostics.message_primary]
    for title, text in (
        ("detail", diagnostics.message_detail),
        ("hint", diagnostics.message_hint),
        ("context", diagnostics.context),
        ("SQLSTATE", diagnostics.sqlstate),
    ):
        if text:
            lines.append(f"  {title}: {text}")
    return "\n".join(lines)


@contextmanager
def _connected(dsn: str, **options: Any) -> Iterator[psycopg.Connection[Any]]:
    try:
        with psycopg.connect(dsn, application_name="iscc-usearch-pg", **options) as connection:
            yield connection
    except psycopg.Error as error:
        raise Failure(_explain(error)) from error
    except (FileError, OSError) as error:
        raise Failure(str(error)) from error


@click.group(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
@click.option(
    "-d",
    "--dsn",
    default="",
    metavar="DSN",
    help="Connection string or URL. Without it, PGHOST, PGDATABASE, PGUSER and so on count, as for psql.",
)
@click.pass_context
def command(context: click.Context, dsn: str) -> None:
    """Load codes into PostgreSQL with iscc_usearch, see how an index is doing, import and export files of iscc-usearch.

    \b
    Examples:
      iscc-usearch-pg load codes.tsv image --columns id,phash \\
          --create 'id bigint PRIMARY KEY, phash bitvec(256)' --index phash
      iscc-usearch-pg report
      iscc-usearch-pg import /srv/index fingerprint --create 'key bigint PRIMARY KEY, code bitvec(256)'
      iscc-usearch-pg export fingerprint_code_idx key /srv/exported
    """
    context.obj = dsn


CREATE = click.option(
    "--create", metavar="COLUMNS", help="First create the table, with these columns as in CREATE TABLE."
)
INDEX = click.option("--index", metavar="COLUMN", help="Afterwards create a usearch index of this column.")
OPCLASS = click.option("--opclass", metavar="NAME", help="Operator class of that index.  [default: the type's own]")


@command.command()
@click.argument("file", type=click.Path())
@click.argument("table")
@click.option(
    "--columns",
    metavar="NAMES",
    help="Columns of the table for the columns of the file, in their order. "
    "Without it, the first line of the file (or a Parquet file itself) names them.",
)
@click.option("--skip-header", is_flag=True, help="With --columns: ignore the first line.")
@click.option("--skip-existing", is_flag=True, help="Leave out rows whose key exists. Without it, that is an error.")
@CREATE
@INDEX
@OPCLASS
@click.pass_context
def load(
    context: click.Context,
    file: str,
    table: str,
    columns: str | None,
    skip_header: bool,
    skip_existing: bool,
    create: str | None,
    index: str | None,
    opclass: str | None,
) -> None:
    """Load codes from FILE into TABLE, by COPY and in one transaction: all rows, or none after an error.

    FILE is .tsv, .csv (both also with .gz) or .parquet. Codes are hexadecimal text, with or without a leading \\x, or
    binary values in Parquet. A file .usearch of iscc-usearch, or a directory, is read by the server: see `import`.

    \b
    Examples:
      # id <tab> code, into a new table, with an index
      iscc-usearch-pg load codes.tsv.gz image --columns id,phash \\
          --create 'id bigint PRIMARY KEY, phash bitvec(256)' --index phash
      # a CSV file whose first line has the names of columns
      iscc-usearch-pg load codes.csv image
      # add what is new
      iscc-usearch-pg load today.parquet image --skip-existing
    """
    if loading.is_index_file(file):
        options = {**context.params, "path": context.params["file"], "columns": columns or "key,code"}
        context.invoke(import_, **{name: options[name] for name in IMPORT_PARAMETERS})
        return
    dsn = context.obj
    with _connected(dsn) as connection:
        create_table(connection, table, create)
        names = columns.split(",") if columns else None
        count = loading.copy_file(connection, file, table, names, skip_header, skip_existing)
        _finish(connection, dsn, table, count, index, opclass)


@command.command("import")
@click.argument("path")
@click.argument("table")
@click.option(
    "--columns",
    metavar="KEY,CODE",
    default="key,code",
    show_default=True,
    help="Columns of the table for keys and codes. A key column of type uuid takes 128-bit keys.",
)
@click.option("--skip-existing", is_flag=True, help="Leave out rows whose key exists. Without it, that is an error.")
@CREATE
@INDEX
@OPCLASS
@click.pass_obj
def import_(
    dsn: str,
    path: str,
    table: str,
    columns: str,
    skip_existing: bool,
    create: str | None,
    index: str | None,
    opclass: str | None,
) -> None:
    """Import an index of iscc-usearch, a file .usearch or a directory, into TABLE.

    PATH is an absolute path on the server, which reads it (`usearch_import`): you need the privileges of
    pg_read_server_files.

    \b
    Example:
      iscc-usearch-pg import /srv/index fingerprint \\
          --create 'key bigint PRIMARY KEY, code bitvec(256)' --index code
    """
    names = columns.split(",")
    if len(names) != 2:
        raise click.UsageError("--columns takes two names here, of the columns for keys and codes: --columns id,phash")
    with _connected(dsn) as connection:
        create_table(connection, table, create)
        count = loading.import_index(connection, path, table, names[0], names[1], skip_existing)
        _finish(connection, dsn, table, count, index, opclass)


IMPORT_PARAMETERS = ("path", "table", "columns", "skip_existing", "create", "index", "opclass")


def _finish(
    connection: psycopg.Connection[Any], dsn: str, table: str, count: int, index: str | None, opclass: str | None
) -> None:
    if index is not None:
        loading.create_index(connection, dsn, table, index, opclass)
    connection.execute(psycopg.sql.SQL("ANALYZE {}").format(identifier(table)))
    connection.commit()
    click.echo(f"{count:,} rows loaded into {table}" + (f", {index} indexed" if index else ""))


@command.command()
@click.argument("index")
@click.argument("key_column")
@click.argument("path")
@click.pass_obj
def export(dsn: str, index: str, key_column: str, path: str) -> None:
    """Export the rows of INDEX with the keys in KEY_COLUMN as a directory that iscc-usearch opens.

    PATH is an absolute path on the server, which writes it (`usearch_export`): you need the privileges of
    pg_write_server_files.

    \b
    Example:
      iscc-usearch-pg export fingerprint_code_idx key /srv/exported
      python -c 'from iscc_usearch import ShardedNphdIndex; print(ShardedNphdIndex(path="/srv/exported").size)'
    """
    with _connected(dsn) as connection:
        row = connection.execute("SELECT usearch_export(%s::regclass, %s, %s)", [index, key_column, path]).fetchone()
        assert row is not None
    click.echo(f"{row[0]:,} entries exported to {path}")


@command.command()
@click.argument("indexes", nargs=-1, metavar="[INDEX]...")
@click.option("-k", default=10, show_default=True, help="Recall of this many neighbours.")
@click.option("--sample", default=100, show_default=True, help="Number of searches that measure recall; 0 for none.")
@click.option("--min-recall", type=float, help="A lower mean recall counts as a problem.")
@click.option("--heap", is_flag=True, help="Also check the index against its table, which locks out writers.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per index and line.")
@click.pass_obj
def report(
    dsn: str, indexes: tuple[str, ...], k: int, sample: int, min_recall: float | None, heap: bool, as_json: bool
) -> None:
    """Report size, shards, recall and problems of each INDEX; without one, of all usearch indexes of the database.

    Recall is the fraction of the k exact nearest neighbours that searches find, here for values of the index itself.
    New values are harder to find: pass them to the SQL function usearch_recall.

    \b
    Examples:
      iscc-usearch-pg report
      iscc-usearch-pg report image_phash_idx --sample 1000 --min-recall 0.98 && echo well
      iscc-usearch-pg report --json --sample 0 | jq '.stats.tail_entries'
    """
    with _connected(dsn, autocommit=True) as connection:
        names = list(indexes) or reporting.all_indexes(connection)
        if not names:
            click.echo("this database has no usearch index", err=True)
        show: Callable[[reporting.Report], str] = reporting.as_json if as_json else reporting.as_text
        problems = 0
        for name in names:
            of_index = reporting.examine(connection, name, k, sample, min_recall, heap)
            click.echo(show(of_index))
            problems += len(of_index.problems)
    if problems:
        raise click.exceptions.Exit(PROBLEMS_FOUND)
