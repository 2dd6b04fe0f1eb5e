"""FAISS and iscc-usearch on the codes of a file, in turns with the SQL systems (turns.py).

    codes.py CODES SYSTEM...

CODES (little-endian): number of codes and of queries (uint32), the codes and the queries (length in bytes, then 32 bytes
padded with zeros), and for each query the distance of the 10th nearest (float64).
"""

import os
import sys

import faiss
import numpy as np
from iscc_usearch import NphdIndex, ShardedNphdIndex

import turns
from turns import BUILD_EFFORT, EFFORTS, LINKS, NEIGHBOURS


class Codes:
    """Codes and queries of the file."""

    def __init__(self, path):
        with open(path, "rb") as file:
            count, queries = np.fromfile(file, "<u4", 2)
            table = np.fromfile(file, np.uint8, 33 * (count + queries)).reshape(-1, 33)
            self.kth = np.fromfile(file, "<f8", queries)
        self.lengths = table[:, 0]
        self.padded = np.ascontiguousarray(table[:, 1:])
        self.count = int(count)

    def stored_padded(self):
        return self.padded[: self.count]

    def stored(self):
        """The codes at their lengths: one array if all have 32 bytes, which the library takes faster than a list."""
        lengths = self.lengths[: self.count]
        if (lengths == 32).all():
            return self.stored_padded()
        return [code[:length] for code, length in zip(self.stored_padded(), lengths)]

    def query(self, number):
        at = self.count + number
        return self.padded[at][: self.lengths[at]]


class Faiss:
    """What both FAISS indexes have in common; all codes have 256 bits."""

    def build(self, codes, directory):
        faiss.omp_set_num_threads(os.cpu_count())
        self.index.add(codes.stored_padded())
        faiss.omp_set_num_threads(1)
        path = os.path.join(directory, self.name)
        return lambda: (faiss.write_index_binary(self.index, path), os.path.getsize(path))[1]

    def prepare(self, code):
        return code.reshape(1, -1)

    def search(self, code):
        return self.index.search(code, NEIGHBOURS)[0][0]

    def normalized(self, distances):
        return distances / 256


class FaissHnsw(Faiss):
    name = "FAISS IndexBinaryHNSW"
    settings = [("efSearch", effort) for effort in EFFORTS]

    def __init__(self):
        self.index = faiss.IndexBinaryHNSW(256, LINKS)
        self.index.hnsw.efConstruction = BUILD_EFFORT

    def set(self, effort):
        self.index.hnsw.efSearch = effort


class FaissFlat(Faiss):
    name = "FAISS IndexBinaryFlat"
    settings = [("exact", None)]

    def __init__(self):
        self.index = faiss.IndexBinaryFlat(256)

    def set(self, effort):
        pass


class Nphd:
    name = "iscc-usearch NphdIndex"
    settings = [("expansion_search", effort) for effort in EFFORTS]

    def build(self, codes, directory):
        path = os.path.join(directory, "nphd")
        self.index = self.open(path)
        self.index.add(np.arange(codes.count), codes.stored())
        return lambda: (self.save(path), self.size(path))[1]

    def open(self, path):
        return NphdIndex(max_dim=256, connectivity=LINKS, expansion_add=BUILD_EFFORT)

    def save(self, path):
        self.index.save(path)

    def size(self, path):
        return os.path.getsize(path)

    def set(self, effort):
        self.index.expansion_search = effort

    def prepare(self, code):
        return code

    def search(self, code):
        return self.index.search(code, NEIGHBOURS, threads=1).distances

    def normalized(self, distances):
        return distances


class ShardedNphd(Nphd):
    name = "iscc-usearch ShardedNphdIndex"

    def open(self, path):
        return ShardedNphdIndex(max_dim=256, path=path, connectivity=LINKS, expansion_add=BUILD_EFFORT)

    def save(self, path):
        self.index.save()

    def size(self, path):
        return sum(entry.stat().st_size for entry in os.scandir(path) if entry.name.endswith(".usearch"))


SYSTEMS = {"faiss-hnsw": FaissHnsw, "faiss-flat": FaissFlat, "nphd": Nphd, "sharded-nphd": ShardedNphd}



if __name__ == "__main__":
    turns.run(Codes(sys.argv[1]), [SYSTEMS[name]() for name in sys.argv[2:]], ("faiss-cpu", "iscc-usearch"))
