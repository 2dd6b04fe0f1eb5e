"""FAISS on the codes of `bench scale`, one query after the other on one thread: its exact index, and its graph.

    scale.py CODES QUERIES KINDS

CODES and QUERIES are files of codes of 32 bytes; the queries are of so many kinds, equally many of each. Prints JSON: for each
system what building took, and for each kind of queries the recall and the times in milliseconds. The graph has, for each kind,
the least efSearch that finds 0.99 of the ten nearest, or the greatest. It is left out where building would take too long.
"""

import json
import os
import sys
import time
from importlib.metadata import version

import faiss
import numpy as np

from turns import BUILD_EFFORT, EFFORTS, LINKS, NEIGHBOURS

WANTED = 0.99
MOST_FOR_GRAPH = 1_000_000
WARM_UP = 20


def searched(index, queries):
    """Distances of the ten nearest of each query, and times."""
    distances, times = [], []
    for query in queries[:WARM_UP]:
        index.search(query[None], NEIGHBOURS)
    for query in queries:
        start = time.perf_counter()
        distances.append(index.search(query[None], NEIGHBOURS)[0][0])
        times.append((time.perf_counter() - start) * 1000)
    return np.array(distances), times


def built(index, codes):
    faiss.omp_set_num_threads(os.cpu_count())
    start = time.perf_counter()
    index.add(codes)
    seconds = time.perf_counter() - start
    faiss.omp_set_num_threads(1)
    return seconds


def graph_search(index, queries, farthest):
    """The least effort that is enough, with recall and times."""
    for effort in EFFORTS:
        index.hnsw.efSearch = effort
        distances, times = searched(index, queries)
        recall = float(np.mean(distances <= farthest[:, None]))
        if recall >= WANTED:
            break
    return {"setting": f"efSearch {effort}", "recall": recall, "milliseconds": times}


def main(codes_path, queries_path, kinds):
    codes = np.fromfile(codes_path, np.uint8).reshape(-1, 32)
    queries = np.split(np.fromfile(queries_path, np.uint8).reshape(-1, 32), int(kinds))
    flat = faiss.IndexBinaryFlat(256)
    seconds = built(flat, codes)
    exact = [searched(flat, own) for own in queries]
    farthest = [distances[:, -1] for distances, _ in exact]
    systems = [
        {
            "system": "FAISS IndexBinaryFlat",
            "seconds": seconds,
            "kinds": [{"setting": "", "recall": 1.0, "milliseconds": times} for _, times in exact],
        }
    ]
    if len(codes) <= MOST_FOR_GRAPH:
        graph = faiss.IndexBinaryHNSW(256, LINKS)
        graph.hnsw.efConstruction = BUILD_EFFORT
        seconds = built(graph, codes)
        systems.append(
            {
                "system": "FAISS IndexBinaryHNSW",
                "seconds": seconds,
                "kinds": [graph_search(graph, own, far) for own, far in zip(queries, farthest)],
            }
        )
    json.dump({"version": version("faiss-cpu"), "systems": systems}, sys.stdout)


main(*sys.argv[1:])
