"""Peewee: the field `BitvecField`, with methods for distances named as the functions of SQL. Values are bytes."""

from __future__ import annotations

from typing import Any

from peewee import Expression, Field, Value, fn

from iscc_usearch_pg.codes import as_text, from_text

__all__ = ["BitvecField"]


class BitvecField(Field):
    """`bitvec`, or `bitvec(bits)` for codes of at most that many bits.

    An index is `BitvecField(index=True, index_type="usearch")`, or one of `Model.index(…, using="usearch")`.
    """

    field_type = "BITVEC"

    def __init__(self, bits: int | None = None, **options: Any) -> None:
        self.bits = bits
        super().__init__(**options)

    def get_modifiers(self) -> list[int] | None:
        return None if self.bits is None else [self.bits]

    def db_value(self, value: Any) -> str | None:
        return None if value is None else as_text(value)

    def python_value(self, value: Any) -> bytes | None:
        return from_text(value) if isinstance(value, str) else value

    def _operator(self, symbol: str, other: Any) -> Expression:
        return Expression(self, symbol, self._code(other))

    def _code(self, value: Any) -> Any:
        return value if hasattr(value, "__sql__") else Value(as_text(value), converter=False).cast("bitvec")

    def nphd_distance(self, other: Any) -> Expression:
        """`field <~> other`: the fraction of the bits of the common prefix that differ."""
        return self._operator("<~>", other)

    def jaccard_distance(self, other: Any) -> Expression:
        """`field <%> other`: the Jaccard distance of the set bits."""
        # Its drivers read a percent sign as the beginning of a parameter.
        return self._operator("<%%>", other)

    def sorensen_distance(self, other: Any) -> Expression:
        """`field <%%> other`: the Sørensen-Dice distance of the set bits."""
        return self._operator("<%%%%>", other)

    def prefix_hamming_distance(self, other: Any) -> Expression:
        """`field <#~> other`: the number of bits of the common prefix that differ."""
        return self._operator("<#~>", other)

    def hamming_distance(self, other: Any) -> Any:
        """The number of bits that differ; codes of different lengths are an error."""
        return fn.hamming_distance(self, self._code(other))

    def nphd_within(self, other: Any, radius: Any) -> Any:
        """Whether the NPHD is at most `radius`, a fraction from 0 to 1."""
        return fn.nphd_within(self, self._code(other), radius)

    def hamming_within(self, other: Any, bits: Any) -> Any:
        """Whether the lengths are equal and at most `bits` bits differ."""
        return fn.hamming_within(self, self._code(other), bits)
