"""The supervisor and its children, killed, hung, restarted, reloaded and stopped. Run as a script it is the server."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from posthouse.model.errors import ConfigurationError
from posthouse.runtime import tls
from posthouse.runtime.binding import ListenerSpec
from posthouse.runtime.budget import Budget
from posthouse.runtime.children import run_child
from posthouse.runtime.clock import SystemClock
from posthouse.runtime.listener import Listener
from posthouse.runtime.logs import Log, LogWriter
from posthouse.runtime.metrics import Metrics
from posthouse.runtime.metrics_table import WORKER_DEATHS
from posthouse.runtime.supervisor import Plan, Supervisor

pytestmark = pytest.mark.faults


class Parrot:
    """Says its process id; dies, hangs or echoes on demand; at drain it waits for one more line."""

    def __init__(self):
        self.is_draining = False

    def connected(self, connection):
        self.connection = connection
        connection.set_deadline(None)
        connection.write(b"%d\r\n" % os.getpid())

    def data_received(self, data):
        if data == b"DIE\r\n":
            os._exit(3)
        if data == b"HANG\r\n":
            time.sleep(1000)
        self.connection.write(data)
        if self.is_draining:
            self.connection.close()

    def writable(self):
        pass

    def tls_started(self):
        pass

    def timed_out(self):
        pass

    def eof_received(self):
        self.connection.close()

    def connection_lost(self, *, was_clean):
        pass

    def drain(self):
        self.is_draining = True


def serve(directory, port, tls_port, hang_s, mode):
    metrics = Metrics(4)
    log = Log(LogWriter(2), SystemClock())
    certificate, key = directory / "server.pem", directory / "server.key"
    context = tls.server_context(certificate, key)

    async def main(life):
        log.attach(life.loop)
        budget = Budget()
        listeners = [
            Listener(
                *(life.loop, sock, spec.name, Parrot, context, spec.implicit_tls),
                *(budget, log, metrics),
            )
            for spec, sock in life.context.sockets
        ]
        life.on_reload.append(lambda: tls.load_certificate(context, certificate, key))
        for listener in listeners:
            listener.open()
        life.context.ready()
        await life.stopping.wait()
        for listener in listeners:
            await listener.drain(3.0)

    async def jobs(life):
        life.context.ready()
        await life.stopping.wait()

    def worker_main(child):
        metrics.bind(child.index)
        if mode == "no-start":
            raise KeyError("cannot start")
        run_child(child, main)

    def jobs_main(child):
        metrics.bind(child.index)
        run_child(child, jobs)

    plan = Plan(
        listeners=(
            ListenerSpec("pop3", "127.0.0.1", port, key="[pop3] listen"),
            ListenerSpec("pop3s", "127.0.0.1", tls_port, implicit_tls=True),
        ),
        workers=2,
        worker_main=worker_main,
        jobs_main=jobs_main,
        drain_s=4.0,
        hang_s=hang_s,
    )

    def on_ready(addresses):
        print(json.dumps({"ready": True, "ports": addresses}), flush=True)

    code = Supervisor(plan, log, metrics, SystemClock(), on_ready).run()
    print(json.dumps({"deaths": metrics.total(WORKER_DEATHS)}), flush=True)
    sys.exit(code)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])


class Server:
    def __init__(self, directory, port=0, tls_port=0, hang_s=30.0, mode="normal"):
        self.process = subprocess.Popen(
            [sys.executable, __file__, directory, str(port), str(tls_port), str(hang_s), mode],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        first = self.process.stdout.readline()
        self.ports = {}
        if "ports" in first:
            self.ports = {name: port for name, _, port in json.loads(first)["ports"]}

    def dial(self, name="pop3"):
        return socket.create_connection(("127.0.0.1", self.ports[name]), timeout=10)

    def greeting(self):
        """A connection and the pid of the worker that took it."""
        sock = self.dial()
        return sock, int(sock.recv(100))

    def end(self, number=signal.SIGTERM):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        return self.process.communicate(timeout=20)


@pytest.fixture
def server(tmp_path):
    started = []
    tls.make_authority_and_certificate(tmp_path, ["localhost"], SystemClock())

    def start(**more):
        started.append(Server(tmp_path, **more))
        return started[-1]

    yield start
    for one in started:
        if one.process.returncode is None:
            one.end(signal.SIGKILL)


def test_both_workers_serve_and_sigterm_drains(server):
    running = server()
    pids = {}
    while len(pids) < 2:
        sock, pid = running.greeting()
        if pid in pids:
            sock.close()
        else:
            pids[pid] = sock
    running.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            running.dial().close()
        except ConnectionResetError:
            continue  # met the listener while it closed; the next is refused
        except ConnectionRefusedError:
            break
    else:
        raise AssertionError("still accepting")
    for sock in pids.values():
        sock.sendall(b"last words\r\n")
        assert sock.recv(100) == b"last words\r\n"
        assert sock.recv(100) == b""
        sock.close()
    _, errors = running.process.communicate(timeout=10)
    assert running.process.returncode == 0, errors
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_sessions_that_do_not_leave_are_aborted(server):
    running = server()
    sock, _ = running.greeting()
    begun = time.monotonic()
    _, errors = running.end()
    assert running.process.returncode == 0, errors
    assert time.monotonic() - begun < 5.5
    with contextlib.suppress(ConnectionResetError):
        assert sock.recv(100) == b""
    sock.close()


def test_a_dead_worker_is_replaced_and_the_others_go_on(server):
    running = server()
    sock, pid = running.greeting()
    sock.sendall(b"DIE\r\n")
    with contextlib.suppress(ConnectionResetError):
        assert sock.recv(10) == b""
    sock.close()
    # Whoever lands on the dead worker's socket waits in the kernel until its successor is there.
    seen = set()
    for _ in range(20):
        again, other = running.greeting()
        seen.add(other)
        again.close()
    assert len(seen) == 2
    assert pid not in seen
    out, errors = running.end()
    assert running.process.returncode == 0
    died = [json.loads(line) for line in errors.splitlines() if '"child_died"' in line]
    assert [(one["child"], one["code"]) for one in died] == [(pid, 3)]
    assert json.loads(out) == {"deaths": 1}


def test_a_hung_worker_is_killed_and_replaced(server):
    running = server(hang_s=2.0)
    sock, pid = running.greeting()
    sock.sendall(b"HANG\r\n")
    with contextlib.suppress(ConnectionResetError):
        assert sock.recv(10) == b""
    sock.close()
    again, other = running.greeting()
    assert other != pid
    again.close()
    _, errors = running.end()
    assert "child_hung" in errors


def test_children_die_with_a_killed_supervisor_and_a_restart_binds_at_once(server):
    running = server()
    sock, pid = running.greeting()
    running.end(signal.SIGKILL)
    with contextlib.suppress(ConnectionResetError):
        assert sock.recv(10) == b""
    sock.close()
    begun = time.monotonic()
    second = server(port=running.ports["pop3"], tls_port=running.ports["pop3s"])
    assert second.ports == running.ports
    assert time.monotonic() - begun < 3
    again, other = second.greeting()
    assert other != pid
    again.close()
    second.end()
    assert second.process.returncode == 0


def test_tickets_resume_in_every_worker_and_a_reload_changes_the_certificate(server, tmp_path):
    running = server()
    context = tls.client_context(tmp_path / "ca.pem")

    def shake(session=None):
        sock = context.wrap_socket(
            running.dial("pop3s"), server_hostname="localhost", session=session
        )
        pid = int(sock.recv(100))  # reading takes in the ticket
        result = pid, sock.session_reused, sock.session, sock.getpeercert()["serialNumber"]
        sock.close()
        return result

    _, _, session, serial = shake()
    resumed = set()
    for _ in range(40):
        pid, was_reused, session, _ = shake(session)
        assert was_reused
        resumed.add(pid)
        if len(resumed) == 2:
            break
    assert len(resumed) == 2
    tls.make_authority_and_certificate(tmp_path, ["localhost"], SystemClock())
    running.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 5
    fresh = {}
    while len(fresh) < 2 and time.monotonic() < deadline:
        pid, _, _, found = shake()
        if found != serial:
            fresh[pid] = found
    assert len(fresh) == 2
    assert len(set(fresh.values())) == 1
    running.end()


def test_a_taken_port_names_key_and_remedy(server, monkeypatch):
    monkeypatch.setattr("posthouse.runtime.binding._TAKEN_WAIT_S", 0.1)
    running = server()
    spec = ListenerSpec("pop3", "127.0.0.1", running.ports["pop3"], key="[pop3] listen")
    plan = Plan((spec,), 1, lambda child: None)
    log = Log(LogWriter(2), SystemClock())
    supervisor = Supervisor(plan, log, Metrics(2), SystemClock(), lambda ports: None)
    with pytest.raises(ConfigurationError, match=r"\[pop3\] listen: .*another program"):
        supervisor.run()
    running.end()


def test_a_child_that_cannot_start_ends_it_all(server):
    running = server(mode="no-start")
    _, errors = running.process.communicate(timeout=10)
    assert running.process.returncode == 1
    assert "cannot start" in errors
    assert "child_did_not_start" in errors


@pytest.mark.parametrize(
    ("host", "remedy"), [("mail.example.org", "give an IPv4"), ("192.0.2.77", "no such address")]
)
def test_bad_addresses_name_the_remedy(host, remedy):
    plan = Plan((ListenerSpec("smtp", host, 0, key="[smtp] listen"),), 1, lambda child: None)
    log = Log(LogWriter(2), SystemClock())
    with pytest.raises(ConfigurationError, match=remedy):
        Supervisor(plan, log, Metrics(2), SystemClock(), lambda ports: None).run()


def test_ipv6_and_ipv4_may_share_a_port():
    from posthouse.runtime import binding

    try:
        rows = binding.bind_all([ListenerSpec("pop3", "::1", 0)], 2)
    except ConfigurationError:
        pytest.skip("no IPv6 here")
    ports = {sock.getsockname()[1] for row in rows for _, sock in row}
    assert len(ports) == 1
    both = binding.bind_all([ListenerSpec("pop3", "0.0.0.0", ports.pop())], 1)
    binding.close_all(rows)
    binding.close_all(both)
