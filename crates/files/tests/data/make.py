"""Writes the files of this directory with iscc-usearch 0.8.1: python make.py DIRECTORY.

The code of a key has 8, 16 or 32 bytes, by the key, unless the index has codes of one length. Its bytes follow from the
key and a version; `read.rs` does the same calculation.
"""

import shutil
import sys
from pathlib import Path

import numpy as np
from iscc_usearch import NphdIndex, ShardedIndex, ShardedIndex128, ShardedNphdIndex, ShardedNphdIndex128
from usearch.index import Index, MetricKind, ScalarKind


def code(key, version=0, length=None):
    length = length or (8, 16, 32)[key % 3]
    return np.array([(key * 31 + version * 101 + i * 7) % 256 for i in range(length)], dtype=np.uint8)


def uuid(key):
    return bytes((key * 17 + i) % 251 for i in range(16))


def sharded(cls, name, key, **kwargs):
    """Keys 0 to 39; 5 and 7 removed from an old shard, 6 given another code, 3 removed and added again."""
    length = kwargs["ndim"] // 8 if "ndim" in kwargs else None
    path = root / name
    index = cls(path=path, shard_size=1500, connectivity=4, **kwargs)
    for n in range(40):
        index.add(key(n), code(n, length=length))
    index.remove(key(5))
    index.remove(key(7))
    index.upsert(key(6), code(6, 1, length))
    index.remove(key(3))
    index.add(key(3), code(3, 2, length))
    index.save()
    assert index.shard_count > 2
    (path / "bloom.isbf").unlink()


root = Path(sys.argv[1])
for old in root.glob("*"):
    if old.name != "make.py":
        shutil.rmtree(old) if old.is_dir() else old.unlink()
sharded(ShardedNphdIndex, "nphd64", int, max_dim=256)
sharded(ShardedNphdIndex128, "nphd128", uuid, max_dim=256)
sharded(ShardedIndex, "hamming64", int, ndim=128, metric=MetricKind.Hamming, dtype=ScalarKind.B1)
sharded(ShardedIndex128, "hamming128", uuid, ndim=128, metric=MetricKind.Hamming, dtype=ScalarKind.B1)

single = NphdIndex(max_dim=256, connectivity=4)
single.add(list(range(20)), [code(n) for n in range(20)])
single.remove([4, 11])
single.add(20, np.zeros(0, dtype=np.uint8))
single.add(2**64 - 2, code(9))
single.save(root / "single.usearch")
NphdIndex(max_dim=64).save(root / "none.usearch")
multi = Index(ndim=64, metric=MetricKind.Tanimoto, dtype=ScalarKind.B1, connectivity=4, multi=True)
for n in range(6):
    multi.add(n // 2, code(n, length=8))
multi.save(root / "multi.usearch")
vectors = Index(ndim=4, metric=MetricKind.Cos, dtype=ScalarKind.F32, connectivity=4)
vectors.add(1, np.ones(4, dtype=np.float32))
vectors.save(root / "vectors.usearch")
