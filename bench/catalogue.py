"""python catalogue.py: the schema of `examples/catalogue` with real codes, on the server that libpq's variables name.

Declarations beside `add_assets` of iscc-search 0.3.3, in turns; search beside the plain statement, whose rows it must
return; search for passages. The Meta-Codes of data/ are those of every third asset: here each is the title of three.
"""

import gzip
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import iscc_core
import psycopg
from iscc_search.indexes.usearch.index import UsearchIndex
from iscc_search.schema import IsccEntry
from loguru import logger
from psycopg.types.json import Jsonb

ROOT = Path(__file__).resolve().parents[1]
ASSETS = 100_000
DECLARATIONS = 10_000
HEADERS = {"META_NONE_V0": 0x00, "CONTENT_TEXT_V0": 0x20, "DATA_NONE_V0": 0x30, "INSTANCE_NONE_V0": 0x40}
TABLES = {kind: "catalogue.unit_" + kind.lower().removesuffix("_v0").removesuffix("_none") for kind in HEADERS}

Units = dict[str, bytes]


def rows(name: str) -> Iterator[list[str]]:
    with gzip.open(ROOT / f"data/{name}.tsv.gz", "rt") as file:
        for line in file:
            yield line.rstrip("\n").split("\t")


def assets() -> dict[int, Units]:
    """Four units of 256 bits each, by the body of the ISCC-ID."""
    meta, instance = ([bytes.fromhex(row[2]) for row in rows(name)] for name in ("meta", "instance"))
    data = {int(row[0]): bytes.fromhex(row[2]) for row in rows("data")}
    found = {}
    for n, (key, _, code) in enumerate(rows("text")):
        # A third of the Instance-Codes is real; the others are as random.
        digest = instance[n // 3] if n % 3 == 0 else random.Random(n).randbytes(32)
        found[int(key)] = dict(zip(HEADERS, (meta[n // 3], bytes.fromhex(code), data[int(key)], digest)))
    return found


def iscc(header: bytes, body: bytes) -> str:
    return "ISCC:" + iscc_core.encode_base32(header + body)


def units(asset: Units, size: int) -> list[str]:
    return [iscc(bytes([HEADERS[kind], size // 4 - 1]), body[:size]) for kind, body in asset.items()]


def timed(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def spread(times: list[float]) -> str:
    return f"{statistics.median(times):.1f} | {statistics.quantiles(times, n=20)[-1]:.1f}"


def declarations(connection: psycopg.Connection, stored: dict[int, Units], simprints: list[str]) -> None:
    """Entries with 4 units and 10 simprints, one by one and in batches of 100, as iscc-search's client sends them."""
    entries = []
    for n, (key, asset) in enumerate(list(stored.items())[:DECLARATIONS]):
        passages = [{"simprint": simprints[10 * n + i], "offset": 1000 * i, "size": 1000} for i in range(10)]
        entries.append(
            {
                "iscc_id": iscc(b"\x60\x10", key.to_bytes(8, "big")),
                "units": units(asset, 32),
                "simprints": {"CONTENT_TEXT_V0": passages},
            }
        )
    directory = tempfile.mkdtemp()
    theirs = UsearchIndex(Path(directory) / "index")
    sql = "SELECT count(catalogue.declare(e)) FROM unnest(%s::jsonb[]) e"
    systems: dict[str, Callable[[list[Any]], Any]] = {
        "catalogue.declare": lambda batch: connection.execute(sql, [[Jsonb(entry) for entry in batch]]),
        "iscc-search 0.3.3, add_assets": lambda batch: theirs.add_assets([IsccEntry(**entry) for entry in batch]),
    }
    times = {(name, size): 0.0 for name in systems for size in (1, 100)}
    for turn, at in enumerate(range(0, len(entries), 500)):
        size = (1, 100)[turn % 2]
        for name, add in systems.items():
            for start in range(at, at + 500, size):
                times[name, size] += timed(lambda: add(entries[start : start + size]))
    theirs.close()
    shutil.rmtree(directory)
    print(f"\n{len(entries)} declarations of 4 units and 10 simprints, one client, in turns of 500\n")
    print("| system | per transaction | declarations/s |\n|---|---|---|")
    for (name, size), time_taken in times.items():
        print(f"| {name} | {size} | {len(entries) / 2 / time_taken * 1000:.0f} |", flush=True)


def plain(query: dict[str, str]) -> str:
    branches = [
        f"SELECT iscc_id, '{kind}' AS unit_type, 1 - (body <~> '{body}') AS s FROM {TABLES[kind]} "
        f"WHERE nphd_within(body, '{body}', {0 if kind == 'INSTANCE_NONE_V0' else 0.25})"
        for kind, body in query.items()
    ]
    return f"""SELECT iscc_id::text, iscc_score(s ORDER BY s DESC), jsonb_object_agg(unit_type, s)
                 FROM ({" UNION ALL ".join(branches)}) h GROUP BY h.iscc_id
                ORDER BY 2 DESC, sum(s ORDER BY s DESC) DESC, h.iscc_id LIMIT 100"""


def search(connection: psycopg.Connection, stored: dict[int, Units]) -> None:
    print(f"\nsearch by units at {ASSETS} assets, 100 results, one client\n")
    print("| bits | plain statement, ms | 95 % | search, ms | 95 % | ratio | of 95 % |\n|---|---|---|---|---|---|---|")
    sample = random.Random(1).sample(list(stored.values()), 200)
    for size in (8, 32):
        times: tuple[list[float], list[float]] = ([], [])
        for asset in sample:
            answers: list[Any] = []
            query = plain({kind: "\\x" + body[:size].hex() for kind, body in asset.items()})
            times[0].append(timed(lambda: answers.append(connection.execute(query).fetchall())))
            given = Jsonb({"units": units(asset, size)})
            sql = "SELECT iscc_id::text, score, types FROM catalogue.search(%s, 100)"
            times[1].append(timed(lambda: answers.append(connection.execute(sql, [given]).fetchall())))
            assert answers[0] == answers[1], "other rows than the plain statement"
        ratios = [statistics.median(times[0]) / statistics.median(times[1])]
        ratios.append(statistics.quantiles(times[0], n=20)[-1] / statistics.quantiles(times[1], n=20)[-1])
        print(
            f"| {8 * size} | {spread(times[0])} | {spread(times[1])} | {ratios[0]:.1f} | {ratios[1]:.1f} |", flush=True
        )


def chunks(connection: psycopg.Connection, simprints: list[str]) -> None:
    times = []
    for n in range(40):
        asked = random.Random(n).choices(simprints, k=25)
        query = Jsonb({"simprints": {"CONTENT_TEXT_V0": asked}})
        times.append(
            timed(lambda: connection.execute("SELECT * FROM catalogue.search_chunks(%s, 100)", [query]).fetchall())
        )
    print("\nsearch by 25 simprints over 1,000,000, 100 results, one client\n")
    print(f"| median, ms | 95 % |\n|---|---|\n| {spread(times)} |", flush=True)


def fill(connection: psycopg.Connection, stored: dict[int, Units]) -> None:
    """All units, and each simprint as often as it is there: for one asset after the other, 10 each."""
    connection.execute("TRUNCATE catalogue.asset CASCADE")
    keys = list(stored)
    ids = [iscc(b"\x60\x10", key.to_bytes(8, "big")) for key in keys]
    cursor = connection.cursor()
    with cursor.copy("COPY catalogue.asset (iscc_id) FROM STDIN") as copy:
        for iscc_id in ids:
            copy.write_row([iscc_id])
    for kind in HEADERS:
        with cursor.copy("COPY catalogue.unit FROM STDIN") as copy:
            for iscc_id, asset in zip(ids, stored.values()):
                copy.write_row([iscc_id, kind, "\\x" + asset[kind].hex()])
    with cursor.copy("COPY catalogue.simprint FROM STDIN") as copy:
        at = 0
        for code, count in rows("simprints"):
            for _ in range(int(count)):
                key = keys[at % len(ids)]
                chunk = (key << 64 | at << 32 | 1000).to_bytes(16, "big").hex()
                copy.write_row([ids[at % len(ids)], "CONTENT_TEXT_V0", chunk, "\\x" + code])
                at += 1
    connection.execute("VACUUM ANALYZE catalogue.asset, catalogue.unit, catalogue.simprint")
    for (index,) in connection.execute(
        "SELECT indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = indexrelid "
        "JOIN pg_am a ON a.oid = relam WHERE amname = 'usearch' AND relkind = 'i'"
    ).fetchall():
        connection.execute("SELECT usearch_compact(%s)", [index])


def main() -> None:
    logger.remove()
    stored = dict(list(assets().items())[:ASSETS])
    simprints = [iscc_core.encode_base64(bytes.fromhex(row[0])) for row in rows("simprints")]
    with psycopg.connect(autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute("CREATE EXTENSION iscc_usearch")
        connection.execute((ROOT / "examples/catalogue/schema.sql").read_text())
        declarations(connection, stored, simprints)
        fill(connection, stored)
        search(connection, stored)
        chunks(connection, simprints)


main()
