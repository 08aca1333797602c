#!/usr/bin/env python3
"""Clients whose last bytes and whose end arrive together, or whose bytes have no end: the daemon sees it.

usage: ends.py VHDD

The daemon is stopped while they send, so that it finds all of it at once.
"""

import contextlib
import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "model"))
from daemon import Daemon  # noqa: E402

SOON = 5  # seconds; what nobody notices is closed after 15 at the earliest
TICKS = os.sysconf("SC_CLK_TCK")
FAILED = []


@contextlib.contextmanager
def stopped(daemon):
    daemon.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, daemon.process.pid, os.WSTOPPED)
    try:
        yield
    finally:
        daemon.process.send_signal(signal.SIGCONT)


def connect(daemon, family):
    peer = socket.socket(family)
    peer.settimeout(60)
    peer.connect(daemon.socket if family == socket.AF_UNIX else ("127.0.0.1", daemon.port))
    return peer


def head(method, path, *lines):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


def ask(daemon, method, path, body=b""):
    with connect(daemon, socket.AF_UNIX) as peer:
        peer.sendall(head(method, path, f"Content-Length: {len(body)}", "Connection: close") + body)
        return until_end(peer)


def until_end(peer):
    answer = b""
    with contextlib.suppress(ConnectionError):
        while piece := peer.recv(65536):
            answer += piece
    return answer


def send_and_end(daemon, family, request, leave=False):
    """Answers what came, and after how many seconds the connection had ended."""
    with connect(daemon, family) as peer:
        peer.sendall(head("GET", "/healthz"))
        peer.recv(65536)  # it has been accepted
        with stopped(daemon):
            peer.sendall(request)
            peer.shutdown(socket.SHUT_WR)
            if leave:
                peer.close()
        begin = time.monotonic()
        return (b"" if leave else until_end(peer)), time.monotonic() - begin


def expect(ok, text):
    if not ok:
        FAILED.append(text)
        print("FAILED:", text)


def a_whole_request_is_answered_and_its_connection_ends(daemon, family):
    answer, seconds = send_and_end(daemon, family, head("GET", "/v1/images/disk"))
    expect(answer.startswith(b"HTTP/1.1 200 "), f"answered with {answer[:40]!r}")
    expect(seconds < SOON, f"the connection ended after {seconds:.1f} s")


def two_requests_are_answered(daemon, family):
    request = head("GET", "/v1/images/disk")
    answer, seconds = send_and_end(daemon, family, request + request)
    expect(answer.count(b"HTTP/1.1 200 ") == 2, f"answered with {answer!r}")
    expect(seconds < SOON, f"the connection ended after {seconds:.1f} s")


def half_a_head_ends_its_connection(daemon, family):
    answer, seconds = send_and_end(daemon, family, b"GET /v1/images/disk HTTP/1.1\r\nHost: lo")
    expect(answer == b"", f"answered with {answer!r}")
    expect(seconds < SOON, f"the connection ended after {seconds:.1f} s")


def who_leaves_in_an_upload_is_in_nobodys_way(daemon, family):
    """A write that the request has begun keeps its image until it ends."""
    part = head("PUT", "/v1/images/disk/data", "Content-Length: 1048576") + bytes(100000)
    for leave in False, True:
        begin = time.monotonic()
        send_and_end(daemon, family, part, leave)
        daemon.wait_until_idle()
        seconds = time.monotonic() - begin
        expect(seconds < SOON, f"leave={leave}: the upload ended after {seconds:.1f} s")


def processor_seconds(daemon):
    with open(f"/proc/{daemon.process.pid}/stat", encoding="ascii") as stat:
        return sum(int(ticks) for ticks in stat.read().rpartition(")")[2].split()[11:13]) / TICKS


def the_endless_line_of_a_chunk_ends_its_connection(daemon, family):
    """Without costing more than it takes to look at it now and then."""
    before = processor_seconds(daemon)
    with connect(daemon, family) as peer:
        begin = time.monotonic()
        with contextlib.suppress(ConnectionError):
            peer.sendall(head("POST", "/v1/images", "Transfer-Encoding: chunked") + b"1;" + b"a" * (4 << 20))
            until_end(peer)
        seconds = time.monotonic() - begin
    expect(seconds < SOON, f"the connection ended after {seconds:.1f} s")
    used = processor_seconds(daemon) - before
    expect(used < 1, f"it took {used} s of processor time")


CHECKS = [a_whole_request_is_answered_and_its_connection_ends, two_requests_are_answered, half_a_head_ends_its_connection,
          who_leaves_in_an_upload_is_in_nobodys_way, the_endless_line_of_a_chunk_ends_its_connection]


def main():
    daemon = Daemon(sys.argv[1])
    try:
        daemon.start()
        ask(daemon, "POST", "/v1/images", b'{"name":"disk","size":1048576}')
        for family in socket.AF_INET, socket.AF_UNIX:
            for check in CHECKS:
                print(check.__name__, family.name, flush=True)
                check(daemon, family)
        daemon.stop()
    finally:
        daemon.remove()
    sys.exit(1 if FAILED else 0)


main()
