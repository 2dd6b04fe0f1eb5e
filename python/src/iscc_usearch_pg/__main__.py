"""The command `iscc-usearch-pg`, also `python -m iscc_usearch_pg`."""

from __future__ import annotations

import sys


def main() -> None:
    try:
        from iscc_usearch_pg.command import command
    except ModuleNotFoundError as missing:
        if missing.name not in ("click", "psycopg"):
            raise
        sys.exit("iscc-usearch-pg: needs psycopg and click: pip install 'iscc-usearch-pg[cli]'")
    command.main(prog_name="iscc-usearch-pg")


if __name__ == "__main__":
    main()
