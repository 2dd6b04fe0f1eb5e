#!/usr/bin/env python3
"""Prints debian/copyright: ours, and that of the crates that are linked into the library.

licences.py FEATURE: the feature of Cargo.toml that chooses the version of PostgreSQL. Of a choice of licences Apache-2.0 is
taken, else the first; the texts of the others are the crates' own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

HEADER = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: iscc_usearch

Files: *
Copyright: the authors of iscc_usearch
License: Apache-2.0
Comment: The paragraphs for vendor/ are about the Rust crates that are
 statically linked into the library.
"""

APACHE = """\
License: Apache-2.0
 On Debian systems, the text of the Apache License 2.0 is in
 /usr/share/common-licenses/Apache-2.0.
"""

# Of crates that have no file with the licence that they name.
MIT = """\
Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""

# What a file with the text of a licence is called, and what the text says.
TEXTS = {
    "BSL-1.0": "Boost Software License",
    "MIT": "Permission is hereby granted, free of charge",
    "Unicode-3.0": "UNICODE LICENSE V3",
    "Zlib": "without any express or implied",
}


def linked_crates(feature: str) -> list[dict[str, Any]]:
    """The packages of other authors whose code is in the library, sorted by name."""
    command = ["cargo", "metadata", "--format-version=1", "--locked", "--no-default-features", f"--features={feature}"]
    host = re.search(r"^host: (.*)$", subprocess.check_output(["rustc", "-vV"], text=True), re.M)
    assert host, "rustc names no host"
    metadata = json.loads(subprocess.check_output([*command, f"--filter-platform={host[1]}"]))
    packages = {package["id"]: package for package in metadata["packages"]}
    edges = {node["id"]: node["deps"] for node in metadata["resolve"]["nodes"]}

    def runs_at_build_time(package: dict[str, Any]) -> bool:
        return any("proc-macro" in target["kind"] for target in package["targets"])

    found: set[str] = set()
    waiting = [metadata["resolve"]["root"]]
    while waiting:
        crate = waiting.pop()
        if crate in found or runs_at_build_time(packages[crate]):
            continue
        found.add(crate)
        waiting += [dep["pkg"] for dep in edges[crate] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
    others = [packages[crate] for crate in found if packages[crate]["source"]]
    return sorted(others, key=lambda package: (package["name"], package["version"]))


def chosen(expression: str) -> list[str]:
    """The licences that are taken of an SPDX expression."""

    def choice(alternatives: str) -> str:
        names = re.split(r"\s+OR\s+|/", alternatives.strip("() "))
        return "Apache-2.0" if "Apache-2.0" in names else names[0] if "MIT" not in names else "MIT"

    return [choice(part) for part in re.split(r"\s+AND\s+", expression)]


def licence_files(package: dict[str, Any]) -> list[str]:
    """The texts of the files about licences that a crate has."""
    directory = Path(package["manifest_path"]).parent
    files = [file for file in sorted(directory.iterdir()) if re.match(r"(licen[cs]e|copying|notice)", file.name, re.I)]
    return [file.read_text(encoding="utf-8") for file in files if file.is_file()]


def text_of(name: str, texts: list[str], crate: str) -> str:
    """The text of a licence, as a crate has it."""
    with_it = [text for text in texts if TEXTS[name].lower() in text.lower()]
    if not with_it and name == "MIT":
        return MIT
    if not with_it:
        sys.exit(f"licences: {crate} has no text of {name}")
    return min(with_it, key=len)


def indented(text: str) -> str:
    """A text as the continuation of a field."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return "\n".join(f" {line}" if line else " ." for line in lines)


def paragraph(package: dict[str, Any]) -> str:
    """What debian/copyright says about a crate."""
    crate = f"{package['name']}-{package['version']}"
    names = chosen(package["license"] or sys.exit(f"licences: {crate} names no licence"))
    texts = licence_files(package)
    claims = {
        line.strip(" */")
        for text in texts
        for line in text.splitlines()
        if re.match(r"\W*Copyright(\W|\d|c\))+[A-Z].*[a-z]", line) and "Copyright License" not in line
    }
    holders = sorted(claims) or package["authors"] or [f"the authors of {package['name']}"]
    fields = [f"Files: vendor/{crate}/*", "Copyright: " + "\n ".join(holders), "License: " + " and ".join(names)]
    verbatim = [indented(text_of(name, texts, crate)) for name in names if name != "Apache-2.0"]
    return "\n".join([*fields, "\n .\n".join(verbatim)]).rstrip() + "\n"


def main() -> None:
    """Prints the file."""
    print("\n".join([HEADER, *map(paragraph, linked_crates(sys.argv[1])), APACHE]), end="")


if __name__ == "__main__":
    main()
