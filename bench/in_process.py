"""FAISS and iscc-usearch on the codes of a file, in turns with the SQL systems.

    in_process.py CODES SYSTEM...

CODES (little-endian): number of codes and of queries (uint32), the codes and the queries (length in bytes, then 32 bytes
padded with zeros), and for each query the distance of the 10th nearest (float64). Prints a JSON line about the builds.
Each line `TURN BATCHES` on the standard input asks for one of so many batches of the queries at each setting, the next one
at the next setting, and is answered by `{}`; at the end of the input comes a JSON line with what was found, and in which
time. Building has all processors, searching one thread.
"""

import json
import os
import sys
import tempfile
import time
from importlib.metadata import version

import faiss
import numpy as np
from iscc_usearch import NphdIndex, ShardedNphdIndex
from loguru import logger

EFFORTS = [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024]
LINKS = 16
BUILD_EFFORT = 128
NEIGHBOURS = 10
EPSILON = 1e-6
WARM_UP_SECONDS = 0.1


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

    def batch(self, number, batches):
        """Numbers of the queries of a batch; batches are numbered in a circle."""
        size = len(self.kth) // batches
        first = number % batches * size
        return range(first, first + size)

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


class Curve:
    """One system at one setting."""

    def __init__(self, system, parameter, effort):
        self.system, self.parameter, self.effort = system, parameter, effort
        self.milliseconds, self.found = [], 0.0

    def run(self, codes, batch, batches):
        self.system.set(self.effort)
        start = time.perf_counter()
        for other in (number for i in range(1, batches) for number in codes.batch(batch + i, batches)):
            self.system.search(self.system.prepare(codes.query(other)))
            if time.perf_counter() - start > WARM_UP_SECONDS:
                break
        for number in codes.batch(batch, batches):
            query = self.system.prepare(codes.query(number))
            start = time.perf_counter()
            distances = self.system.search(query)
            self.milliseconds.append((time.perf_counter() - start) * 1000)
            near = self.system.normalized(distances) <= codes.kth[number] + EPSILON
            self.found += np.count_nonzero(near) / NEIGHBOURS

    def result(self):
        setting = self.parameter if self.effort is None else f"{self.parameter} {self.effort}"
        return {
            "system": self.system.name,
            "setting": setting,
            "recall": self.found / max(len(self.milliseconds), 1),
            "milliseconds": self.milliseconds,
        }


def answer(line):
    print(json.dumps(line), flush=True)


def main(path, names):
    logger.remove()
    codes = Codes(path)
    systems, builds = [SYSTEMS[name]() for name in names], []
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as directory:
        for system in systems:
            start = time.perf_counter()
            save = system.build(codes, directory)
            seconds = time.perf_counter() - start
            builds.append({"system": system.name, "seconds": seconds, "bytes": save()})
    packages = {name: version(name) for name in ("faiss-cpu", "iscc-usearch")}
    answer({"builds": builds, "packages": packages})
    curves = [Curve(system, *setting) for system in systems for setting in system.settings]
    for line in sys.stdin:
        turn, batches = map(int, line.split())
        for nth, curve in enumerate(curves):
            curve.run(codes, turn + nth, batches)
        answer({})
    answer([curve.result() for curve in curves])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
