"""python reference.py: fails if the extension has something for users that the reference does not name: a function, operator,
type, operator class, setting or storage parameter. Asks the server that libpq's variables name; the pages are those below
docs/reference and the three that it sends readers to."""

import re
import subprocess
import sys

from pages import ROOT

PAGES = [*sorted((ROOT / "docs/reference").glob("*.md")), *(ROOT / "docs" / n for n in ("iscc.md", "dense-vectors.md"))]

# What only implements something else is reached by that: an operator, a type, a cast, an aggregate, an operator class.
OBJECTS = """
WITH member AS (
  SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND d.refclassid = 'pg_extension'::regclass
   WHERE d.deptype = 'e' AND e.extname IN ('iscc_usearch', 'iscc_usearch_vector')),
implementation AS (
  SELECT oprcode::oid FROM pg_operator UNION SELECT oprrest FROM pg_operator UNION SELECT oprjoin FROM pg_operator
  UNION SELECT unnest(ARRAY[typinput, typoutput, typreceive, typsend, typmodin]::oid[]) FROM pg_type
  UNION SELECT castfunc FROM pg_cast UNION SELECT amproc FROM pg_amproc UNION SELECT prosupport FROM pg_proc
  UNION SELECT amhandler FROM pg_am
  UNION SELECT unnest(ARRAY[aggtransfn, aggfinalfn, aggcombinefn]::oid[]) FROM pg_aggregate)
SELECT 'function', proname::text FROM pg_proc p JOIN member ON objid = p.oid AND classid = 'pg_proc'::regclass
 WHERE coalesce(obj_description(p.oid, 'pg_proc'), '') NOT LIKE 'internal:%'
   AND (p.oid NOT IN (SELECT * FROM implementation)
        OR p.oid IN (SELECT oprcode FROM pg_operator) AND obj_description(p.oid, 'pg_proc') NOT LIKE 'implementation of %')
UNION SELECT 'operator', oprname::text FROM pg_operator o JOIN member ON objid = o.oid AND classid = 'pg_operator'::regclass
 WHERE coalesce(obj_description(o.oid, 'pg_operator'), '') NOT LIKE 'internal:%'
UNION SELECT 'type', typname::text FROM pg_type t JOIN member ON objid = t.oid AND classid = 'pg_type'::regclass
 WHERE typcategory <> 'A' AND coalesce(obj_description(t.oid, 'pg_type'), '') NOT LIKE 'internal:%'
UNION SELECT 'operator class', opcname::text FROM pg_opclass c JOIN member ON objid = c.oid AND classid = 'pg_opclass'::regclass
 WHERE opcmethod = (SELECT oid FROM pg_am WHERE amname = 'usearch')
UNION SELECT 'view', relname::text FROM pg_class c JOIN member ON objid = c.oid AND classid = 'pg_class'::regclass WHERE relkind = 'v'
UNION SELECT 'setting', name FROM pg_settings WHERE name LIKE 'iscc\\_usearch.%' AND name <> 'iscc_usearch.failpoint'
UNION SELECT 'access method', amname::text FROM pg_am a JOIN member ON objid = a.oid AND classid = 'pg_am'::regclass
ORDER BY 1, 2
"""


def psql(*commands: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    flags = [part for command in commands for part in ("--command", command)]
    command = [
        "psql",
        "--no-psqlrc",
        "--quiet",
        "--tuples-only",
        "--no-align",
        "--field-separator=\t",
        "--dbname=docs_reference",
        *flags,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=check)


def parameters() -> list[tuple[str, str]]:
    """PostgreSQL has no list of an access method's parameters: the library's source has."""
    source = (ROOT / "src/storage/definition.rs").read_text(encoding="utf-8")
    return [("storage parameter", name) for name in re.findall(r'c"(\w+)"\.as_ptr\(\)', source)]


def main() -> int:
    subprocess.run(["createdb", "--template=template0", "docs_reference"], check=True)
    psql("CREATE EXTENSION iscc_usearch")
    psql("CREATE EXTENSION iscc_usearch_vector CASCADE", check=False)
    rows = psql("LOAD 'iscc_usearch'", OBJECTS).stdout.splitlines()
    objects = [(kind, name) for kind, name in (row.split("\t") for row in rows)] + parameters()
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    code = set(re.findall(r"`[^`\n]+`", text))
    missing = []
    for kind, name in objects:
        # A name may stand in a call or an expression; an operator stands alone or between operands.
        edge = r"\w" if name[0].isalnum() or name[0] == "_" else r"[^\s\w`(),'\\|]"
        shown = re.compile(rf"(?<!{edge}){re.escape(name)}(?!{edge})")
        if not any(shown.search(piece.replace("\\|", "|")) for piece in code):
            missing.append(f"docs/reference does not name the {kind} {name}")
    for line in missing:
        print(line, file=sys.stderr)
    kinds = {kind for kind, _ in objects}
    print(
        f"{len(objects)} objects of the extension ({len(kinds)} kinds) looked up in the reference, {len(missing)} missing"
    )
    return 1 if missing or len(kinds) < 7 else 0


if __name__ == "__main__":
    sys.exit(main())
