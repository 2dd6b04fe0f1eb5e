"""python blocks.py [--fill] [PAGE...]: runs the SQL blocks of the project's pages with psql, in order and in one
session per page, on the server that libpq's variables name. Each page gets a new database, mydb, with the extension in
it unless the page creates it. A plain block right after an SQL block is its output and must be equal; "…" in it stands
for any text, and a line of "…" for any lines.

Comments before a block change that:
  <!-- not run: REASON -->             the block is not run
  <!-- needs extension: NAME -->       it is not run where there is no such extension
  <!-- tested with: NAME VALUE -->     psql's \\set NAME gets this value, because the page's own takes too long
  <!-- error: SQLSTATE -->             its last error must be this one; output includes the message
  <!-- output of PostgreSQL N -->      before an output: compared with that major version only, and later ones with "N+"
  <!-- output differs: REASON -->      before an output: not compared
With --fill, outputs in the pages that differ are replaced by what psql shows.
A comment anywhere on a page, <!-- page needs extension: NAME -->, skips the page where there is no such extension.
"""

import re
import subprocess
import sys
import time
from dataclasses import dataclass, field

from pages import Fence, Page, all_pages

# The whole documentation should run in a minute.
SLOW_SECONDS = 4
MARK = "~~ block"
DATABASE = "mydb"
NEEDS = re.compile(r"^<!-- page needs extension: (\w+) -->$", re.M)
# A page should run: more exceptions than this, and the page is not a test any more.
MOST_NOT_RUN = 14


@dataclass
class Block:
    fence: Fence
    error: str | None = None
    output: Fence | None = None


@dataclass
class Tally:
    run: int = 0
    compared: int = 0
    not_run: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def psql(database: str, script: str) -> subprocess.CompletedProcess[str]:
    command = ["psql", "--no-psqlrc", "--quiet", f"--dbname={database}"]
    return subprocess.run(command, input=script, capture_output=True, text=True, check=False)


def ask(sql: str) -> list[str]:
    command = ["psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command", sql]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def note(fence: Fence, beginning: str) -> str | None:
    for comment in fence.notes:
        if comment.startswith(beginning):
            return comment[len(beginning) :].strip()
    return None


def blocks_of(page: Page, major: int, available: set[str], tally: Tally) -> list[Block]:
    blocks: list[Block] = []
    previous: Block | None = None
    lines = page.text.splitlines()
    for fence in page.fences:
        if fence.language == "sql":
            previous = None
            if (why := note(fence, "not run:")) is not None:
                tally.not_run.append(f"{page.name}:{fence.line}: {why}")
                continue
            if (name := note(fence, "needs extension:")) is not None and name not in available:
                tally.skipped.append(f"{page.name}:{fence.line}: no extension {name} here")
                continue
            if (value := note(fence, "tested with:")) is not None:
                name, value = value.split()
                fence.text = re.sub(rf"^\\set {name} .*$", rf"\\set {name} {value}", fence.text, flags=re.M)
            previous = Block(fence, note(fence, "error:"))
            blocks.append(previous)
        elif fence.language in ("", "text") and previous is not None:
            if follows(lines, previous.fence, fence) and compared(fence, major):
                previous.output = fence
            previous = None
    return blocks


def follows(lines: list[str], block: Fence, output: Fence) -> bool:
    """Whether nothing but comments is between the two."""
    end = block.line + block.text.count("\n") + 1
    between = [line.strip() for line in lines[end : output.line - 1]]
    return all(not line or line.startswith("<!--") for line in between)


def compared(fence: Fence, major: int) -> bool:
    version = note(fence, "output of PostgreSQL ")
    if note(fence, "output differs:") is not None:
        return False
    if version is None:
        return True
    return major >= int(version[:-1]) if version.endswith("+") else major == int(version)


def script_of(blocks: list[Block]) -> str:
    parts = ["\\set ON_ERROR_STOP on\n\\pset pager off\n"]
    for n, block in enumerate(blocks):
        parts.append(f"\\echo '{MARK} {n}'\n\\warn '{MARK} {n}'\n")
        if block.error:
            parts.append(f"\\set ON_ERROR_STOP off\n{block.fence.text}\\echo '{MARK} error' :LAST_ERROR_SQLSTATE\n")
            parts.append("\\set ON_ERROR_STOP on\n")
        else:
            parts.append(block.fence.text)
    parts.append(f"\\echo '{MARK} {len(blocks)}'\n\\warn '{MARK} {len(blocks)}'\n")
    return "".join(parts)


def sections(text: str) -> dict[int, str]:
    parts = re.split(rf"^{MARK} (\d+)\n", text, flags=re.M)
    return {int(number): body for number, body in zip(parts[1::2], parts[2::2], strict=True)}


def matches(expected: str, found: str) -> bool:
    def tidy(text: str) -> list[str]:
        return [line.rstrip() for line in text.strip("\n").splitlines()]

    pattern = []
    for line in tidy(expected):
        whole = line.strip() in ("…", "...")
        pattern.append(r"(?:.*\n)*?" if whole else re.escape(line).replace("…", ".*") + "\n")
    return re.fullmatch("".join(pattern), "\n".join(tidy(found)) + "\n") is not None


def fill(page: Page, output: Fence, found: str) -> None:
    """Writes what psql has shown into the page."""
    tidy = "\n".join(line.rstrip() for line in found.strip("\n").splitlines()) + "\n"
    lines = page.path.read_text(encoding="utf-8").splitlines(keepends=True)
    begin = output.line + sum(shift for line, shift in page.shifts if line < output.line)
    end = begin + output.text.count("\n")
    lines[begin:end] = [tidy]
    page.path.write_text("".join(lines), encoding="utf-8")
    page.shifts.append((output.line, tidy.count("\n") - output.text.count("\n")))


def check_page(page: Page, blocks: list[Block], tally: Tally, filling: bool) -> None:
    result = psql(DATABASE, script_of(blocks))
    out, messages = sections(result.stdout), sections(result.stderr)
    for n, block in enumerate(blocks):
        where = f"{page.name}:{block.fence.line}"
        if n + 1 not in out:
            tally.failures.append(f"{where}: stopped: {messages.get(n, result.stderr).strip()}")
            return
        tally.run += 1
        found = out[n]
        if block.error:
            found, _, state = found.rpartition(f"{MARK} error ")
            if state.strip() != block.error:
                tally.failures.append(f"{where}: error {state.strip()} instead of {block.error}")
            found += messages[n]
        if block.output:
            tally.compared += 1
            if filling and not matches(block.output.text, found):
                fill(page, block.output, found)
            elif not matches(block.output.text, found):
                tally.failures.append(f"{where}: expected\n{block.output.text}found\n{found}")


def check_in_database(page: Page, blocks: list[Block], tally: Tally, filling: bool) -> None:
    subprocess.run(["createdb", "--template=template0", DATABASE], check=True)
    if not any("CREATE EXTENSION iscc_usearch" in block.fence.text for block in blocks):
        psql(DATABASE, "CREATE EXTENSION iscc_usearch")
    check_page(page, blocks, tally, filling)
    for setting in re.findall(r"^ALTER SYSTEM SET (\S+)", page.text, flags=re.M):
        psql("postgres", f"LOAD 'iscc_usearch';\nALTER SYSTEM RESET {setting};\nSELECT pg_reload_conf();")
    subprocess.run(["dropdb", "--force", DATABASE], check=True)


def main(wanted: list[str]) -> int:
    begun = time.monotonic()
    filling = "--fill" in wanted
    wanted = [name for name in wanted if name != "--fill"]
    tally = Tally()
    major = int(ask("SHOW server_version_num")[0]) // 10000
    available = set(ask("SELECT name FROM pg_available_extensions"))
    for page in all_pages():
        if wanted and not any(name in page.name for name in wanted):
            continue
        if missing := set(NEEDS.findall(page.text)) - available:
            tally.skipped.append(f"{page.name}: no extension {', '.join(sorted(missing))} here")
            continue
        if blocks := blocks_of(page, major, available, tally):
            start = time.monotonic()
            check_in_database(page, blocks, tally, filling)
            if (took := time.monotonic() - start) > SLOW_SECONDS:
                print(f"slow: {page.name}: {took:.0f} s")
    if len(tally.not_run) > MOST_NOT_RUN:
        tally.failures.append(f"more than {MOST_NOT_RUN} blocks are not run")
    for line in tally.not_run:
        print(f"not run: {line}")
    for line in tally.skipped:
        print(f"SKIPPED: {line}")
    for line in tally.failures:
        print(f"FAILED: {line}", file=sys.stderr)
    seconds = time.monotonic() - begun
    print(
        f"{tally.run} SQL blocks run on PostgreSQL {major}, {tally.compared} outputs compared, "
        f"{len(tally.failures)} failures, {seconds:.0f} s"
    )
    if wanted and not tally.run:
        print("nothing was run", file=sys.stderr)
        return 1
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
