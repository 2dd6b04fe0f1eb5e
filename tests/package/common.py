"""What the tests against iscc-usearch share: a connection, codes, and files that the server may read."""

import os
import sys

import numpy as np
import psycopg
from loguru import logger

logger.remove()


def connect(conninfo):
    connection = psycopg.connect(conninfo, autocommit=True)
    connection.execute("SET client_min_messages = error")
    return connection


def array(code):
    return np.frombuffer(code, dtype=np.uint8)


def readable(path):
    """Lets the server's user read what this one has written: the package makes files for its own user only."""
    os.chmod(path, 0o755 if os.path.isdir(path) else 0o644)
    if os.path.isdir(path):
        for name in os.listdir(path):
            readable(os.path.join(path, name))


def imported(connection, path):
    """What `usearch_import` returns: a dict of code by key, and the number of rows."""
    readable(path)
    rows = connection.execute("SELECT key, uuid, code::bytea FROM usearch_import(%s)", [str(path)]).fetchall()
    keys = [int(key) if key is not None else uuid.bytes for key, uuid, _ in rows]
    return dict(zip(keys, (code for _, _, code in rows))), len(rows)


def near_copies(random, count, lengths=(8, 16, 24, 32), groups=None):
    """Codes around centres, some equal, of mixed lengths: prefixes of 32 bytes."""
    centres = random.integers(0, 256, (groups or max(1, count // 20), 32), dtype=np.uint8)
    codes = []
    for _ in range(count):
        bits = np.unpackbits(centres[random.integers(len(centres))])
        flips = random.integers(0, 40)
        bits[random.integers(0, 256, flips)] ^= 1
        codes.append(np.packbits(bits).tobytes()[: random.choice(lengths)])
        if random.random() < 0.1 and len(codes) < count:
            codes.append(codes[-1])
    return codes[:count]


def nphd(query, codes):
    """Distances of a code to others, as the package computes them."""
    bits = np.unpackbits(array(query))
    answer = np.empty(len(codes))
    for n, code in enumerate(codes):
        length = min(len(code), len(query))
        answer[n] = (np.unpackbits(array(code[:length])) != bits[: 8 * length]).sum() / (8 * length)
    return answer


def fail(message):
    sys.exit(f"FAILED: {message}")
