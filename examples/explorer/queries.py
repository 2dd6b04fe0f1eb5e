"""What the explorer asks of PostgreSQL. Everything is ordinary SQL; the page shows it."""

import statistics
import time
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

RUNS = 7
MODES = ("auto", "graph", "exact")

Connection = psycopg.Connection[dict[str, Any]]
Pool = ConnectionPool[Connection]


def pool() -> Pool:
    """Connections that can only read, and not for long."""
    options = "-c default_transaction_read_only=on -c statement_timeout=10s"
    return ConnectionPool(
        kwargs={"options": options, "row_factory": dict_row, "autocommit": True},
        min_size=1,
        max_size=4,
        connection_class=Connection,
        open=True,
    )


@dataclass
class Search:
    """What the page asks for; `radius` of None means any distance."""

    code: bytes
    repository: str | None = None
    path: str | None = None
    radius: float | None = None
    limit: int = 10
    target_recall: float = 0.99
    mode: str = "auto"

    def statement(self, columns: str) -> tuple[str, dict[str, Any]]:
        conditions = []
        if self.repository:
            conditions.append("repository = %(repository)s")
        if self.path:
            conditions.append("strpos(path, %(path)s) > 0")
        if self.radius is not None:
            conditions.append("nphd_within(code, %(code)s, %(radius)s)")
        where = "\n WHERE " + "\n   AND ".join(conditions) if conditions else ""
        sql = f"SELECT {columns}\n  FROM version{where}\n ORDER BY code <~> %(code)s LIMIT %(limit)s"
        return sql, self.__dict__


def text_code(connection: Connection, text: str) -> bytes:
    row = connection.execute("SELECT iscc_body(iscc_gen_text(%s, 256))::bytea AS code", [text]).fetchone()
    return row["code"] if row else b""


def read_code(connection: Connection, code: str) -> bytes:
    """A code in hexadecimal, or an ISCC: a unit, or a code with a Text-Code in it."""
    sql = "SELECT %s::bitvec::bytea AS code"
    if code[:5].upper() == "ISCC:":
        body = "coalesce(iscc_unit_body(c, 'CONTENT_TEXT_V0'), iscc_body(c))"
        sql = f"SELECT {body}::bytea AS code FROM (SELECT %s::text AS c) AS given"
    row = connection.execute(sql, [code]).fetchone()
    return row["code"] if row else b""


def configure(connection: Connection, target_recall: float, mode: str) -> None:
    """Settings for the transaction: behind a pooler, others must not get them."""
    connection.execute(
        "SELECT set_config('iscc_usearch.target_recall', %s, true), set_config('iscc_usearch.search_mode', %s, true)",
        [str(target_recall), mode],
    )


def search(connection: Connection, asked: Search) -> dict[str, Any]:
    columns = "id, repository, path, created::date::text, code::bytea, code <~> %(code)s AS distance"
    sql, values = asked.statement(columns)
    with connection.transaction():
        configure(connection, asked.target_recall, asked.mode)
        rows, milliseconds = timed(connection, sql, values)
        plan = [
            row["QUERY PLAN"] for row in connection.execute("EXPLAIN (ANALYZE, COSTS OFF, BUFFERS OFF) " + sql, values)
        ]
        configure(connection, 1.0, "exact")
        exact, exact_milliseconds = timed(connection, sql, values)
    return {
        "rows": [{**row, "id": str(row["id"]), "code": row["code"].hex()} for row in rows],
        "code": asked.code.hex(),
        "milliseconds": milliseconds,
        "exact_milliseconds": exact_milliseconds,
        "recall": recall([row["distance"] for row in rows], [row["distance"] for row in exact]),
        "sql": shown(sql, values),
        "plan": "\n".join(plan),
    }


def timed(connection: Connection, sql: str, values: dict[str, Any]) -> tuple[list[dict[str, Any]], float]:
    """The rows, and the median time that a client waits for them."""
    rows, times = [], []
    for _ in range(RUNS):
        begun = time.perf_counter()
        rows = connection.execute(sql, values, prepare=True).fetchall()
        times.append(1000 * (time.perf_counter() - begun))
    return rows, statistics.median(times)


def recall(found: list[float], exact: list[float]) -> float:
    """The fraction of the exact neighbours found; any row as near as the last of them counts."""
    if not exact:
        return 1.0
    return min(1.0, sum(distance <= exact[-1] for distance in found) / len(exact))


def index_recall(connection: Connection, target_recall: float, mode: str) -> dict[str, Any]:
    """Recall and time over a sample of the index, at these settings."""
    with connection.transaction():
        configure(connection, target_recall, mode)
        row = connection.execute(
            "SELECT recall, median_ms, exact_median_ms FROM usearch_recall('version_code', 10, 60)"
        ).fetchone()
    return row or {}


def pictures(connection: Connection, phash: bytes, bits: int) -> dict[str, Any]:
    sql = """SELECT id, name, change, phash::bytea AS code, phash <~> %(code)s AS distance
  FROM picture
 WHERE nphd_within(phash, %(code)s, %(bits)s / 64.0)
 ORDER BY phash <~> %(code)s LIMIT 24"""
    values = {"code": phash, "bits": bits}
    rows, milliseconds = timed(connection, sql, values)
    return {
        "rows": [{**row, "code": row["code"].hex()} for row in rows],
        "code": phash.hex(),
        "milliseconds": milliseconds,
        "sql": shown(sql, values),
    }


def samples(connection: Connection) -> list[dict[str, Any]]:
    sql = "SELECT id, name FROM picture WHERE change = 'original' ORDER BY id LIMIT 8"
    return connection.execute(sql).fetchall()


def thumbnail(connection: Connection, number: int) -> bytes | None:
    row = connection.execute("SELECT thumbnail FROM picture WHERE id = %s", [number]).fetchone()
    return row["thumbnail"] if row else None


def information(connection: Connection) -> dict[str, Any]:
    row = connection.execute("""SELECT (SELECT count(*) FROM version) AS versions, distinct_codes,
        pg_size_pretty(total_bytes) AS size, current_setting('server_version') AS server
        FROM usearch_index_stats('version_code')""").fetchone()
    repositories = connection.execute(
        "SELECT repository, count(*) AS versions FROM version GROUP BY 1 ORDER BY 1"
    ).fetchall()
    example = connection.execute("""SELECT code::text AS code FROM version
        WHERE repository = 'pgvector/pgvector' AND path = 'src/hnswscan.c' AND bit_length(code) = 256
        ORDER BY created LIMIT 1""").fetchone()
    return {
        **(row or {}),
        "repositories": repositories,
        "example": (example or {}).get("code"),
        "pictures": samples(connection),
    }


def shown(sql: str, values: dict[str, Any]) -> str:
    """The statement as one would type it."""
    for name, value in values.items():
        literal = f"'\\x{value.hex()}'" if isinstance(value, bytes) else repr(value)
        sql = sql.replace(f"%({name})s", literal)
    return sql + ";"
