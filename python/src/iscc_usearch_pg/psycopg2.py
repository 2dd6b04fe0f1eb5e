"""psycopg2: after `register(connection)`, codes are `bytes`, also in arrays.

Parameters may be bytes or numpy arrays: uint8 and bool for `bitvec`, floats for `real[]`.
"""

from __future__ import annotations

from typing import Any

import psycopg2
from psycopg2.extensions import AsIs, connection, cursor, new_array_type, new_type, register_adapter, register_type

from iscc_usearch_pg.codes import as_text, from_text


def register(connection: connection) -> None:
    """Makes a connection know the type. The extension must exist in its database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT oid, typarray FROM pg_type WHERE oid = to_regtype('bitvec')")
        row = cursor.fetchone()
    if row is None:
        raise psycopg2.ProgrammingError(
            "type bitvec not found: run CREATE EXTENSION iscc_usearch, or set the search_path"
        )
    code = new_type((row[0],), "BITVEC", _load)
    register_type(code, connection)
    register_type(new_array_type((row[1],), "BITVEC[]", code), connection)
    _register_numpy()


def _load(value: str | bytes | None, cursor: cursor) -> bytes | None:
    return from_text(value) if isinstance(value, str) else value


def _register_numpy() -> None:
    try:
        import numpy as np
    except ImportError:
        return
    # Of psycopg2 as a whole: it has no adapters of a connection.
    register_adapter(np.ndarray, _adapt)


def _adapt(array: Any) -> AsIs:
    if array.dtype.kind == "f":
        return AsIs("'{" + ",".join(map(repr, array.tolist())) + "}'::real[]")
    return AsIs("'" + as_text(array) + "'::bitvec")
