"""Functions that the tests of the parse pool let it call: one good, the others bad in all ways."""

from __future__ import annotations

import os
import time
from pathlib import Path


def upper(payload: bytes) -> bytes:
    return payload.upper()


def complain(payload: bytes) -> bytes:
    raise ValueError(payload.decode())


def eat(payload: bytes) -> bytes:
    return bytes(1 << 30)


def spin(payload: bytes) -> bytes:
    while True:
        pass


def sleep(payload: bytes) -> bytes:
    time.sleep(60)
    return b""


def die(payload: bytes) -> bytes:
    os.abort()


def write(payload: bytes) -> bytes:
    Path(payload.decode()).write_bytes(b"x" * 100)
    return b"written"


def pid(payload: bytes) -> bytes:
    return str(os.getpid()).encode()
