"""The two back ends of `behaviours.py`: iscc-usearch, and this extension. Both have the same methods. Keys are numbers
and codes hexadecimal; distances are fractions of bits."""

import shutil

import numpy as np
from common import array, connect
from iscc_usearch import NphdIndex, ShardedIndex, ShardedIndex128, ShardedNphdIndex, ShardedNphdIndex128
from usearch.index import MetricKind, ScalarKind

BITS = dict(ndim=128, metric=MetricKind.Hamming, dtype=ScalarKind.B1)
# Name: class, arguments, whether keys have 128 bits, operator class.
KINDS = {
    "single": (NphdIndex, dict(max_dim=256), False, "bitvec_nphd_ops"),
    "nphd": (ShardedNphdIndex, dict(max_dim=256), False, "bitvec_nphd_ops"),
    "nphd128": (ShardedNphdIndex128, dict(max_dim=256), True, "bitvec_nphd_ops"),
    "hamming": (ShardedIndex, BITS, False, "bitvec_hamming_ops"),
    "hamming128": (ShardedIndex128, BITS, True, "bitvec_hamming_ops"),
}
ALL_ONES = {False: 2**64 - 1, True: 2**128 - 1}


def rounded(rows):
    return sorted((round(float(distance), 5), key) for distance, key in rows)


class Package:
    """iscc-usearch."""

    def __init__(self, kind, root):
        self.kind = kind
        self.cls, self.arguments, self.wide, _ = KINDS[kind]
        self.is_sharded = kind != "single"
        self.path = root / "index" if self.is_sharded else root / "index.usearch"
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.unlink(missing_ok=True)
        self.open()

    def open(self, **more):
        if self.is_sharded:
            self.index = self.cls(path=self.path, **self.arguments, **more)
        else:
            self.index = self.cls(**self.arguments)
            if self.path.exists():
                self.index.load(str(self.path))

    def close(self):
        self.index = None

    def _key(self, n):
        return n.to_bytes(16, "big") if self.wide else n

    def _number(self, key):
        return int.from_bytes(bytes(key), "big") if self.wide else int(key)

    def _keys(self, numbers):
        return [self._key(n) for n in numbers]

    @staticmethod
    def _codes(codes):
        arrays = [array(bytes.fromhex(code)) for code in codes]
        return np.vstack(arrays) if len({len(a) for a in arrays}) == 1 else arrays

    def add(self, n, code):
        self.index.add(self._key(n), self._codes([code])[0])

    def add_many(self, numbers, codes):
        self.index.add(self._keys(numbers), self._codes(codes))

    def add_auto(self, codes):
        return [int(key) for key in np.atleast_1d(self.index.add(None, self._codes(codes)))]

    def add_once(self, numbers, codes):
        self.index.add_once(self._keys(numbers), self._codes(codes))

    def upsert(self, n, code):
        self.index.upsert(self._key(n), self._codes([code])[0])

    def upsert_many(self, numbers, codes):
        self.index.upsert(self._keys(numbers), self._codes(codes))

    def remove(self, n):
        self.index.remove(self._key(n))

    def remove_many(self, numbers):
        self.index.remove(self._keys(numbers))

    def _rows(self, matches):
        scale = 128 if "hamming" in self.kind else 1
        return rounded((d / scale, self._number(k)) for k, d in zip(matches.keys.tolist(), matches.distances.tolist()))

    def search(self, code, count, **more):
        return self._rows(self.index.search(self._codes([code])[0], count=count, **more))

    def search_exact(self, code, count):
        return self.search(code, count, exact=True)

    def search_within(self, code, count, radius):
        return self.search(code, count, radius=radius * (128 if "hamming" in self.kind else 1))

    def search_many(self, codes, count):
        answers = self.index.search(self._codes(codes), count=count)
        return [self._rows(answers[n]) for n in range(len(codes))]

    def distances(self, code, count):
        return [distance for distance, _ in self.search(code, count)]

    def get(self, n):
        code = self.index.get(self._key(n))
        return None if code is None else code.tobytes().hex()

    def contains(self, n):
        return bool(self.index.contains(self._key(n)))

    def count(self, n):
        return int(self.index.count(self._key(n)))

    def len(self):
        return len(self.index)

    def keys(self):
        return sorted(self._number(key) for key in self.index.keys)

    def pairs(self):
        codes = [code.tobytes().hex() for code in self.index.vectors]
        return sorted(zip((self._number(key) for key in self.index.keys), codes))

    def rotate(self):
        self.index._rotate_shard()

    def save(self):
        self.index.save() if self.is_sharded else self.index.save(str(self.path))

    def reopen(self):
        self.save()
        self.open()

    def crash(self):
        self.open()

    def compact(self):
        self.index.compact()

    def reset(self):
        self.index.reset()

    def read_only(self):
        self.save()
        self.open(read_only=True)

    def other_writer_adds(self, n, code):
        """Another process has opened the index before, adds an entry, and saves after this one."""
        other = Package.__new__(Package)
        other.__dict__.update(self.__dict__)
        other.open()
        self.save()
        other.add(n, code)
        other.save()
        self.open()


class Sql:
    """A table with a usearch index."""

    def __init__(self, kind, conninfo):
        _, _, self.wide, opclass = KINDS[kind]
        self.kind, self.conninfo = kind, conninfo
        self.operator = "<#~>" if "hamming" in kind else "<~>"
        # Keys of 64 bits are unsigned.
        key = "uuid" if self.wide else "numeric(20)"
        bits = 128 if "hamming" in kind else 256
        self.connection = connect(conninfo)
        self.sql("DROP TABLE IF EXISTS t")
        self.sql("DROP SEQUENCE IF EXISTS s")
        self.sql("CREATE SEQUENCE s MINVALUE 0")
        default = "gen_random_uuid()" if self.wide else "nextval('s')"
        self.sql(f"CREATE TABLE t (k {key} PRIMARY KEY DEFAULT {default}, code bitvec({bits}) NOT NULL)")
        self.sql(f"CREATE INDEX t_code ON t USING usearch (code {opclass})")
        self.settings()

    def settings(self):
        self.sql("SET enable_seqscan = off")
        self.sql("SET enable_sort = off")

    def close(self):
        self.connection.close()

    def sql(self, sql, *values):
        cursor = self.connection.execute(sql, values)
        return cursor.fetchall() if cursor.description else []

    def _key(self, n):
        return n if n is None or not self.wide else "{:032x}".format(n)

    def _number(self, key):
        return int(key.int if self.wide else key)

    @staticmethod
    def _code(code):
        return "\\x" + code

    def _unnested(self, numbers, codes):
        key = "uuid" if self.wide else "numeric"
        arguments = [[self._key(n) for n in numbers], [self._code(code) for code in codes]]
        return f"unnest(%s::{key}[], %s::text[]) WITH ORDINALITY AS u (k, code, n)", arguments

    def add(self, n, code):
        self.add_many([n], [code])

    def add_many(self, numbers, codes):
        rows, arguments = self._unnested(numbers, codes)
        self.sql(f"INSERT INTO t SELECT k, code::bitvec FROM {rows} ORDER BY n ON CONFLICT DO NOTHING", *arguments)

    def add_auto(self, codes):
        rows = "unnest(%s::text[]) WITH ORDINALITY AS u (code, n)"
        added = self.sql(
            f"INSERT INTO t (code) SELECT code::bitvec FROM {rows} ORDER BY n RETURNING k", [self._code(c) for c in codes]
        )
        return [self._number(key) for (key,) in added]

    add_once = add_many

    def upsert(self, n, code):
        self.upsert_many([n], [code])

    def upsert_many(self, numbers, codes):
        rows, arguments = self._unnested(numbers, codes)
        self.sql(
            f"INSERT INTO t SELECT DISTINCT ON (k) k, code::bitvec FROM {rows} ORDER BY k, n DESC "
            "ON CONFLICT (k) DO UPDATE SET code = excluded.code",
            *arguments,
        )

    def remove(self, n):
        self.sql("DELETE FROM t WHERE k = %s", self._key(n))

    def remove_many(self, numbers):
        key = "uuid" if self.wide else "numeric"
        self.sql(f"DELETE FROM t WHERE k = ANY (%s::{key}[])", [self._key(n) for n in numbers])

    def _rows(self, rows):
        scale = 128 if "hamming" in self.kind else 1
        return rounded((distance / scale, self._number(key)) for distance, key in rows)

    def search(self, code, count, condition="true", *values):
        sql = (
            f"SELECT code {self.operator} %s::bitvec, k FROM t WHERE {condition} "
            f"ORDER BY code {self.operator} %s::bitvec LIMIT %s"
        )
        return self._rows(self.sql(sql, self._code(code), *values, self._code(code), count))

    def search_exact(self, code, count):
        self.sql("SET iscc_usearch.search_mode = exact")
        rows = self.search(code, count)
        self.sql("RESET iscc_usearch.search_mode")
        return rows

    def search_within(self, code, count, radius):
        scale = 128 if "hamming" in self.kind else 1
        return self.search(code, count, f"code {self.operator} %s::bitvec <= %s", self._code(code), radius * scale)

    def search_many(self, codes, count):
        sql = (
            f"SELECT q.n, s.d, s.k FROM unnest(%s::text[]) WITH ORDINALITY AS q (code, n), LATERAL "
            f"(SELECT t.code {self.operator} q.code::bitvec AS d, k FROM t ORDER BY 1 LIMIT %s) AS s"
        )
        rows = self.sql(sql, [self._code(code) for code in codes], count)
        return [self._rows((d, k) for m, d, k in rows if m == n + 1) for n in range(len(codes))]

    def distances(self, code, count):
        return [distance for distance, _ in self.search(code, count)]

    def get(self, n):
        rows = self.sql("SELECT code::bytea FROM t WHERE k = %s", self._key(n))
        return rows[0][0].hex() if rows else None

    def contains(self, n):
        return self.get(n) is not None

    def count(self, n):
        return self.sql("SELECT count(*) FROM t WHERE k = %s", self._key(n))[0][0]

    def len(self):
        return self.sql("SELECT count(*) FROM t")[0][0]

    def keys(self):
        return sorted(self._number(key) for (key,) in self.sql("SELECT k FROM t"))

    def pairs(self):
        return sorted((self._number(key), code.hex()) for key, code in self.sql("SELECT k, code::bytea FROM t"))

    def rotate(self):
        self.sql("SELECT usearch_seal('t_code')")

    def save(self):
        pass

    def reopen(self):
        self.connection.close()
        self.connection = connect(self.conninfo)
        self.settings()

    def crash(self):
        pid = self.connection.info.backend_pid
        other = connect(self.conninfo)
        other.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
        other.close()
        self.reopen()

    def compact(self):
        self.sql("VACUUM t")
        self.sql("SELECT usearch_compact('t_code')")

    def reset(self):
        self.sql("TRUNCATE t")

    def read_only(self):
        self.sql("SET default_transaction_read_only = on")

    def other_writer_adds(self, n, code):
        other = Sql.__new__(Sql)
        other.__dict__.update(self.__dict__)
        other.connection = connect(self.conninfo)
        other.add(n, code)
        other.close()
