"""Searches by libraries that run in process, in turns with the SQL systems.

Prints a JSON line about the builds. Each line `TURN BATCHES` on the standard input asks for one of so many batches of the
queries at each setting, the next one at the next setting, and is answered by `{}`; at the end of the input comes a JSON line
with what was found, and in which time. Building has all processors, searching one thread.

Rows have `count`, `query(number)`, and `kth`, the distance of the 10th nearest of each query. Systems have `name`,
`settings`, `build(rows, directory)`, which returns a function that saves the index and returns its size, `set(effort)`,
`prepare(query)`, `search(query)` and `normalized(distances)`.
"""

import json
import os
import sys
import tempfile
import time
from importlib.metadata import version

import numpy as np
from loguru import logger

EFFORTS = [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024]
LINKS = 16
BUILD_EFFORT = 128
NEIGHBOURS = 10
EPSILON = 1e-6
WARM_UP_SECONDS = 0.1


def numbers(rows, batch, batches):
    """Numbers of the queries of a batch; batches are numbered in a circle."""
    size = len(rows.kth) // batches
    first = batch % batches * size
    return range(first, first + size)


class Curve:
    """One system at one setting."""

    def __init__(self, system, parameter, effort):
        self.system, self.parameter, self.effort = system, parameter, effort
        self.milliseconds, self.found = [], 0.0

    def run(self, rows, batch, batches):
        self.system.set(self.effort)
        start = time.perf_counter()
        for other in (number for i in range(1, batches) for number in numbers(rows, batch + i, batches)):
            self.system.search(self.system.prepare(rows.query(other)))
            if time.perf_counter() - start > WARM_UP_SECONDS:
                break
        for number in numbers(rows, batch, batches):
            query = self.system.prepare(rows.query(number))
            start = time.perf_counter()
            distances = self.system.search(query)
            self.milliseconds.append((time.perf_counter() - start) * 1000)
            near = self.system.normalized(distances) <= rows.kth[number] + EPSILON
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


def run(rows, systems, packages):
    """Builds the systems' indexes of the rows, then asks queries as the input demands."""
    logger.remove()
    builds = []
    with tempfile.TemporaryDirectory(dir=os.path.dirname(sys.argv[1])) as directory:
        for system in systems:
            start = time.perf_counter()
            save = system.build(rows, directory)
            seconds = time.perf_counter() - start
            builds.append({"system": system.name, "seconds": seconds, "bytes": save()})
    answer({"builds": builds, "packages": {name: version(name) for name in packages}})
    curves = [Curve(system, *setting) for system in systems for setting in system.settings]
    for line in sys.stdin:
        turn, batches = map(int, line.split())
        for nth, curve in enumerate(curves):
            curve.run(rows, turn + nth, batches)
        answer({})
    answer([curve.result() for curve in curves])
