"""python round_trip.py CONNINFO DIRECTORY: what iscc-usearch writes is imported, what is exported it opens, searches and
changes. The directory is one where both may write."""

import sys
import uuid
from pathlib import Path

import numpy as np
from common import array, connect, fail, imported, near_copies, nphd
from iscc_usearch import NphdIndex, ShardedIndex, ShardedIndex128, ShardedNphdIndex, ShardedNphdIndex128
from usearch.index import Index, MetricKind, ScalarKind

connection = connect(sys.argv[1])
root = Path(sys.argv[2])
random = np.random.default_rng(13)


def number(n):
    """Keys from all over the range of 63 bits, not in order: the package's Bloom filter takes no others."""
    return (n * 0x9E3779B97F4A7C15 + 1) % 2**63


def wide(n):
    return (number(n) * 2 + n % 2).to_bytes(8, "big") + number(n + 7).to_bytes(8, "big")


def check_equal(what, got, rows, expected):
    if rows != len(got):
        fail(f"{what}: {rows} rows of {len(got)} keys")
    wrong = [key for key in expected.keys() | got.keys() if expected.get(key) != got.get(key)]
    if wrong:
        fail(f"{what}: {len(wrong)} keys differ, such as {[(key, got.get(key), expected.get(key)) for key in wrong[:3]]}")
    print(f"{what}: {rows} rows equal")


def changed(index, key, codes):
    """Adds, removes, gives new codes, removes and adds again; what the index must hold then."""
    model = {}
    for n, code in enumerate(codes):
        index.add(key(n), array(code))
        model[key(n)] = code
    for n in range(0, len(codes), 7):
        index.remove(key(n))
        del model[key(n)]
    for n in range(1, len(codes), 11):
        if n % 7:
            model[key(n)] = codes[-n - 1]
            index.upsert(key(n), array(codes[-n - 1]))
    for n in range(0, len(codes), 21):
        index.add(key(n), array(codes[n]))
        model[key(n)] = codes[n]
    return model


def own_content(index, keys):
    """What the package says of these keys."""
    answers = {}
    for key in keys:
        code = index.get(key)
        if code is not None:
            answers[key] = code.tobytes()
    return answers


def import_sharded(name, cls, key, lengths, **kwargs):
    path = root / name
    index = cls(path=path, shard_size=60_000, **kwargs)
    model = changed(index, key, near_copies(random, 1500, lengths))
    index.save()
    if index.shard_count < 3:
        fail(f"{name} has {index.shard_count} shards")
    check_equal(f"import of {name}, by the model", *imported(connection, path), model)
    # Reopened, the package has brought removed keys back that the last shard file held. They are not in the model.
    index = cls(path=path, **({"ndim": kwargs["ndim"], "metric": kwargs["metric"], "dtype": kwargs["dtype"]} if "ndim" in kwargs else {}))
    own = own_content(index, map(key, range(1500)))
    back = own.keys() - model.keys()
    check_equal(f"import of {name}, by the package", *imported(connection, path), {k: own[k] for k in own.keys() - back})
    if back:
        print(f"  the package has {len(back)} removed keys again")
    index.close()


def import_all():
    bits = dict(metric=MetricKind.Hamming, dtype=ScalarKind.B1)
    mixed, equal = (8, 16, 24, 32), (16,)
    import_sharded("nphd", ShardedNphdIndex, number, mixed, max_dim=256)
    import_sharded("nphd128", ShardedNphdIndex128, wide, mixed, max_dim=256)
    import_sharded("hamming", ShardedIndex, number, equal, ndim=128, **bits)
    import_sharded("hamming128", ShardedIndex128, wide, equal, ndim=128, **bits)
    import_sharded("rotated", ShardedNphdIndex, number, mixed, max_dim=256, background_rotation=True)
    for max_dim in (64, 256):
        index, model = NphdIndex(max_dim=max_dim), {}
        for n, code in enumerate(near_copies(random, 500, (8,))):
            index.add(2 * number(n), array(code))
            model[2 * number(n)] = code
        for n in range(0, 500, 3):
            index.remove(2 * number(n))
            del model[2 * number(n)]
        path = root / f"single{max_dim}.usearch"
        index.save(str(path))
        check_equal(f"import of a file of {max_dim} bits", *imported(connection, path), model)
    for metric in (MetricKind.Hamming, MetricKind.Tanimoto, MetricKind.Jaccard, MetricKind.Sorensen):
        index, model = Index(ndim=128, metric=metric, dtype=ScalarKind.B1), {}
        for n, code in enumerate(near_copies(random, 300, (16,))):
            index.add(number(n), array(code))
            model[number(n)] = code
        path = root / f"{metric.name}.usearch"
        index.save(str(path))
        check_equal(f"import of {metric.name}", *imported(connection, path), model)


def database_key(key):
    return key if isinstance(key, int) else uuid.UUID(bytes=key)


def load_table(table, key_type, opclass, rows, shard_size):
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute(f"CREATE TABLE {table} (k {key_type} PRIMARY KEY, code bitvec)")
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
        for key, code in rows.items():
            copy.write_row([str(database_key(key)), "\\x" + code.hex()])
    connection.execute(f"CREATE INDEX {table}_code ON {table} USING usearch (code {opclass}) WITH (shard_size = '{shard_size}')")
    # Rows that are dead, NULL, or of a transaction that was undone are not exported.
    connection.execute(f"INSERT INTO {table} SELECT k, code FROM {table} LIMIT 0")
    dead = next(iter(rows))
    connection.execute(f"DELETE FROM {table} WHERE k = %s", [database_key(dead)])
    del rows[dead]
    null = next(iter(rows))
    connection.execute(f"UPDATE {table} SET code = NULL WHERE k = %s", [database_key(null)])
    del rows[null]


def recall(index, model, queries, k=10):
    keys = list(model)
    codes = [model[key] for key in keys]
    found = 0
    for query in queries:
        exact = np.sort(nphd(query, codes))[k - 1]
        matches = index.search(array(query), count=k)
        answer = nphd(query, [model[key if isinstance(key, int) else bytes(key)] for key in matches.keys.tolist()])
        found += (answer <= exact).sum()
    return found / k / len(queries)


def export_and_change(name, cls, key, key_type, opclass, lengths, option="64MB", **kwargs):
    table, path = f"t_{name}", root / f"exported_{name}"
    codes = near_copies(random, 4000, lengths)
    codes[1000:1300] = [codes[0]] * 300
    model = {key(n): code for n, code in enumerate(codes)}
    load_table(table, key_type, opclass, model, option)
    count = connection.execute("SELECT usearch_export(%s, 'k', %s)", [f"{table}_code", str(path)]).fetchone()[0]
    if count != len(model):
        fail(f"export of {name}: {count} rows of {len(model)}")
    check_equal(f"import of the export of {name}", *imported(connection, path), model)
    index = cls(path=path, **kwargs)
    if len(index) != len(model):
        fail(f"{name}: the package finds {len(index)} of {len(model)}")
    check_equal(f"content by the package of {name}", own_content(index, model), len(model), model)
    queries = [codes[n] for n in range(0, 4000, 40)]
    measured = recall(index, model, queries)
    print(f"  {index.shard_count} shards, recall of the package at 10: {measured:.3f}")
    if measured < 0.95:
        fail(f"{name}: recall {measured}")
    # It goes on: adds, removes, gives new codes, and saves.
    new = near_copies(random, 600, lengths)
    for n, code in enumerate(new):
        index.add(key(10_000 + n), array(code))
        model[key(10_000 + n)] = code
    for n in range(1, 4000, 9):
        if key(n) in model:
            index.remove(key(n))
            del model[key(n)]
    for n in range(2, 4000, 9):
        if key(n) in model:
            index.upsert(key(n), array(new[n % 600]))
            model[key(n)] = new[n % 600]
    measured = recall(index, model, queries)
    print(f"  after changes {measured:.3f}")
    if measured < 0.95:
        fail(f"{name}: recall {measured} after changes")
    index.save()
    check_equal(f"import of {name} after the package has changed it", *imported(connection, path), model)


def export_all():
    mixed = (8, 16, 24, 32)
    one = dict(metric=MetricKind.Hamming, dtype=ScalarKind.B1, ndim=128)
    export_and_change("bigint", ShardedNphdIndex, number, "bigint", "bitvec_nphd_ops", mixed)
    export_and_change("small_shards", ShardedNphdIndex, number, "bigint", "bitvec_nphd_ops", mixed, "256kB", shard_size=300_000)
    export_and_change("uuid", ShardedNphdIndex128, wide, "uuid", "bitvec_nphd_ops", mixed)
    export_and_change("hamming", ShardedIndex, number, "bigint", "bitvec_hamming_ops", (16,), **one)
    export_and_change("hamming128", ShardedIndex128, wide, "uuid", "bitvec_hamming_ops", (16,), **one)
    # An ISCC-ID is exported by its body, also from 2041 on.
    path = root / "exported_ids"
    connection.execute("CREATE TABLE t_ids (id iscc_id PRIMARY KEY, code bitvec)")
    connection.execute("CREATE INDEX t_ids_code ON t_ids USING usearch (code)")
    bodies = {2**63 + 5: b"12345678", 17: b"87654321"}
    for body, code in bodies.items():
        signed = body - 2**64 if body >= 2**63 else body
        connection.execute("INSERT INTO t_ids VALUES (iscc_id(%s::bigint, 1), %s::bytea::bitvec)", [signed, code])
    connection.execute("SELECT usearch_export('t_ids_code', 'id', %s)", [str(path)])
    check_equal("export by iscc_id", *imported(connection, path), bodies)
    # The package's Bloom filter does not take keys from 2^63.
    index = ShardedNphdIndex(path=path, bloom_filter=False)
    check_equal("content by the package", own_content(index, bodies), 2, bodies)
    # No rows: the directory says what the codes are.
    path = root / "exported_none"
    connection.execute("DELETE FROM t_ids")
    connection.execute("SELECT usearch_export('t_ids_code', 'id', %s)", [str(path)])
    check_equal("export of no rows", *imported(connection, path), {})
    index = ShardedNphdIndex(path=path)
    index.add(5, array(b"12345678"))
    index.save()
    check_equal("an empty export after a row", *imported(connection, path), {5: b"12345678"})


import_all()
export_all()
print("all is equal")
