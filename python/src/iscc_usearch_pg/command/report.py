"""How an index is doing: what the functions for operators say about it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row


@dataclass
class Report:
    index: str
    definition: str
    stats: dict[str, Any]
    shards: dict[str, int]
    recall: dict[str, Any] | None = None
    checked: str | None = None
    problems: list[str] = field(default_factory=list)


def all_indexes(connection: psycopg.Connection[Any]) -> list[str]:
    """The usearch indexes of the database. A partitioned index has no entries of its own."""
    rows = connection.execute(
        """SELECT c.oid::regclass::text FROM pg_class c JOIN pg_am a ON a.oid = relam
            WHERE amname = 'usearch' AND relkind = 'i' AND NOT (relpersistence = 't' AND NOT pg_table_is_visible(c.oid))
            ORDER BY 1"""
    )
    return [name for (name,) in rows]


def examine(
    connection: psycopg.Connection[Any], index: str, k: int, sample: int, min_recall: float | None, heap: bool
) -> Report:
    """Everything about one index."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            "SELECT pg_get_indexdef(%(index)s::regclass) AS definition, s.* FROM usearch_index_stats(%(index)s) s",
            {"index": index},
        ).fetchone()
        assert row is not None
        report = Report(index, row.pop("definition"), row, _shards(cursor, index))
        report.problems += [f"shards {state}: {n}" for state, n in report.shards.items() if state != "ok"]
        if sample and row["entries"] > row["null_entries"]:
            report.recall = cursor.execute("SELECT * FROM usearch_recall(%s, %s, %s)", [index, k, sample]).fetchone()
            if min_recall is not None and report.recall and (report.recall["recall"] or 0) < min_recall:
                report.problems.append(f"recall is {report.recall['recall']:.4f}, below {min_recall}")
        _check(cursor, report, heap)
    return report


def _shards(cursor: psycopg.Cursor[dict[str, Any]], index: str) -> dict[str, int]:
    rows = cursor.execute("SELECT state, count(*) AS n FROM usearch_shards(%s) GROUP BY state ORDER BY state", [index])
    return {row["state"]: row["n"] for row in rows}


def _check(cursor: psycopg.Cursor[dict[str, Any]], report: Report, heap: bool) -> None:
    try:
        found = cursor.execute("SELECT part, problem FROM usearch_check(%s, %s)", [report.index, heap]).fetchall()
    except psycopg.errors.InsufficientPrivilege as error:
        report.checked = f"not done: {error.diag.message_primary}"
        return
    report.problems += [f"{row['part']}: {row['problem']}" for row in found]
    report.checked = "with the table" if heap else "without the table"


def as_json(report: Report) -> str:
    """One line."""
    return json.dumps(vars(report), default=str)


def as_text(report: Report) -> str:
    """Some lines, for people."""
    stats = report.stats
    lines = [
        report.definition,
        f"  entries  {stats['entries']:,}: {stats['dead_entries']:,} dead, {stats['null_entries']:,} NULL, "
        f"{stats['tail_entries']:,} in the tail",
        f"  size     {_bytes(stats['total_bytes'])}: {_bytes(stats['index_bytes'])} log, "
        f"{_bytes(stats['shard_bytes'])} shards",
        f"  shards   {', '.join(f'{n} {state}' for state, n in report.shards.items()) or 'none'}",
    ]
    if report.recall:
        recall = report.recall
        lines += [
            f"  recall   {recall['recall']:.4f} mean, {recall['min_recall']:.2f} minimum, "
            f"of {recall['queries_run']} searches",
            f"  time     {recall['median_ms']:.2f} ms median, {recall['p95_ms']:.2f} ms 95th percentile, "
            f"{recall['exact_median_ms']:.2f} ms exact",
        ]
    lines.append(
        f"  check    {report.checked}; " + (f"{len(report.problems)} problems" if report.problems else "no problems")
    )
    return "\n".join([*lines, *(f"  problem  {problem}" for problem in report.problems)])


def _bytes(count: int) -> str:
    """As `pg_size_pretty` does."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 10_240:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.0f} TB"
