"""python behaviours.py CONNINFO DIRECTORY: what README, guides and tests of iscc-usearch 0.8.1 promise, done by the
package and by SQL. SQL must do all of it. Where the package does something else, `DIFFERENCES` says why; a difference
that is not there, and one there that no longer shows, is a failure."""

import sys
from pathlib import Path

from backends import ALL_ONES, KINDS, Package, Sql
from common import fail

Z, F = "00" * 16, "ff" * 16
# The first bytes are ones: 1/16, 1/8 and 1/4 from Z.
A, B, C = ("ff" * n + "00" * (16 - n) for n in (1, 2, 4))
SHARDED = [kind for kind in KINDS if kind != "single"]
NPHD = ["single", "nphd", "nphd128"]
ONES = "all ones"
ERROR = "error"


def numbered(n):
    """A code that is far from those of other numbers and from the ones above."""
    return "".join(f"{(n * 2654435761 + i * 40503 * (n + 7)) >> 7 & 255:02x}" for i in range(16))


MANY = list(range(100, 160))
MANY_CODES = [numbered(n) for n in MANY]
LONG = {"short": "5a" * 8, "middle": "5a" * 16, "long": "5a" * 16 + "a5" * 16}
ROTATED = [("add", 1, Z), ("add", 2, F), ("rotate",), ("add", 3, C)]

# Name, where it is promised, kinds of indexes, steps, and what the steps that return something return.
BEHAVIOURS = [
    ("search finds the nearest", "README", None, [("add", 1, Z), ("add", 2, F), ("search", Z, 2)], [[(0, 1), (1, 2)]]),
    ("search orders by distance", "test_nphd_search", None,
     [("add", 1, C), ("add", 2, A), ("add", 3, B), ("add", 4, Z), ("search", Z, 4)], [[(0, 4), (0.0625, 2), (0.125, 3), (0.25, 1)]]),
    ("search returns at most count", "test_nphd_search", None, [("add", 1, Z), ("add", 2, F), ("search", Z, 1)], [[(0, 1)]]),
    ("search returns what there is", "test_nphd_search", None, [("add", 1, Z), ("search", Z, 10)], [[(0, 1)]]),
    ("search of an empty index", "test_nphd_search", None, [("search", Z, 10)], [[]]),
    ("search without a count", "test_nphd_search", None, [("add", 1, Z), ("search", Z, 0)], [[]]),
    ("search with a negative count", "test_nphd_search", None, [("add", 1, Z), ("search", Z, -5)], [ERROR]),
    ("search of several codes", "test_sharded_search", None,
     [("add", 1, Z), ("add", 2, F), ("search_many", [Z, F, A], 1)], [[[(0, 1)], [(0, 2)], [(0.0625, 1)]]]),
    ("exact search", "test_nphd_search", None, [("add", 1, Z), ("add", 2, F), ("add", 3, A), ("search_exact", Z, 2)], [[(0, 1), (0.0625, 3)]]),
    ("a radius excludes what is farther", "api reference", None,
     [("add", 1, Z), ("add", 2, A), ("add", 3, F), ("search_within", Z, 10, 0.07)], [[(0, 1), (0.0625, 2)]]),
    ("a radius of nothing", "api reference", None, [("add", 1, A), ("add", 2, F), ("search_within", Z, 10, 0.01)], [[]]),
    ("a radius over shards", "test_sharded_search", SHARDED,
     [*ROTATED, ("search_within", Z, 10, 0.3)], [[(0, 1), (0.25, 3)]]),
    ("get", "README", None, [("add", 1, A), ("get", 1), ("get", 2)], [A, None]),
    ("contains", "README", None, [("add", 1, A), ("contains", 1), ("contains", 2)], [True, False]),
    ("count of a key", "test_sharded_count", None, [("add", 1, A), ("count", 1), ("count", 2)], [1, 0]),
    ("length", "README", None, [("len",), ("add_many", [1, 2, 3], [A, B, C]), ("len",)], [0, 3]),
    ("several keys at once", "README", None, [("add_many", [1, 2, 3], [A, B, C]), ("get", 1), ("get", 2), ("get", 3)], [A, B, C]),
    ("as many codes as keys", "test_index", None, [("add_many", [1, 2, 3], [A, B]), ("len",)], [ERROR, 0]),
    ("keys by number", "test_nphd_add", ["single", "nphd", "hamming"], [("add_auto", [A, B]), ("get", 1)], [[0, 1], B]),
    ("the keys", "test_sharded_keys", SHARDED, [*ROTATED, ("keys",)], [[1, 2, 3]]),
    ("keys and codes go together", "test_sharded_nphd_vectors", SHARDED, [*ROTATED, ("pairs",)], [[(1, Z), (2, F), (3, C)]]),
    ("the first code of a key stays", "api reference", None, [("add", 1, A), ("add", 1, B), ("get", 1), ("len",)], [A, 1]),
    ("the first code of a key stays over shards", "guide on sharding", SHARDED,
     [("add", 1, A), ("rotate",), ("add", 1, F), ("get", 1), ("search", Z, 9)], [A, [(0.0625, 1)]]),
    ("remove", "guide on upsert", None,
     [("add", 1, Z), ("add", 2, F), ("remove", 1), ("search", Z, 9), ("get", 1), ("contains", 1), ("len",)], [[(1, 2)], None, False, 1]),
    ("remove what is not there", "test_sharded_remove", None, [("add", 1, Z), ("remove", 9), ("len",)], [1]),
    ("remove twice", "test_sharded_remove", None, [("add", 1, Z), ("remove", 1), ("remove", 1), ("len",)], [0]),
    ("remove several", "test_sharded_remove", None,
     [("add_many", [1, 2, 3], [A, B, C]), ("remove_many", [1, 3, 9]), ("search", Z, 9)], [[(0.125, 2)]]),
    ("remove all", "test_sharded_remove", None, [("add", 1, Z), ("remove", 1), ("search", Z, 3), ("add", 2, A), ("search", Z, 3)], [[], [(0.0625, 2)]]),
    ("remove and add again", "test_sharded_remove", None, [("add", 1, Z), ("remove", 1), ("add", 1, F), ("get", 1), ("search", Z, 9)], [F, [(1, 1)]]),
    ("remove from an old shard", "test_sharded_remove", SHARDED,
     [*ROTATED, ("remove", 1), ("search", Z, 9), ("get", 1), ("contains", 1), ("count", 1), ("keys",)],
     [[(0.25, 3), (1, 2)], None, False, 0, [2, 3]]),
    ("length after a removal from an old shard", "test_sharded_remove", SHARDED, [*ROTATED, ("remove", 1), ("len",)], [2]),
    ("remove from an old shard and add again", "test_sharded_remove", SHARDED,
     [*ROTATED, ("remove", 1), ("add", 1, B), ("get", 1), ("search", Z, 9)], [B, [(0.125, 1), (0.25, 3), (1, 2)]]),
    ("a removal lasts", "test_sharded_remove", SHARDED, [*ROTATED, ("remove", 1), ("reopen",), ("contains", 1), ("search", Z, 9)], [False, [(0.25, 3), (1, 2)]]),
    ("a removal from the last shard lasts", "test_sharded_remove", SHARDED,
     [("add", 1, Z), ("add", 2, F), ("rotate",), ("remove", 1), ("reopen",), ("contains", 1), ("get", 1), ("search", Z, 9)],
     [False, None, [(1, 2)]]),
    ("upsert of a new key", "guide on upsert", None, [("upsert", 1, A), ("get", 1)], [A]),
    ("upsert of a key", "guide on upsert", None, [("add", 1, A), ("upsert", 1, F), ("get", 1), ("search", Z, 9), ("len",)], [F, [(1, 1)], 1]),
    ("upsert of the same code", "test_sharded_upsert", None, [("add", 1, A), ("upsert", 1, A), ("get", 1), ("len",)], [A, 1]),
    ("upsert of a key of an old shard", "test_sharded_upsert", SHARDED, [*ROTATED, ("upsert", 1, B), ("get", 1), ("search", Z, 9)], [B, [(0.125, 1), (0.25, 3), (1, 2)]]),
    ("upsert, and the shard gets old too", "guide on upsert", SHARDED,
     [*ROTATED, ("upsert", 1, B), ("rotate",), ("get", 1), ("search", Z, 9)], [B, [(0.125, 1), (0.25, 3), (1, 2)]]),
    ("upsert, and the shards are counted", "test_sharded_upsert", SHARDED, [*ROTATED, ("upsert", 1, B), ("rotate",), ("count", 1)], [1]),
    ("upsert, and the length", "test_sharded_upsert", SHARDED, [*ROTATED, ("upsert", 1, B), ("rotate",), ("len",)], [3]),
    ("the last of a batch wins", "test_sharded_upsert", SHARDED, [("upsert_many", [1, 1, 2], [A, F, B]), ("get", 1), ("len",)], [F, 2]),
    ("upsert of several", "test_sharded_upsert", SHARDED, [*ROTATED, ("upsert_many", [1, 9], [B, A]), ("pairs",)], [[(1, B), (2, F), (3, C), (9, A)]]),
    ("add once", "test_add_once", SHARDED, [("add_once", [1, 2], [A, B]), ("add_once", [2, 3], [F, C]), ("pairs",)], [[(1, A), (2, B), (3, C)]]),
    ("add once over shards", "test_add_once", SHARDED, [*ROTATED, ("add_once", [1, 9], [F, A]), ("pairs",)], [[(1, Z), (2, F), (3, C), (9, A)]]),
    ("the first of a batch wins", "test_add_once", SHARDED, [("add_once", [1, 1], [A, F]), ("pairs",)], [[(1, A)]]),
    ("search over shards", "guide on sharding", SHARDED, [*ROTATED, ("search", Z, 3)], [[(0, 1), (0.25, 3), (1, 2)]]),
    ("search of several codes over shards", "test_sharded_merge", SHARDED, [*ROTATED, ("search_many", [Z, F], 2)], [[[(0, 1), (0.25, 3)], [(0, 2), (0.75, 3)]]]),
    ("many shards", "guide on sharding", SHARDED,
     [("add", 1, A), ("rotate",), ("add", 2, B), ("rotate",), ("add", 3, C), ("rotate",), ("add", 4, F), ("search", Z, 4), ("get", 2)],
     [[(0.0625, 1), (0.125, 2), (0.25, 3), (1, 4)], B]),
    ("each of many is found", "README", None, [("add_many", MANY, MANY_CODES), ("search_many", MANY_CODES, 1)], [[[(0, n)] for n in MANY]]),
    ("each of many is found over shards", "README", SHARDED,
     [("add_many", MANY[:30], MANY_CODES[:30]), ("rotate",), ("add_many", MANY[30:], MANY_CODES[30:]), ("search_many", MANY_CODES, 1)],
     [[[(0, n)] for n in MANY]]),
    ("what was saved is there", "guide on persistence", None, [("add", 1, Z), ("add", 2, F), ("reopen",), ("search", Z, 9), ("get", 2)], [[(0, 1), (1, 2)], F]),
    ("what was saved in shards is there", "guide on persistence", SHARDED, [*ROTATED, ("reopen",), ("search", Z, 9), ("len",)], [[(0, 1), (0.25, 3), (1, 2)], 3]),
    ("it goes on after that", "guide on persistence", SHARDED, [*ROTATED, ("reopen",), ("add", 9, A), ("reopen",), ("pairs",)], [[(1, Z), (2, F), (3, C), (9, A)]]),
    ("what was added is there after a crash", "guide on persistence", None, [("add", 1, Z), ("save",), ("add", 2, F), ("crash",), ("keys",)], [[1, 2]]),
    ("nothing of a crash harms what was saved", "guide on persistence", None, [("add", 1, Z), ("save",), ("crash",), ("search", Z, 3)], [[(0, 1)]]),
    ("two writers", "guide on sharding", SHARDED, [("add", 1, Z), ("save",), ("add", 2, F), ("other_writer_adds", 3, A), ("keys",)], [[1, 2, 3]]),
    ("compact drops what was removed", "test_sharded_compact", SHARDED,
     [*ROTATED, ("remove", 1), ("compact",), ("pairs",), ("len",), ("search", Z, 9)], [[(2, F), (3, C)], 2, [(0.25, 3), (1, 2)]]),
    ("compact drops old codes", "test_sharded_compact", SHARDED,
     [*ROTATED, ("upsert", 1, B), ("rotate",), ("compact",), ("pairs",), ("count", 1), ("search", Z, 9)],
     [[(1, B), (2, F), (3, C)], 1, [(0.125, 1), (0.25, 3), (1, 2)]]),
    ("compact lasts", "test_sharded_compact", SHARDED, [*ROTATED, ("remove", 2), ("compact",), ("reopen",), ("pairs",)], [[(1, Z), (3, C)]]),
    ("compact of nothing", "test_sharded_compact", SHARDED, [("compact",), ("len",), ("add", 1, Z), ("search", Z, 1)], [0, [(0, 1)]]),
    ("reset", "test_sharded_reset", SHARDED, [*ROTATED, ("reset",), ("len",), ("search", Z, 9), ("add", 7, A), ("keys",)], [0, [], [7]]),
    ("a reset lasts", "test_sharded_reset", SHARDED, [*ROTATED, ("save",), ("reset",), ("reopen",), ("len",)], [0]),
    ("read-only", "test_sharded_read_only", SHARDED, [*ROTATED, ("read_only",), ("search", Z, 1), ("add", 9, A), ("remove", 1)], [[(0, 1)], ERROR, ERROR]),
    ("a key of ones is stored", "test_sharded_nphd_uuid", None, [("add", 1, F), ("add", ONES, Z), ("contains", ONES), ("get", ONES)], [True, Z]),
    ("a key of ones is found", "guide on 128-bit keys", None, [("add", 1, F), ("add", ONES, Z), ("search", Z, 1)], [[(0, ONES)]]),
    ("a great key", "test_sharded_nphd_uuid", ["nphd128", "hamming128"], [("add", 2**128 - 2, Z), ("search", Z, 1)], [[(0, 2**128 - 2)]]),
    ("a key from 2^63", "README", ["single", "nphd", "hamming"], [("add", 2**63 + 1, Z), ("search", Z, 1)], [[(0, 2**63 + 1)]]),
    ("lengths are mixed", "guide on variable lengths", NPHD,
     [("add", 1, LONG["short"]), ("add", 2, LONG["long"]), ("search", LONG["middle"], 9), ("get", 1), ("get", 2)],
     [[(0, 1), (0, 2)], LONG["short"], LONG["long"]]),
    ("the common prefix counts", "explanation of NPHD", NPHD,
     [("add", 1, "ff" * 8), ("add", 2, "ff" * 8 + "00" * 24), ("search", "ff" * 7 + "00", 9), ("search", "ff" * 16, 9)],
     [[(0.125, 1), (0.125, 2)], [(0, 1), (0.5, 2)]]),
    ("a short query", "README", NPHD, [("add", 1, LONG["long"]), ("search", "5a" * 8, 1)], [[(0, 1)]]),
    ("lengths are mixed over shards", "test_sharded_nphd", ["nphd", "nphd128"],
     [("add", 1, LONG["short"]), ("rotate",), ("add", 2, LONG["long"]), ("search", LONG["middle"], 9), ("pairs",)],
     [[(0, 1), (0, 2)], [(1, LONG["short"]), (2, LONG["long"])]]),
    ("upsert to another length", "test_sharded_crud_nphd", ["nphd", "nphd128"],
     [("add", 1, LONG["short"]), ("upsert", 1, LONG["long"]), ("get", 1)], [LONG["long"]]),
    ("a batch of lengths", "test_nphd_add", NPHD, [("add_many", [1, 2], [LONG["short"], LONG["long"]]), ("get", 2)], [LONG["long"]]),
    ("upsert of a batch of lengths", "guide on upsert", NPHD,
     [("upsert_many", [1, 2], [LONG["short"], LONG["long"]]), ("get", 1), ("get", 2)], [LONG["short"], LONG["long"]]),
    ("a code that is too long", "guide on variable lengths", NPHD, [("add", 1, "5a" * 40), ("len",)], [ERROR, 0]),
    ("equal codes", "test_sharded_search", None, [("add_many", [1, 2, 3], [A, A, A]), ("search", A, 3)], [[(0, 1), (0, 2), (0, 3)]]),
    ("neighbours of many equal codes", "README", None,
     [("add_many", list(range(1000, 1300)), [A] * 300), ("add_many", MANY, MANY_CODES), ("search_many", MANY_CODES, 1)],
     [[[(0, n)] for n in MANY]]),
    ("equal codes over shards", "test_sharded_merge", SHARDED,
     [("add_many", [1, 2], [A, A]), ("rotate",), ("add", 3, A), ("search", A, 9)], [[(0, 1), (0, 2), (0, 3)]]),
    ("at most count over shards", "test_sharded_merge", SHARDED, [*ROTATED, ("search", Z, 2)], [[(0, 1), (0.25, 3)]]),
    ("exact search over shards", "test_sharded_search", SHARDED, [*ROTATED, ("search_exact", Z, 9)], [[(0, 1), (0.25, 3), (1, 2)]]),
    ("get over shards", "test_sharded_get", SHARDED, [*ROTATED, ("get", 1), ("get", 3), ("get", 9)], [Z, C, None]),
    ("contains over shards", "test_sharded_contains", SHARDED, [*ROTATED, ("contains", 1), ("contains", 3), ("contains", 9)], [True, True, False]),
    ("count over shards", "test_sharded_count", SHARDED, [*ROTATED, ("count", 1), ("count", 9)], [1, 0]),
    ("contains after that", "test_sharded_load", SHARDED, [*ROTATED, ("reopen",), ("contains", 1), ("contains", 3), ("contains", 9)], [True, True, False]),
    ("the keys after a removal", "test_sharded_crud_coverage", SHARDED, [*ROTATED, ("remove", 3), ("keys",), ("remove", 2), ("keys",)], [[1, 2], [1]]),
    ("codes after upsert", "test_sharded_crud_coverage", SHARDED, [*ROTATED, ("upsert", 2, A), ("pairs",)], [[(1, Z), (2, A), (3, C)]]),
    ("remove all of an old shard", "test_sharded_compact", SHARDED,
     [*ROTATED, ("remove_many", [1, 2]), ("compact",), ("pairs",), ("search", Z, 9), ("reopen",), ("pairs",)], [[(3, C)], [(0.25, 3)], [(3, C)]]),
    ("upsert, remove, add", "test_sharded_crud_nphd", SHARDED,
     [*ROTATED, ("upsert", 1, A), ("remove", 1), ("contains", 1), ("add", 1, B), ("get", 1), ("pairs",)], [False, B, [(1, B), (2, F), (3, C)]]),
    ("it goes on after compact", "test_sharded_compact", SHARDED,
     [*ROTATED, ("remove", 1), ("compact",), ("add", 4, A), ("rotate",), ("add", 1, Z), ("search", Z, 9)], [[(0, 1), (0.0625, 4), (0.25, 3), (1, 2)]]),
    ("keys by number go on", "test_sharded_add", ["nphd", "hamming"], [("add_auto", [A]), ("add_auto", [B, C]), ("keys",)], [[0], [1, 2], [0, 1, 2]]),
    ("a code twice in a table of keys", "test_nphd_get", None, [("add", 1, A), ("add", 2, A), ("get", 1), ("get", 2)], [A, A]),
]

ALL = tuple(KINDS)
SHARDS = tuple(SHARDED)
# What the package does otherwise: kinds, and why.
DIFFERENCES = {
    "search without a count": (ALL, "LIMIT 0 is no rows; the package raises an error: a convention"),
    "a radius excludes what is farther": (ALL, "the package ignores `radius` as long as all is in memory"),
    "a radius of nothing": (ALL, "the package ignores `radius` as long as all is in memory"),
    "the first code of a key stays over shards": (SHARDS, "`add` looks into the newest shard only: the key has two codes then"),
    "a removal from the last shard lasts": (SHARDS, "reopened, the last shard is the newest one again, and brings removed keys back"),
    "upsert, and the shard gets old too": (SHARDS, "codes of old shards come back, beside the new one"),
    "upsert, and the shards are counted": (SHARDS, "codes of old shards are counted, too"),
    "upsert, and the length": (SHARDS, "codes of old shards are counted, too"),
    "what was added is there after a crash": (ALL, "what was not saved is lost: documented"),
    "two writers": (SHARDS, "the last one to save overwrites what the other has saved"),
    "a reset lasts": (SHARDS, "the files stay: documented"),
    "a key of ones is stored": (("nphd", "hamming"), "the Bloom filter takes no such key"),
    "a key of ones is found": (ALL, "the key marks removed entries"),
    "a key from 2^63": (("nphd", "hamming"), "the Bloom filter takes no such key"),
    "upsert of a batch of lengths": (("single",), "documented: one length per batch"),
    "a code that is too long": (NPHD, "the package cuts it without a word"),
}
# Run by run: its graph may miss some.
SOMETIMES = {"neighbours of many equal codes", "each of many is found", "each of many is found over shards"}


def translate(value, ones):
    if isinstance(value, (list, tuple)):
        return type(value)(translate(one, ones) for one in value)
    return ones if value == ONES and isinstance(value, str) else value


def play(backend, steps):
    """What the steps return, those that fail too."""
    answers = []
    for name, *arguments in steps:
        try:
            answer = getattr(backend, name)(*arguments)
        except Exception:  # noqa: BLE001: whatever it is, the promise says only that there is one
            answers.append(ERROR)
            continue
        if answer is not None or name == "get":
            answers.append(answer)
    return answers


def main(conninfo, root):
    done, equal, failures, shown = 0, 0, [], {}
    for name, source, kinds, steps, expected in BEHAVIOURS:
        for kind in kinds or KINDS:
            ones = ALL_ONES[KINDS[kind][2]]
            steps_here, expected_here = translate(steps, ones), translate(expected, ones)
            results = []
            for make in (lambda: Sql(kind, conninfo), lambda: Package(kind, root)):
                backend = make()
                results.append(play(backend, steps_here))
                backend.close()
            done += 1
            sql, package = results
            if sql != expected_here:
                failures.append(f"{name} ({source}), {kind}: SQL does {sql}, not {expected_here}")
            differs = package != expected_here
            equal += not differs
            is_known = kind in DIFFERENCES.get(name, ((), ""))[0]
            if differs and is_known:
                shown.setdefault(name, []).append(kind)
            elif differs and name not in SOMETIMES:
                failures.append(f"{name} ({source}), {kind}: the package does {package}, not {expected_here}")
            elif differs:
                print(f"this time: {name}, {kind}: the package's graph has missed some")
            elif is_known:
                failures.append(f"{name} ({source}), {kind}: the package does this now: take it out of the list")
    for name, where in shown.items():
        print(f"differs: {name} ({', '.join(where)}): {DIFFERENCES[name][1]}")
    print(f"{len(BEHAVIOURS)} behaviours, {done} with each kind of index: SQL does all as promised, the package {equal}")
    if failures:
        fail("\n".join(["", *failures]))


main(sys.argv[1], Path(sys.argv[2]))
