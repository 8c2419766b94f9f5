"""The service supervisor's datagrams."""

from __future__ import annotations

import os
import socket

from posthouse.runtime import notify, privileges


def test_ready_is_one_datagram(tmp_path, monkeypatch):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        assert notify.notify(notify.READY, "MAINPID=7")
        assert sock.recv(100) == b"READY=1\nMAINPID=7"
    assert not notify.notify(notify.STOPPING)


def test_nobody_asked(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify.notify(notify.READY)


def test_watchdog_interval(monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert notify.watchdog_interval_s() == 15
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert notify.watchdog_interval_s() == 0


def test_nothing_to_drop():
    assert privileges.drop_root("") is False
