"""python export.py INDEX DIRECTORY: writes what an index of iscc-search 0.3.3 holds, for load.sql.

INDEX is the directory of one index. Nobody else may have it open. DIRECTORY gets `assets.jsonl`, an entry per line, and
`simprints.tsv`: ISCC-ID, type, simprint, offset and size. Needs iscc-search, whose LMDB files hold all of it.
"""

import json
import sys
from pathlib import Path

import iscc_core
from iscc_search.indexes.usearch.index import UsearchIndex
from iscc_search.models import IsccID


def main(source: Path, target: Path) -> None:
    if not source.is_dir():
        sys.exit(f"export.py: {source} is not a directory")
    target.mkdir(exist_ok=True)
    index = UsearchIndex(source)
    realm = index._realm_id
    with (
        index.env.begin() as txn,
        open(target / "assets.jsonl", "w") as assets,
        open(target / "simprints.tsv", "w") as simprints,
    ):
        for _, entry in txn.cursor(index.env.open_db(b"__assets__", txn=txn)):
            assets.write(json.dumps(json.loads(entry)) + "\n")
        for kind, database in index._sp_data_dbs.items():
            for code, chunk in txn.cursor(database):
                iscc_id = IsccID.from_body(bytes(chunk[:8]), realm)
                offset, size = int.from_bytes(chunk[8:12], "big"), int.from_bytes(chunk[12:], "big")
                simprints.write(f"{iscc_id}\t{kind}\t{iscc_core.encode_base64(bytes(code))}\t{offset}\t{size}\n")
    index.close()


main(Path(sys.argv[1]), Path(sys.argv[2]))
