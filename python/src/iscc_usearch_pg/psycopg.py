"""psycopg 3: after `register(connection)`, codes are `bytes` in text and binary format, in arrays and in COPY.

Parameters may be bytes or numpy arrays: uint8 and bool for `bitvec`, floats for `real[]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import AsyncConnection, Connection, ProgrammingError
from psycopg.adapt import Buffer, Dumper, Loader
from psycopg.pq import Format
from psycopg.types import TypeInfo

from iscc_usearch_pg.codes import as_code, as_text, from_text

if TYPE_CHECKING:
    import numpy as np

REAL_OID = 700
REAL_ARRAY_OID = 1021


def register(connection: Connection[Any]) -> None:
    """Makes a connection know the type. The extension must exist in its database."""
    _register(connection, TypeInfo.fetch(connection, "bitvec"))


async def register_async(connection: AsyncConnection[Any]) -> None:
    """The same for an asynchronous connection."""
    _register(connection, await TypeInfo.fetch(connection, "bitvec"))


def _register(connection: Connection[Any] | AsyncConnection[Any], info: TypeInfo | None) -> None:
    if info is None:
        raise ProgrammingError("type bitvec not found: run CREATE EXTENSION iscc_usearch, or set the search_path")
    info.register(connection)
    adapters = connection.adapters
    for loader in (_TextLoader, _BinaryLoader):
        adapters.register_loader(info.oid, loader)
    for of_oid in (_TextDumper, _BinaryDumper):
        # For COPY with set_types. Elsewhere bytes stay bytea, which the server takes for a code where one is expected.
        adapters.register_dumper(None, type(of_oid.__name__, (of_oid,), {"oid": info.oid}))
    for of_array in (_ArrayTextDumper, _ArrayBinaryDumper):
        adapters.register_dumper("numpy.ndarray", type(of_array.__name__, (of_array,), {"oid": info.oid}))


class _TextLoader(Loader):
    format = Format.TEXT

    def load(self, data: Buffer) -> bytes:
        return from_text(bytes(data).decode())


class _BinaryLoader(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


class _TextDumper(Dumper):
    format = Format.TEXT

    def dump(self, obj: Any) -> Buffer:
        return as_text(obj).encode()


class _BinaryDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> Buffer:
        return as_code(obj)


class _ArrayDumper(Dumper):
    """Arrays of floats are `real[]`, all others codes: one class for each, which the type of the elements decides."""

    def get_key(self, obj: np.ndarray[Any, Any], format: Any) -> Any:
        return (self.cls, "real") if obj.dtype.kind == "f" else self.cls

    def upgrade(self, obj: np.ndarray[Any, Any], format: Any) -> Dumper:
        if obj.dtype.kind != "f":
            return self
        return _RealTextDumper(self.cls) if self.format == Format.TEXT else _RealBinaryDumper(self.cls)


class _ArrayTextDumper(_ArrayDumper):
    format = Format.TEXT

    def dump(self, obj: Any) -> Buffer:
        return as_text(obj).encode()


class _ArrayBinaryDumper(_ArrayDumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> Buffer:
        return as_code(obj)


class _RealTextDumper(Dumper):
    format = Format.TEXT
    oid = REAL_ARRAY_OID

    def dump(self, obj: np.ndarray[Any, Any]) -> Buffer:
        values = _vector(obj).tolist()
        return ("{" + ",".join(map(repr, values)) + "}").encode()


class _RealBinaryDumper(Dumper):
    format = Format.BINARY
    oid = REAL_ARRAY_OID

    def dump(self, obj: np.ndarray[Any, Any]) -> Buffer:
        import numpy as np

        vector = _vector(obj)
        # Dimensions, whether there are NULLs, the elements' type, length, first subscript; then length and value each.
        header = np.array([1, 0, REAL_OID, len(vector), 1], dtype=">i4")
        elements = np.empty(len(vector), dtype=[("length", ">i4"), ("value", ">f4")])
        elements["length"] = 4
        elements["value"] = vector
        return header.tobytes() + elements.tobytes()


def _vector(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    import numpy as np

    if array.ndim != 1:
        raise ValueError(f"a vector is an array of one dimension, not {array.ndim}")
    return array.astype(np.float32)
