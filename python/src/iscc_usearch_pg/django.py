"""Django: the field, the index, the functions and lookups, and the operation that creates the extension.

`Image.objects.order_by(NphdDistance("phash", code))[:10]` finds the nearest codes,
`Image.objects.filter(phash__nphd_within=(code, 0.1))` all within a radius.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.postgres.indexes import PostgresIndex
from django.contrib.postgres.operations import CreateExtension
from django.core.exceptions import ValidationError
from django.db.models import BooleanField, Field, FloatField, Func, IntegerField, Lookup, Value

from iscc_usearch_pg.codes import as_code, as_text, from_text

__all__ = [
    "BitvecField",
    "CreateIsccUsearch",
    "HammingDistance",
    "HammingWithin",
    "JaccardDistance",
    "NphdDistance",
    "NphdWithin",
    "PrefixHammingDistance",
    "SorensenDistance",
    "UsearchIndex",
]


class CreateIsccUsearch(CreateExtension):
    """The operation of a migration that creates the extension."""

    def __init__(self) -> None:
        super().__init__("iscc_usearch")


class BitvecField(Field):
    """`bitvec`, or `bitvec(bits)` for codes of at most that many bits. Values are bytes."""

    description = "Binary code"
    empty_strings_allowed = False

    def __init__(self, *args: Any, bits: int | None = None, **options: Any) -> None:
        self.bits = bits
        super().__init__(*args, **options)

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        if self.bits is not None:
            options["bits"] = self.bits
        return name, path, args, options

    def db_type(self, connection: Any) -> str:
        return "bitvec" if self.bits is None else f"bitvec({self.bits})"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> bytes | None:
        return from_text(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return None if value is None else as_text(value)

    def to_python(self, value: Any) -> bytes | None:
        if value is None:
            return None
        try:
            return as_code(value)
        except (TypeError, ValueError) as why:
            raise ValidationError(str(why)) from why

    def value_to_string(self, obj: Any) -> str:
        value = self.value_from_object(obj)
        return "" if value is None else as_text(value)

    def formfield(self, **options: Any) -> Any:
        return super().formfield(**{"form_class": _BitvecFormField, **options})


class _BitvecFormField(forms.CharField):
    """A code as hexadecimal text."""

    def prepare_value(self, value: Any) -> Any:
        return as_text(value) if isinstance(value, bytes) else value

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values:
            return None
        try:
            return as_code(value)
        except (TypeError, ValueError) as why:
            raise ValidationError(str(why)) from why

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(self.prepare_value(initial)) != self.to_python(data))


class UsearchIndex(PostgresIndex):
    """An index of the access method usearch, with its storage parameters: `UsearchIndex(fields=…, name=…, m=24)`."""

    suffix = "usearch"
    parameters = ("m", "ef_construction", "shard_size", "rows")

    def __init__(
        self,
        *expressions: Any,
        m: int | None = None,
        ef_construction: int | None = None,
        shard_size: str | None = None,
        rows: str | None = None,
        **options: Any,
    ) -> None:
        self.m, self.ef_construction, self.shard_size, self.rows = m, ef_construction, shard_size, rows
        super().__init__(*expressions, **options)

    def _set(self) -> dict[str, Any]:
        values = {parameter: getattr(self, parameter) for parameter in self.parameters}
        return {parameter: value for parameter, value in values.items() if value is not None}

    def deconstruct(self) -> Any:
        path, expressions, options = super().deconstruct()
        return path, expressions, {**options, **self._set()}

    def get_with_params(self) -> list[str]:
        return [f"{parameter} = '{value}'" for parameter, value in self._set().items()]


def _code(value: Any) -> Any:
    """An expression stays what it is, F("field") for example; anything else is a code."""
    return value if hasattr(value, "resolve_expression") else Value(value, output_field=BitvecField())


class _Distance(Func):
    output_field = FloatField()

    def __init__(self, expression: Any, code: Any, **extra: Any) -> None:
        super().__init__(expression, _code(code), **extra)


class _OperatorDistance(_Distance):
    template = "(%(expressions)s)"


class NphdDistance(_OperatorDistance):
    """`a <~> b`: the fraction of the bits of the common prefix that differ."""

    arg_joiner = " <~> "


class JaccardDistance(_OperatorDistance):
    """`a <%> b`: the Jaccard distance of the set bits."""

    arg_joiner = " <%%> "


class SorensenDistance(_OperatorDistance):
    """`a <%%> b`: the Sørensen-Dice distance of the set bits."""

    arg_joiner = " <%%%%> "


class PrefixHammingDistance(_OperatorDistance):
    """`a <#~> b`: the number of bits of the common prefix that differ."""

    arg_joiner = " <#~> "


class HammingDistance(_Distance):
    """The number of bits that differ; codes of different lengths are an error."""

    function = "hamming_distance"
    output_field = IntegerField()


class _Within(Func):
    output_field = BooleanField()

    def __init__(self, expression: Any, code: Any, limit: Any, **extra: Any) -> None:
        limit = limit if hasattr(limit, "resolve_expression") else Value(limit)
        super().__init__(expression, _code(code), limit, **extra)


class NphdWithin(_Within):
    """Whether the NPHD is at most a fraction from 0 to 1."""

    function = "nphd_within"


class HammingWithin(_Within):
    """Whether the lengths are equal and at most this many bits differ."""

    function = "hamming_within"


class _WithinLookup(Lookup):
    """`field__nphd_within=(code, radius)`, where the code may be an expression."""

    function: type[_Within]
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        code, limit = self.rhs
        expression = self.function(self.lhs, code, limit)
        return compiler.compile(expression.resolve_expression(compiler.query))


@BitvecField.register_lookup
class _NphdWithin(_WithinLookup):
    lookup_name = "nphd_within"
    function = NphdWithin


@BitvecField.register_lookup
class _HammingWithin(_WithinLookup):
    lookup_name = "hamming_within"
    function = HammingWithin
