"""The command, as it is installed."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

COMMAND = Path(sys.executable).with_name("iscc-usearch-pg")
CODES = [(n, (n * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8, "big")) for n in range(1, 501)]
CREATE = "id bigint PRIMARY KEY, phash bitvec(64)"


def run(*arguments, code=0, environment=None):
    command = [COMMAND, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(environment or {})})
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code in (0, 3) else done.stderr


def loaded(connection, table="image"):
    return connection.execute(f"SELECT id, phash::bytea FROM {table} ORDER BY id").fetchall()


@pytest.fixture
def files(tmp_path):
    lines = [f"{n}\t{code.hex()}" for n, code in CODES]
    (tmp_path / "plain.tsv").write_text("\n".join(lines) + "\n")
    (tmp_path / "escaped.tsv").write_text("".join(f"{n}\t\\x{code.hex()}\n" for n, code in CODES))
    with gzip.open(tmp_path / "packed.tsv.gz", "wt") as file:
        file.write("\n".join(lines))
    (tmp_path / "named.csv").write_text("phash,id\n" + "".join(f'"\\x{code.hex()}",{n}\n' for n, code in CODES))
    ids = pa.array([n for n, _ in CODES])
    for name, codes in {
        "text": pa.array([code.hex() for _, code in CODES]),
        "bytes": pa.array([code for _, code in CODES]),
        "fixed": pa.array([code for _, code in CODES], pa.binary(8)),
        "list": pa.array([list(code) for _, code in CODES], pa.list_(pa.uint8(), 8)),
    }.items():
        pyarrow.parquet.write_table(pa.table({"id": ids, "phash": codes}), tmp_path / f"{name}.parquet")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain.tsv", ["--columns", "id,phash"]),
        ("escaped.tsv", ["--columns", "id,phash"]),
        ("packed.tsv.gz", ["--columns", "id,phash"]),
        ("named.csv", []),
        ("named.csv", ["--columns", "phash,id", "--skip-header"]),
        ("text.parquet", []),
        ("bytes.parquet", []),
        ("fixed.parquet", []),
        ("list.parquet", []),
    ],
)
def test_load(connection, files, name, options):
    out = run("load", files / name, "image", *options, "--create", CREATE)
    assert out == "500 rows loaded into image\n"
    assert loaded(connection) == CODES


def test_load_with_index_into_a_schema(connection, files):
    connection.execute("CREATE SCHEMA s")
    options = ["--create", CREATE, "--index", "phash", "--opclass", "bitvec_hamming_ops"]
    out = run("load", files / "named.csv", "s.image", *options)
    assert out == "500 rows loaded into s.image, phash indexed\n"
    (definition,) = connection.execute("SELECT indexdef FROM pg_indexes WHERE indexdef LIKE '%usearch%'").fetchone()
    assert definition.endswith("ON s.image USING usearch (phash bitvec_hamming_ops)")
    (rows,) = connection.execute("SELECT reltuples FROM pg_class WHERE oid = 's.image'::regclass").fetchone()
    assert rows == 500


def test_rows_that_exist(connection, files):
    run("load", files / "plain.tsv", "image", "--columns", "id,phash", "--create", CREATE)
    connection.execute("DELETE FROM image WHERE id <= 20")
    error = run("load", files / "named.csv", "image", code=1)
    assert error.startswith("iscc-usearch-pg: error: duplicate key value violates unique constraint")
    assert "SQLSTATE: 23505" in error
    assert run("load", files / "named.csv", "image", "--skip-existing") == "20 rows loaded into image\n"
    assert loaded(connection) == CODES


def test_an_error_leaves_nothing(connection, files):
    with (files / "plain.tsv").open("a") as file:
        file.write("501\tnot a code\n")
    error = run("load", files / "plain.tsv", "image", "--columns", "id,phash", "--create", CREATE, code=1)
    assert "line 501, column phash" in error
    assert connection.execute("SELECT to_regclass('image')").fetchone() == (None,)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["load", "missing.tsv", "image"], 1, "missing.tsv: no such file"),
        (["load", "codes.txt", "image"], 1, "a file of codes is .tsv"),
        (["load", "bad.parquet", "image"], 1, "bad.parquet"),
        (["load", "empty.csv", "image"], 1, "use --columns"),
        (["load", "names.csv", "image"], 1, 'relation "image" does not exist'),
        (["load"], 2, "Missing argument 'FILE'"),
        (["import", "/srv/index", "image", "--columns", "id"], 2, "takes two names"),
        (["import", "relative", "image", "--create", CREATE, "--columns", "id,phash"], 1, "SQLSTATE: 42602"),
        (["report", "missing"], 1, 'relation "missing" does not exist'),
        (["--dsn", "host=/nowhere", "report"], 1, "/nowhere"),
        (["--dsn", "nonsense", "report"], 1, 'missing "="'),
    ],
)
def test_errors(database, tmp_path, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    for name in ("codes.txt", "bad.parquet", "empty.csv"):
        Path(name).touch()
    Path("names.csv").write_text("id,phash\n")
    error = run(*arguments, code=code)
    assert message in error
    assert "Traceback" not in error


def test_export_and_import(connection, files):
    run("load", files / "plain.tsv", "image", "--columns", "id,phash", "--create", CREATE, "--index", "phash")
    # A directory of the server's user: that of its socket.
    path = f"{os.environ['PGHOST']}/{connection.info.dbname}"
    assert run("export", "image_phash_idx", "id", path) == f"500 entries exported to {path}\n"
    out = run("import", path, "copy", "--columns", "id,phash", "--create", CREATE, "--index", "phash")
    assert out == "500 rows loaded into copy, phash indexed\n"
    assert loaded(connection, "copy") == CODES
    assert run("load", f"{path}/", "copy", "--columns", "id,phash", "--skip-existing") == "0 rows loaded into copy\n"

    connection.execute("ALTER TABLE copy ADD key uuid")
    connection.execute("UPDATE copy SET key = md5(id::text)::uuid")
    run("export", "copy_phash_idx", "key", f"{path}-128")
    run("load", f"{path}-128/", "chunk", "--create", "key uuid PRIMARY KEY, code bitvec")
    differing = connection.execute(
        "SELECT count(*) FROM copy FULL JOIN chunk USING (key) WHERE phash IS DISTINCT FROM code"
    )
    assert differing.fetchone() == (0,)


def test_report(connection, files):
    assert run("report") == ""
    run("load", files / "plain.tsv", "image", "--columns", "id,phash", "--create", CREATE, "--index", "phash")
    out = run("report")
    for line in (
        "CREATE INDEX image_phash_idx ON public.image USING usearch (phash)",
        "  entries  500: 0 dead, 0 NULL, 0 in the tail",
        "  shards   1 ok",
        "  check    without the table; no problems",
    ):
        assert line in out.splitlines()
    assert "mean" in out and "ms median" in out

    report = json.loads(run("report", "--json", "--heap", "--sample", "5", "-k", "3", "image_phash_idx"))
    assert report["stats"]["entries"] == 500
    assert report["shards"] == {"ok": 1}
    assert report["recall"]["queries_run"] == 5
    assert report["problems"] == []
    assert json.loads(run("report", "--json", "--sample", "0"))["recall"] is None
    assert "recall is" in run("report", "--min-recall", "1.1", code=3)


def test_report_of_a_lost_shard(connection, files):
    run("load", files / "plain.tsv", "image", "--columns", "id,phash", "--create", CREATE, "--index", "phash")
    (file,) = connection.execute(
        "SELECT current_setting('data_directory') || '/' || file FROM usearch_shards('image_phash_idx')"
    ).fetchone()
    os.unlink(file)
    out = run("report", code=3)
    assert "  shards   1 missing" in out.splitlines()
    assert "  problem  shards missing: 1" in out.splitlines()


def test_report_of_a_table_of_others(connection, files):
    run("load", files / "plain.tsv", "image", "--columns", "id,phash", "--create", CREATE, "--index", "phash")
    connection.execute("DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; GRANT SELECT ON image TO reader")
    out = run("report", environment={"PGUSER": "reader"})
    assert "  check    not done: must be owner of index image_phash_idx; no problems" in out.splitlines()
    connection.execute("DROP OWNED BY reader; DROP ROLE reader")


def test_help():
    out = run("--help")
    assert "Exit code" in out and "export fingerprint_code_idx" in out
    for command in "load", "import", "export", "report":
        assert "Example" in run(command, "--help")
    assert run("--version").startswith("iscc-usearch-pg, version ")


def test_without_its_dependencies(tmp_path):
    (tmp_path / "click.py").write_text("raise ModuleNotFoundError('No module named click', name='click')")
    error = run("report", code=1, environment={"PYTHONPATH": str(tmp_path)})
    assert error == "iscc-usearch-pg: needs psycopg and click: pip install 'iscc-usearch-pg[cli]'\n"
