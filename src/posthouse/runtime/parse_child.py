"""A parser process: takes calls from its standard input (a socket), one by one, under limits.

Notes:
    Request: length of the name (2 octets), length of the payload (4), both. Answer: status (1; 0 is
    good), length (4), bytes. It ends when the socket does. It cannot write files, dump core or
    start processes; the kernel ends it at its limits.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import socket
import struct
import sys
import time
from typing import TYPE_CHECKING, Any

from posthouse.runtime.privileges import gain_nothing

if TYPE_CHECKING:
    from collections.abc import Callable

_REQUEST = struct.Struct(">HI")
_ANSWER = struct.Struct(">BI")
_DESCRIPTORS_MAX = 32


def main(settings: dict[str, Any]) -> None:
    """Serve calls until the socket ends.

    Args:
        settings: ``table`` (name to ``module:function``) and ``limits`` (``memory_bytes``,
            ``cpu_s``).
    """
    sock = socket.socket(fileno=os.dup(0))
    limits = settings["limits"]
    gain_nothing()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS_MAX, _DESCRIPTORS_MAX))
    resource.setrlimit(resource.RLIMIT_AS, (limits["memory_bytes"], limits["memory_bytes"]))
    functions: dict[str, Callable[[bytes], bytes]] = {}
    while True:
        head = _exactly(sock, _REQUEST.size)
        if not head:
            return
        name_size, payload_size = _REQUEST.unpack(head)
        name = _exactly(sock, name_size).decode()
        payload = _exactly(sock, payload_size)
        # The kernel counts the whole life of the process: move the line ahead for each call.
        used = int(time.process_time())
        resource.setrlimit(
            resource.RLIMIT_CPU, (used + limits["cpu_s"] + 1, resource.RLIM_INFINITY)
        )
        status, answer = 0, b""
        try:
            if name not in functions:
                module, _, function = settings["table"][name].partition(":")
                functions[name] = getattr(importlib.import_module(module), function)
            answer = functions[name](payload)
        except Exception as error:  # noqa: BLE001  whatever it is, it is told to the caller
            status, answer = 1, f"{type(error).__name__}: {error}"[:500].encode()
        del payload
        sock.sendall(_ANSWER.pack(status, len(answer)))
        sock.sendall(answer)


def _exactly(sock: socket.socket, size: int) -> bytes:
    """``size`` bytes; b"" when the socket ended."""
    if not size:
        return b""
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = sock.recv_into(view)
        if not count:
            return b""
        view = view[count:]
    return bytes(data)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
