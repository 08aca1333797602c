#!/usr/bin/env python3
"""Clients whose last bytes and whose end arrive together: the daemon sees both.

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


def send_and_end(daemon, family, request, leave):
    """Answers what came, and after how many seconds the connection had ended."""
    with connect(daemon, family) as peer:
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
    answer, seconds = send_and_end(daemon, family, head("GET", "/v1/images/disk"), leave=False)
    expect(answer.startswith(b"HTTP/1.1 200 "), f"answered with {answer[:40]!r}")
    expect(seconds < SOON, f"the connection ended after {seconds:.1f} s")


def two_requests_are_answered(daemon, family):
    request = head("GET", "/v1/images/disk")
    answer, seconds = send_and_end(daemon, family, request + request, leave=False)
    expect(answer.count(b"HTTP/1.1 200 ") == 2, f"answered with {answer!r}")
    expect(seconds < SOON, f"the connection ended after {seconds:.1f} s")


def half_a_head_ends_its_connection(daemon, family):
    answer, seconds = send_and_end(daemon, family, b"GET /v1/images/disk HTTP/1.1\r\nHost: lo", leave=False)
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
    answer = ask(daemon, "GET", "/v1/images/disk/data?op=writes")
    expect(answer.startswith(b"HTTP/1.1 200 "), f"writes: {answer[:40]!r}")


def main():
    daemon = Daemon(sys.argv[1])
    daemon.start()
    ask(daemon, "POST", "/v1/images", b'{"name":"disk","size":1048576}')
    for family in socket.AF_INET, socket.AF_UNIX:
        for check in (a_whole_request_is_answered_and_its_connection_ends, two_requests_are_answered,
                      half_a_head_ends_its_connection, who_leaves_in_an_upload_is_in_nobodys_way):
            print(check.__name__, family.name)
            check(daemon, family)
    daemon.stop()
    sys.exit(1 if FAILED else 0)


main()
