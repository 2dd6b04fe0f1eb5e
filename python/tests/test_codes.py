"""What is taken for a code."""

import uuid

import numpy as np
import pytest

from iscc_usearch_pg import as_code, as_text


@pytest.mark.parametrize(
    "value",
    [
        b"\xff\x80",
        bytearray(b"\xff\x80"),
        memoryview(b"\xff\x80"),
        "\\xff80",
        "0xFF80",
        "ff80",
        np.array([255, 128], np.uint8),
        np.array([1] * 9 + [0] * 7, bool),
    ],
)
def test_forms(value):
    assert as_code(value) == b"\xff\x80"
    assert as_text(value) == "\\xff80"


def test_uuid():
    value = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
    assert as_text(value) == "\\x00112233445566778899aabbccddeeff"


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (7, TypeError, "not int"),
        (None, TypeError, "not NoneType"),
        ([255], TypeError, "not list"),
        (np.array([1, 2]), TypeError, "not int64"),
        (np.array([0.5]), TypeError, "not float64"),
        (np.zeros((2, 2), np.uint8), ValueError, "not 2"),
        (np.zeros(9, bool), ValueError, "not 9 bits"),
        ("ff8", ValueError, "even number"),
        ("ISCC:KAD", ValueError, "not 'ISCC:KAD'"),
    ],
)
def test_anything_else_is_an_error(value, error, message):
    with pytest.raises(error, match=message):
        as_code(value)
