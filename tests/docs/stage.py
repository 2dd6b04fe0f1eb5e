"""python stage.py DIRECTORY: puts the pages, with README and the others that are not below docs/, where mdBook expects
them, and makes links between them right. Links to files that are not pages become plain text."""

import re
import shutil
import sys
from pathlib import Path

from links import PENDING
from pages import OUTSIDE, ROOT

LINKED = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")


def place(path: Path) -> Path | None:
    """Where a file of the project is in the book, if it is."""
    if not path.is_relative_to(ROOT) or not path.is_file():
        return None
    name = path.relative_to(ROOT).as_posix()
    # mdBook makes no page of it.
    if name == "docs/SUMMARY.md":
        return None
    if name in OUTSIDE:
        return Path(OUTSIDE[name])
    return Path(name).relative_to("docs") if name.startswith("docs/") else None


def relative(target: Path, page: Path) -> str:
    return ("../" * len(page.parent.parts)) + target.as_posix()


def rewritten(text: str, source: Path, page: Path) -> str:
    def replace(match: re.Match[str]) -> str:
        image, label, target = match.groups()
        path, hash_sign, anchor = target.partition("#")
        if not path or re.match(r"^[a-z]+:", target):
            return match[0]
        found = place((source.parent / path).resolve())
        return f"{image}[{label}]({relative(found, page)}{hash_sign}{anchor})" if found else label

    parts = re.split(r"(^ *```.*?^ *```[^\n]*$)", text, flags=re.S | re.M)
    return "".join(part if n % 2 else LINKED.sub(replace, part) for n, part in enumerate(parts))


def stage(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    source = directory / "src"
    for path in [ROOT / name for name in OUTSIDE] + sorted((ROOT / "docs").rglob("*")):
        page = Path("SUMMARY.md") if path.name == "SUMMARY.md" else place(path)
        if page is None or path.name == "book.toml":
            continue
        target = source / page
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix != ".md":
            shutil.copyfile(path, target)
            continue
        text = path.read_text(encoding="utf-8")
        if path.name == "SUMMARY.md":
            text = "".join(
                line
                for line in text.splitlines(True)
                if not any(f"]({p[5:]})" in line for p in PENDING)
                or (ROOT / "docs" / line.rpartition("](")[2].partition(")")[0]).exists()
            )
        target.write_text(rewritten(text, path, page), encoding="utf-8")
    shutil.copyfile(ROOT / "docs/book.toml", directory / "book.toml")


if __name__ == "__main__":
    stage(Path(sys.argv[1]).resolve())
