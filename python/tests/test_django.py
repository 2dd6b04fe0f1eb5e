"""Django: migrations that are written, run and found complete, and then queries."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent / "django_project"


@pytest.fixture
def run(connection, tmp_path):
    """Runs Python in a copy of the project, where migrations are written."""
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(project)}

    def run(*arguments):
        command = [sys.executable, "-W", "error", *arguments]
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run.project = project
    return run


def test_migrations_and_queries(run, connection):
    connection.execute("DROP EXTENSION iscc_usearch")
    manage = ("-m", "django")
    run(*manage, "makemigrations", "gallery")
    migration = run.project / "gallery/migrations/0001_initial.py"
    source = migration.read_text()
    assert "iscc_usearch_pg.django.BitvecField(bits=64, null=True)" in source
    assert "m=24" in source and "shard_size='64MB'" in source and "opclasses=['bitvec_hamming_ops']" in source
    # As the documentation says: the operation comes first.
    migration.write_text(
        source.replace("operations = [", "operations = [\n        iscc_usearch_pg.django.CreateIsccUsearch(),")
    )
    sql = run(*manage, "sqlmigrate", "gallery", "0001")
    assert """USING usearch ("phash") WITH (m = '24', shard_size = '64MB')""" in sql
    run(*manage, "migrate")
    assert "No changes" in run(*manage, "makemigrations", "--check", "--dry-run")
    options = connection.execute("SELECT reloptions FROM pg_class WHERE relname = 'image_phash'").fetchone()
    assert options == (["m=24", "shard_size=64MB"],)
    run("queries.py")
    run(*manage, "migrate", "gallery", "zero")
    assert connection.execute("SELECT count(*) FROM pg_extension WHERE extname = 'iscc_usearch'").fetchone() == (0,)
