"""What a large block took is given back when it is free, in threads too."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import ctypes, os, threading
from posthouse.runtime.memory import be_thrifty
be_thrifty()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
def work():
    for _ in range(3):
        block = libc.malloc(20 << 20)
        ctypes.memset(block, 1, 20 << 20)
        libc.free(block)
    kept.append(resident() - before)
kept = []
before = resident()
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(kept[0])
"""


def test_a_thread_keeps_nothing_of_large_blocks():
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True, check=True
    )
    assert int(done.stdout) < 8 << 20
