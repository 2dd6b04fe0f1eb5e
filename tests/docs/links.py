"""python links.py: fails if a link in the project's pages leads to a file or heading that does not exist, if the table
of contents lacks a page, or if llms.txt names one that does not exist."""

import re
import sys
from pathlib import Path

from pages import LINK, ROOT, Page, all_pages, parse


def complaint(page: Page, target: str, pages: dict[Path, Page]) -> str | None:
    """What is wrong with a link, if anything."""
    if re.match(r"^[a-z]+:", target):
        return None
    path, _, anchor = target.partition("#")
    found = (page.path.parent / path).resolve() if path else page.path
    if not found.exists():
        return "no such file"
    if anchor and found.suffix == ".md":
        if found not in pages:
            pages[found] = parse(found)
        if anchor not in pages[found].anchors:
            return "no such heading"
    return None


def main() -> int:
    listed = {page.path: page for page in all_pages()}
    pages = dict(listed)
    complaints: list[str] = []
    checked = 0
    for page in listed.values():
        for number, target in page.links:
            checked += 1
            if why := complaint(page, target, pages):
                complaints.append(f"{page.name}:{number}: {target}: {why}")
    summary = ROOT / "docs/SUMMARY.md"
    contents = {(summary.parent / target.partition("#")[0]).resolve() for _, target in pages[summary].links}
    for page in listed.values():
        if page.path != summary and page.path not in contents:
            complaints.append(f"docs/SUMMARY.md: {page.name} is not in it")
    agents = ROOT / "docs/llms.txt"
    for target in LINK.findall(agents.read_text(encoding="utf-8")):
        name = target.partition("#")[0]
        if not re.match(r"^[a-z]+:", target) and not (agents.parent / name).exists():
            complaints.append(f"docs/llms.txt: {target}: no such file")
    for line in complaints:
        print(line, file=sys.stderr)
    print(f"{checked} links on {len(listed)} pages, {len(complaints)} wrong")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
