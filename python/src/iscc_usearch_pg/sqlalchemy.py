"""SQLAlchemy 2: the type `BITVEC`, with methods for distances named as the functions of SQL.

Importing this module also makes reflection know the type. Values are bytes, with each driver.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Double, Integer, func, literal
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeEngine, UserDefinedType

from iscc_usearch_pg.codes import as_text, from_text

__all__ = ["BITVEC"]


class _Comparator(UserDefinedType.Comparator[bytes]):
    def _operator(self, symbol: str, other: Any) -> ColumnElement[float]:
        return self.expr.op(symbol, return_type=Double())(_code(other))

    def nphd_distance(self, other: Any) -> ColumnElement[float]:
        """`column <~> other`: the fraction of the bits of the common prefix that differ."""
        return self._operator("<~>", other)

    def jaccard_distance(self, other: Any) -> ColumnElement[float]:
        """`column <%> other`: the Jaccard distance of the set bits."""
        return self._operator("<%>", other)

    def sorensen_distance(self, other: Any) -> ColumnElement[float]:
        """`column <%%> other`: the Sørensen-Dice distance of the set bits."""
        return self._operator("<%%>", other)

    def prefix_hamming_distance(self, other: Any) -> ColumnElement[float]:
        """`column <#~> other`: the number of bits of the common prefix that differ."""
        return self._operator("<#~>", other)

    def hamming_distance(self, other: Any) -> ColumnElement[int]:
        """The number of bits that differ; codes of different lengths are an error."""
        return func.hamming_distance(self.expr, _code(other), type_=Integer())

    def nphd_within(self, other: Any, radius: Any) -> ColumnElement[bool]:
        """Whether the NPHD is at most `radius`, a fraction from 0 to 1."""
        return func.nphd_within(self.expr, _code(other), radius, type_=Boolean())

    def hamming_within(self, other: Any, bits: Any) -> ColumnElement[bool]:
        """Whether the lengths are equal and at most `bits` bits differ."""
        return func.hamming_within(self.expr, _code(other), bits, type_=Boolean())


class BITVEC(UserDefinedType[bytes]):
    """`bitvec`, or `bitvec(bits)` for codes of at most that many bits."""

    cache_ok = True
    # A driver without the type sends text or bytes: the server hears which type is meant.
    render_bind_cast = True
    comparator_factory = _Comparator

    def __init__(self, bits: int | None = None) -> None:
        self.bits = bits

    @property
    def python_type(self) -> type[bytes]:
        return bytes

    def get_col_spec(self, **kw: Any) -> str:
        return "BITVEC" if self.bits is None else f"BITVEC({self.bits})"

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:
        return lambda value: None if value is None else as_text(value)

    def literal_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        # A colon would be taken for a parameter by some dialects; a cast by name never is.
        return lambda value: f"CAST('{as_text(value)}' AS {self.get_col_spec()})"

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], bytes | None]:
        # Bytes come from connections where the type is registered, text from all others.
        return lambda value: from_text(value) if isinstance(value, str) else value

    def coerce_compared_value(self, op: OperatorType | None, value: Any) -> TypeEngine[Any]:
        # A query may be longer than the codes of the column.
        return BITVEC()


def _code(value: Any) -> Any:
    """Expressions stay what they are; anything else is a parameter that is a code."""
    return value if hasattr(value, "__clause_element__") or hasattr(value, "compile") else literal(value, BITVEC())


ischema_names["bitvec"] = BITVEC
