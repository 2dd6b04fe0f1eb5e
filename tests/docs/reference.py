"""python reference.py: fails if the extension has something for users that the reference does not name: a function,
operator, type, operator class, view, setting, storage parameter or SQLSTATE. Asks the server that libpq's variables
name."""

import re
import subprocess
import sys
from pathlib import Path

from pages import ROOT

OBJECTS = Path(__file__).with_name("objects.sql")
# The reference, and pages that it sends readers to.
PAGES = [
    *sorted((ROOT / "docs/reference").glob("*.md")),
    ROOT / "docs/iscc.md",
    ROOT / "docs/dense-vectors.md",
    *(ROOT / "docs").glob("monitoring.md"),
]
KINDS = 9
ALIASES = {"array_element_error": "array_subscript_error"}
# Errors of PostgreSQL's own that the library only looks for.
PASSED_ON = {"successful_completion", "admin_shutdown", "crash_shutdown", "cannot_connect_now", "database_dropped"}


def psql(*arguments: str, check: bool = True) -> str:
    command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--field-separator=\t"]
    command += ["--dbname=docs_reference", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=check).stdout


def parameters() -> list[tuple[str, str]]:
    """PostgreSQL has no list of an access method's parameters: the library's source has."""
    source = (ROOT / "src/storage/definition.rs").read_text(encoding="utf-8")
    return [("storage parameter", name) for name in re.findall(r'c"(\w+)"\.as_ptr\(\)', source)]


def errors() -> list[tuple[str, str]]:
    """The names of the SQLSTATEs that the library raises, from its source."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.rs"))
    names = {ALIASES.get(name, name) for name in map(str.lower, re.findall(r"ERRCODE_(\w+)", source))}
    return [("SQLSTATE", name) for name in sorted(names - PASSED_ON)]


def objects() -> list[tuple[str, str]]:
    subprocess.run(["createdb", "--template=template0", "docs_reference"], check=True)
    psql("--command=CREATE EXTENSION iscc_usearch")
    # Where pgvector is.
    psql("--command=CREATE EXTENSION iscc_usearch_vector CASCADE", check=False)
    rows = psql("--command=LOAD 'iscc_usearch'", f"--file={OBJECTS}").splitlines()
    return [(kind, name) for kind, name in (row.split("\t") for row in rows)] + parameters() + errors()


def is_named(name: str, code: set[str]) -> bool:
    """Whether one of the pieces of code has the name; it may stand in a call or an expression."""
    edge = r"\w" if re.match(r"\w", name) else r"[^\s\w`(),'\\|]"
    shown = re.compile(rf"(?<!{edge}){re.escape(name)}(?!{edge})")
    return any(shown.search(piece) for piece in code)


def main() -> int:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    code = {piece.replace("\\|", "|") for piece in re.findall(r"`[^`\n]+`", text)}
    known = objects()
    missing = [(kind, name) for kind, name in known if not is_named(name, code)]
    for kind, name in missing:
        print(f"docs/reference does not name the {kind} {name}", file=sys.stderr)
    kinds = {kind for kind, _ in known}
    print(f"{len(known)} objects of {len(kinds)} kinds looked up in the reference, {len(missing)} missing")
    return 1 if missing or len(kinds) < KINDS else 0


if __name__ == "__main__":
    sys.exit(main())
