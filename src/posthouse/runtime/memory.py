"""Memory: how the C library keeps what we have freed.

Spec: mallopt(3).
"""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 16 * 1_048_576
_ARENAS = 2


def be_thrifty() -> None:
    """Have blocks above 16 MiB returned to the system as soon as they are free, and heaps be few.

    Left alone, glibc raises its own threshold at the first of them: each password hash takes
    19 MiB, and every thread that has made one would keep that much for good. It would also give
    every thread a heap of its own. Children inherit this.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # not glibc
        return
    mallopt(_M_ARENA_MAX, _ARENAS)
    mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _LARGE_BYTES)
