"""The project's Markdown pages: which there are, and what is in them."""

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Pages that are not below docs/, with their names in the site.
OUTSIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "src/README.md": "internals.md",
    "data/README.md": "data.md",
    "examples/explorer/README.md": "explorer.md",
}

FENCE = re.compile(r"^( {0,3})(`{3,})\s*([^`]*)$")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")
# [text](target), ![text](target); the text may contain code with brackets in it.
LINK = re.compile(r"\]\(\s*<?([^()\s<>]+(?:\([^()\s]*\))?)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^\[[^\]]+\]:\s+<?(\S+?)>?\s*$")
COMMENT = re.compile(r"^<!--\s*(.*?)\s*-->$")


@dataclass
class Fence:
    """A fenced block: where it begins, its language, its text, and the comments right before it."""

    line: int
    language: str
    text: str
    notes: list[str]


@dataclass
class Page:
    path: Path
    text: str
    fences: list[Fence] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    links: list[tuple[int, str]] = field(default_factory=list)
    # Lines that were added to the file since it was read, and where.
    shifts: list[tuple[int, int]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub and mdBook make it."""
    heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    kept = [c for c in heading.lower().strip() if c.isalnum() or c in " -_"]
    return "".join(kept).replace(" ", "-")


def parse(path: Path) -> Page:
    text = path.read_text(encoding="utf-8")
    page = Page(path, text)
    fence: Fence | None = None
    closing, indent = "", 0
    notes: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if fence is not None:
            if line.strip().startswith(closing) and not line.strip().strip("`"):
                page.fences.append(fence)
                fence = None
            else:
                fence.text += line[indent:] + "\n" if line[:indent].isspace() else line + "\n"
            continue
        if opened := FENCE.match(line):
            indent, closing = len(opened[1]), opened[2]
            fence = Fence(number, opened[3].strip(), "", notes)
            notes = []
            continue
        if comment := COMMENT.match(line.strip()):
            notes.append(comment[1])
            continue
        if line.strip():
            notes = []
        add_line(page, number, line)
    if fence is not None:
        raise SystemExit(f"{page.name}:{fence.line}: the block has no end")
    return page


def add_line(page: Page, number: int, line: str) -> None:
    if heading := HEADING.match(line):
        anchor = slug(heading[1])
        unique, n = anchor, 0
        while unique in page.anchors:
            n += 1
            unique = f"{anchor}-{n}"
        page.anchors.add(unique)
    prose = re.sub(r"`[^`]*`", "", line)
    page.links += [(number, target) for target in LINK.findall(prose)]
    if reference := REFERENCE.match(line):
        page.links.append((number, reference[1]))


def all_pages() -> list[Page]:
    paths = [ROOT / name for name in OUTSIDE] + sorted((ROOT / "docs").rglob("*.md"))
    return [parse(path) for path in paths if path.exists()]
