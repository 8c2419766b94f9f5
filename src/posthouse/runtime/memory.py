"""Memory: how the C library keeps what we have freed.

Spec: mallopt(3).
"""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 16 * 1_048_576


def give_back_large_blocks() -> None:
    """Have blocks above 16 MiB returned to the system as soon as they are free.

    Left alone, glibc raises its own threshold at the first of them: each password hash takes
    19 MiB, and every thread that has made one would keep that much for good. Children inherit it.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # not glibc
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _LARGE_BYTES)
