"""FAISS, hnswlib, USearch and iscc-usearch on the vectors of a file, by cosine, in turns with the SQL systems (turns.py).

    vectors.py VECTORS SYSTEM...

VECTORS (little-endian): number of vectors, of queries and of dimensions (uint32), the vectors and the queries (float32), and
for each query the distance of the 10th nearest (float64).
"""

import os
import sys

import faiss
import hnswlib
import numpy as np
from iscc_usearch import ShardedIndex
from usearch.index import Index

import turns
from turns import BUILD_EFFORT, EFFORTS, LINKS, NEIGHBOURS


class Vectors:
    """Vectors and queries of the file, all of length 1."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.count, queries, self.dimensions = map(int, np.fromfile(file, "<u4", 3))
            table = np.fromfile(file, "<f4", self.dimensions * (self.count + queries))
            self.kth = np.fromfile(file, "<f8", queries)
        table = table.reshape(-1, self.dimensions)
        table /= np.linalg.norm(table, axis=1, keepdims=True)
        self.stored, self.queries = table[: self.count], table[self.count :]

    def query(self, number):
        return self.queries[number]


class Distances:
    """Systems that return cosine distances, for a vector as it is."""

    def prepare(self, query):
        return query

    def normalized(self, distances):
        return distances


class Faiss(Distances):
    """What both FAISS indexes have in common: the product of vectors of length 1."""

    def build(self, vectors, directory):
        faiss.omp_set_num_threads(os.cpu_count())
        self.index = self.empty(vectors.dimensions)
        self.index.add(vectors.stored)
        faiss.omp_set_num_threads(1)
        path = os.path.join(directory, "faiss")
        return lambda: (faiss.write_index(self.index, path), os.path.getsize(path))[1]

    def prepare(self, query):
        return query.reshape(1, -1)

    def search(self, query):
        return self.index.search(query, NEIGHBOURS)[0][0]

    def normalized(self, products):
        return 1 - products


class FaissHnsw(Faiss):
    name = "FAISS IndexHNSWFlat"
    settings = [("efSearch", effort) for effort in EFFORTS]

    def empty(self, dimensions):
        index = faiss.IndexHNSWFlat(dimensions, LINKS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = BUILD_EFFORT
        return index

    def set(self, effort):
        self.index.hnsw.efSearch = effort


class FaissFlat(Faiss):
    name = "FAISS IndexFlatIP"
    settings = [("exact", None)]

    def empty(self, dimensions):
        return faiss.IndexFlatIP(dimensions)

    def set(self, effort):
        pass


class Hnswlib(Distances):
    name = "hnswlib"
    settings = [("ef", effort) for effort in EFFORTS]

    def build(self, vectors, directory):
        self.index = hnswlib.Index("cosine", vectors.dimensions)
        self.index.init_index(vectors.count, M=LINKS, ef_construction=BUILD_EFFORT)
        self.index.add_items(vectors.stored)
        self.index.set_num_threads(1)
        path = os.path.join(directory, "hnswlib")
        return lambda: (self.index.save_index(path), os.path.getsize(path))[1]

    def set(self, effort):
        self.index.set_ef(effort)

    def search(self, query):
        return self.index.knn_query(query, NEIGHBOURS)[1][0]


class USearch(Distances):
    settings = [("expansion_search", effort) for effort in EFFORTS]

    def __init__(self, scalar):
        self.scalar, self.name = scalar, f"USearch {scalar}"

    def build(self, vectors, directory):
        path = os.path.join(directory, self.name)
        self.index = self.open(vectors.dimensions, path)
        self.index.add(np.arange(vectors.count), vectors.stored)
        return lambda: (self.save(path), self.size(path))[1]

    def open(self, dimensions, path):
        return Index(
            ndim=dimensions, metric="cos", dtype=self.scalar, connectivity=LINKS, expansion_add=BUILD_EFFORT
        )

    def save(self, path):
        self.index.save(path)

    def size(self, path):
        return os.path.getsize(path)

    def set(self, effort):
        self.index.expansion_search = effort

    def search(self, query):
        return self.index.search(query, NEIGHBOURS, threads=1).distances


class Sharded(USearch):
    def __init__(self, scalar):
        super().__init__(scalar)
        self.name = "iscc-usearch ShardedIndex"

    def open(self, dimensions, path):
        return ShardedIndex(ndim=dimensions, path=path, connectivity=LINKS, expansion_add=BUILD_EFFORT)

    def save(self, path):
        self.index.save()

    def size(self, path):
        return sum(entry.stat().st_size for entry in os.scandir(path) if entry.name.endswith(".usearch"))


SYSTEMS = {
    "faiss-flat": FaissFlat,
    "faiss-hnsw": FaissHnsw,
    "hnswlib": Hnswlib,
    "usearch-f32": lambda: USearch("f32"),
    "usearch-f16": lambda: USearch("f16"),
    "usearch-i8": lambda: USearch("i8"),
    "sharded": lambda: Sharded("f32"),
}

if __name__ == "__main__":
    packages = ("faiss-cpu", "hnswlib", "iscc-usearch", "usearch-iscc")
    turns.run(Vectors(sys.argv[1]), [SYSTEMS[name]() for name in sys.argv[2:]], packages)
