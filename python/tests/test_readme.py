"""Every program and command of the documentation runs, each in a database of its own, and prints what is shown."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "python/README.md", *sorted((ROOT / "docs").rglob("clients.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def programs(language):
    """Each block in this language, with the block of text that follows it, if there is one."""
    for page in PAGES:
        source = page.read_text()
        blocks = list(BLOCK.finditer(source))
        for block, following in zip(blocks, [*blocks[1:], None], strict=True):
            if block[1] == language:
                shown = following[2] if following and following[1] == "text" else None
                line = source[: block.start()].count("\n") + 1
                yield pytest.param(block[2], shown, id=f"{page.parent.name}/{page.name}:{line}")


@pytest.mark.parametrize(("program", "shown"), list(programs("python")))
def test_program(database, program, shown):
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if shown is not None:
        assert done.stdout == shown


@pytest.mark.parametrize(("session", "shown"), list(programs("console")))
def test_console(database, session, shown, tmp_path):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", session, re.MULTILINE):
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        # What is left out there differs between versions and machines.
        pattern = re.escape(output).replace("…", ".*")
        assert re.fullmatch(pattern, done.stdout), done.stdout
