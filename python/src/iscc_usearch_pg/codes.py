"""Codes: what is taken for one, and their text form."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TypeAlias

    import numpy as np

    Code: TypeAlias = bytes | bytearray | memoryview | str | uuid.UUID | np.ndarray[Any, Any]
else:
    Code = object


def as_code(value: Code) -> bytes:
    """The bytes of a code.

    A code is given as bytes, as hexadecimal text (with or without `\\x` or `0x`), as a UUID, or as a numpy array of one
    dimension: of type uint8 (the bytes) or bool (the bits, the most significant first; a multiple of 8).
    """
    if isinstance(value, bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str):
        return from_text(value)
    if isinstance(value, uuid.UUID):
        return value.bytes
    if type(value).__module__ == "numpy" and hasattr(value, "dtype"):
        return _from_array(value)
    kind = type(value).__name__
    raise TypeError(f"a code is bytes, hexadecimal text, a UUID or an array of uint8 or bool, not {kind}")


def _from_array(value: np.ndarray[Any, Any]) -> bytes:
    import numpy as np

    if value.ndim != 1:
        raise ValueError(f"a code is an array of one dimension, not {value.ndim}")
    if value.dtype == np.uint8:
        return value.tobytes()
    if value.dtype != np.bool_:
        raise TypeError(f"a code is an array of uint8 or bool, not {value.dtype}")
    if len(value) % 8:
        raise ValueError(f"a code has whole bytes, not {len(value)} bits")
    return np.packbits(value).tobytes()


def as_text(value: Code) -> str:
    """The text form of a code, `\\xff80…`."""
    return "\\x" + as_code(value).hex()


def from_text(text: str) -> bytes:
    """The bytes of a code in text form; the `\\x` may be missing, or be `0x`."""
    digits = text[2:] if text[:2] in ("\\x", "0x") else text
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise ValueError(f"a code is an even number of hexadecimal digits, not {text[:40]!r}") from None
