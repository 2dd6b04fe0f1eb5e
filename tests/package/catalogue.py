"""python catalogue.py CONNINFO DIRECTORY: the server of `examples/catalogue`, used by iscc-search's own client, beside
iscc-search 0.3.3 itself. Needs the schema in the database."""

import gzip
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psycopg
from iscc_search.indexes.usearch.index import UsearchIndex
from iscc_search.remote.client import RemoteIndex
from iscc_search.schema import IsccEntry, IsccQuery
from loguru import logger

logger.remove()

ROOT = Path(__file__).resolve().parents[2]
UNKNOWN = "ISCC:MAIGIIFJRDGEQQAA"
ASSETS = 200


def serve(conninfo: str, port: int) -> subprocess.Popen[bytes]:
    """The server on a port, once it is ready."""
    options = psycopg.conninfo.conninfo_to_dict(conninfo)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE"}
    env = os.environ | {names[key]: str(value) for key, value in options.items() if key in names}
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen(
        command, cwd=ROOT / "examples/catalogue/server", env=env | {"CATALOGUE_API_KEY": "secret"}
    )
    for _ in range(600):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return process
        except httpx.TransportError:
            time.sleep(0.1)
        assert process.poll() is None, "the server has ended"
    raise AssertionError("the server does not become ready")


def refused(error: type[Exception], call: Any) -> None:
    try:
        call()
    except error:
        return
    raise AssertionError(f"no {error.__name__}")


def check_assets(client: RemoteIndex, entries: list[dict[str, Any]]) -> None:
    """Declared, read back, declared again; malformed ones change nothing."""
    assets = [IsccEntry(**entry) for entry in entries]
    assert {result.status for result in client.add_assets("catalogue", assets)} == {"created"}
    assert {result.status for result in client.add_assets("catalogue", assets[:3])} == {"updated"}
    for entry in entries[:20]:
        read = client.get_asset("catalogue", entry["iscc_id"]).model_dump(exclude_none=True)
        assert sorted(read["units"]) == sorted(entry["units"]) and read.get("metadata") == entry.get("metadata")
        passages = [sorted(str(s) for s in which["simprints"]["CONTENT_TEXT_V0"]) for which in (read, entry)]
        assert len(passages[0]) <= len(passages[1]) and passages[0]
    refused(FileNotFoundError, lambda: client.get_asset("catalogue", UNKNOWN))
    refused(FileNotFoundError, lambda: client.get_asset("other", UNKNOWN))
    refused(ValueError, lambda: client.get_asset("catalogue", "ISCC:nonsense"))
    half = [
        IsccEntry(iscc_id=UNKNOWN, units=entries[0]["units"]),
        IsccEntry(iscc_id=UNKNOWN, iscc_code="ISCC:" + "K" * 24),
    ]
    refused(ValueError, lambda: client.add_assets("catalogue", half))
    refused(FileNotFoundError, lambda: client.get_asset("catalogue", UNKNOWN))
    assert client.get_index("catalogue").assets == len(entries)
    assert [index.name for index in client.list_indexes()] == ["catalogue"]


def check_search(client: RemoteIndex, theirs: UsearchIndex, entries: list[dict[str, Any]]) -> int:
    """What iscc-search finds at a limit beyond the number of assets. Even then its graph may miss a unit, but what it
    finds is as similar here, and if it has missed nothing, the score is the same. Returns the number of such rows."""
    rows = missed = 0
    for entry in entries[::10]:
        for query in (IsccQuery(units=entry["units"]), IsccQuery(iscc_id=entry["iscc_id"])):
            ours = client.search_assets("catalogue", query, 1000)
            expected = {}
            for match in theirs.search_assets(query, 1000).global_matches:
                kept = {kind: s for kind, s in match.types.items() if s >= 0.75}
                expected[match.iscc_id] = (round(match.score, 6), {kind: round(s, 6) for kind, s in kept.items()})
            found = {
                match.iscc_id: (round(match.score, 6), {kind: round(s, 6) for kind, s in match.types.items()})
                for match in ours.global_matches
            }
            for iscc_id, (score, types) in expected.items():
                assert types.items() <= found[iscc_id][1].items(), (query, iscc_id, types, found[iscc_id])
                missed += types != found[iscc_id][1]
                rows += found[iscc_id] == (score, types)
                assert types != found[iscc_id][1] or score == found[iscc_id][0], (query, iscc_id, score, found[iscc_id])
            missed += len(found) - len(expected)
    assert rows > 10 * missed, f"{missed} rows are different, {rows} are not"
    return rows


def check_chunks(client: RemoteIndex, entry: dict[str, Any]) -> None:
    kind, asked = "CONTENT_TEXT_V0", [s["simprint"] for s in entry["simprints"]["CONTENT_TEXT_V0"]]
    found = client.search_assets("catalogue", IsccQuery(simprints={kind: asked}), 10).chunk_matches
    best = found[0]
    assert (best.score, best.types[kind].matches, best.types[kind].queried) == (1.0, len(asked), len(asked)), best
    assert entry["iscc_id"] in [match.iscc_id for match in found if match.score == 1.0]
    by_id = client.search_assets("catalogue", IsccQuery(iscc_id=entry["iscc_id"]), 10)
    assert entry["iscc_id"] not in [match.iscc_id for match in by_id.chunk_matches + by_id.global_matches]
    refused(FileNotFoundError, lambda: client.search_assets("catalogue", IsccQuery(iscc_id=UNKNOWN)))
    refused(ValueError, lambda: client.search_assets("catalogue", IsccQuery()))


def check_move(conninfo: str, directory: Path, entries: list[dict[str, Any]]) -> None:
    """What export.py writes and load.sql declares is what iscc-search was given."""
    scripts = ROOT / "examples/catalogue"
    exported = directory / "export"
    subprocess.run(
        [sys.executable, scripts / "export.py", directory / "iscc-search", exported], check=True, capture_output=True
    )
    psql = Path(os.environ["ISCC_PG_BINDIR"]) / "psql"
    with psycopg.connect(conninfo, autocommit=True) as connection:
        declared = "SELECT iscc_id::text, catalogue.entry(iscc_id) FROM catalogue.asset"
        before = dict(connection.execute(declared).fetchall())
        assert len(before) == len(entries)
        connection.execute("SELECT catalogue.forget(iscc_id) FROM catalogue.asset")
        command = [psql, conninfo, "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--file={scripts / 'load.sql'}"]
        subprocess.run(command, cwd=exported, check=True, capture_output=True)
        assert dict(connection.execute(declared).fetchall()) == before


def check_http(url: str, entry: dict[str, Any]) -> None:
    """What the client does not use."""
    key = {"X-API-Key": "secret"}
    assert httpx.get(f"{url}/indexes").status_code == 401
    assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}
    searched = httpx.get(f"{url}/indexes/catalogue/search", params={"iscc_code": "ISCC:nonsense"}, headers=key)
    assert searched.status_code == 400 and searched.json()["detail"].startswith("invalid ISCC"), searched.text
    assert httpx.post(f"{url}/indexes/catalogue/search", content="{", headers=key).status_code == 400
    assert httpx.post(f"{url}/indexes/catalogue/assets", json={}, headers=key).status_code == 400
    asset = f"{url}/indexes/catalogue/assets/{entry['iscc_id']}"
    assert [httpx.delete(asset, headers=key).status_code for _ in range(2)] == [200, 404]


def main(conninfo: str, directory: str) -> None:
    with gzip.open(ROOT / "tests/data/catalogue.jsonl.gz", "rt") as file:
        entries = [json.loads(line)["entry"] for line, _ in zip(file, range(ASSETS))]
    entries[0]["metadata"] = {"name": "a title", "source": "https://example.org/a"}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = serve(conninfo, port)
    try:
        client = RemoteIndex(f"http://127.0.0.1:{port}", "catalogue", "secret")
        check_assets(client, entries)
        theirs = UsearchIndex(Path(directory) / "iscc-search")
        theirs.add_assets([IsccEntry(**entry) for entry in entries])
        rows = check_search(client, theirs, entries)
        theirs.close()
        check_move(conninfo, Path(directory), entries)
        check_chunks(client, entries[0])
        check_http(client.url, entries[0])
        print(f"the catalogue's server: {rows} rows as iscc-search has them")
    finally:
        server.terminate()
        server.wait()


main(sys.argv[1], sys.argv[2])
