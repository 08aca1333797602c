#!/usr/bin/env python3
"""Clients that curl cannot be: many at once, slow ones, and ones that compare.

usage: edge.py WHAT SOCKET ARGUMENT...
"""

import json
import os
import re
import select
import socket
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from unix_http import UnixConnection  # noqa: E402


def ask(path, method, target):
    connection = UnixConnection(path)
    connection.request(method, target)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def head(path):
    """HEAD says what GET says, for every GET that the API describes."""
    values = {"{ref}": "disk", "{sector}": "0", "{code}": "bad-framing", "{name}": "default", "{key}": "current_size"}
    paths = json.loads(ask(path, "GET", "/v1/openapi.json")[1])["paths"]
    compared = failed = 0
    for template in [path for path, methods in paths.items() if "get" in methods]:
        target = template
        for name, value in values.items():
            target = target.replace(name, value)
        known = "{" not in target
        target = re.sub("{[a-z]+}", "nothing", target)
        full, body = ask(path, "GET", target)
        short, nothing = ask(path, "HEAD", target)
        compared += 1
        for name in ("Content-Length", "Content-Type", "ETag", "Allow", "Accept-Ranges", "Cache-Control"):
            # The id of the request is in the body of a problem, and is as long each time.
            if full.headers[name] != short.headers[name]:
                print(f"{target}: {name} is {full.headers[name]} for GET, {short.headers[name]} for HEAD")
                failed += 1
        if full.status != short.status or nothing or (known and full.status >= 400):
            print(f"{target}: GET answers {full.status}, HEAD {short.status} and {len(nothing)} bytes")
            failed += 1
        if int(full.headers["Content-Length"]) != len(body):
            print(f"{target}: {len(body)} bytes, not as announced")
            failed += 1
    print(f"{compared} paths, {failed} failures")
    return failed or compared < 10


def idle(path, port):
    """A thousand connections that say nothing, and a client that asks in the meantime."""
    peers = [socket.create_connection(("127.0.0.1", int(port))) for _ in range(1000)]
    worst = 0
    for _ in range(200):
        begin = time.monotonic()
        answer, _ = ask(path, "GET", "/v1/images/disk")
        worst = max(worst, time.monotonic() - begin)
        if answer.status != 200:
            print(f"{answer.status} beside idle connections")
            return True
    for peer in peers:
        peer.close()
    print(f"the slowest answer took {worst:.3f} s")
    return worst > 2


def drip(path, seconds):
    """Bytes that trickle in are no progress: the connection is cut though it was never silent."""
    failed = False
    starts = {
        "headers": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: ",
        "body": b"PUT /v1/images/next/data HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n",
        "JSON": b"POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n{",
        "a refused body": b"PUT /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n",
    }
    for what, start in starts.items():
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(path)
            begin = time.monotonic()
            try:
                peer.sendall(start)
                while time.monotonic() - begin < float(seconds) + 60:
                    peer.sendall(b" ")
                    time.sleep(0.05)
            except OSError:
                print(f"{what}: cut after {time.monotonic() - begin:.1f} s")
                continue
            print(f"{what}: still open")
            failed = True
    return failed


def move(path, seconds):
    """A body that moves is not cut, however long it takes. Where this machine was late itself, it tries again."""
    octets, limit = os.urandom(12 << 16), float(seconds)
    for _ in range(20):
        connection = UnixConnection(path)
        connection.putrequest("PUT", "/v1/images/disk/data")
        connection.putheader("Content-Length", str(len(octets)))
        connection.endheaders()
        status, worst, last = 0, 0, time.monotonic()
        try:
            for at in range(0, len(octets), 1 << 16):
                connection.send(octets[at : at + (1 << 16)])
                time.sleep(limit / 4)
                worst, last = max(worst, time.monotonic() - last), time.monotonic()
            status = connection.getresponse().status
        except OSError:
            worst = max(worst, time.monotonic() - last)
        print(f"a body that moves is answered {status}; its slowest piece took {worst:.2f} s")
        if status == 200 or worst < limit / 2:
            return status != 200 or not ask(path, "GET", "/v1/images/disk/data")[1].startswith(octets)
    return True


def sip(path, seconds):
    """A large answer from memory that is read slowly, but not too slowly, is not cut. Tries again as `move` does."""
    rate = 100 * 1024 / float(seconds)  # bytes a second, where 64 KiB are enough
    for _ in range(5):
        connection = UnixConnection(path)
        connection.request("POST", "/v1/images/disk/sectors", json.dumps({"sectors": list(range(10000))}))
        answer = connection.getresponse()
        length, got, worst, begin = int(answer.headers["Content-Length"]), 0, 0, time.monotonic()
        try:
            while got < length and (piece := answer.read(10000)):
                got += len(piece)
                ahead = got / rate - (time.monotonic() - begin)
                worst = max(worst, -ahead)
                time.sleep(max(0, ahead))
        except OSError:
            pass
        print(f"{got} of {length} bytes came in {time.monotonic() - begin:.1f} s; the client was {worst:.2f} s late at most")
        if got == length or worst < float(seconds):
            return got != length or length < 10 << 16
    return True


def stay(path, seconds):
    """One request, then a connection that stays open. Prints when it is there, and how it ended."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(float(seconds))
        peer.connect(path)
        peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        print(peer.recv(12).decode(), flush=True)
        try:
            while peer.recv(65536):
                pass
        except TimeoutError:
            print("open", flush=True)
            return True
    print("ended", flush=True)
    return False


def silent(path, seconds):
    """Clients that stop in the middle are waited for as long as [limits] says, one that waits between requests is not."""
    starts = {
        "a head": b"GET /healthz HTTP/1.1\r\nHo",
        "a body": b"PUT /v1/images/disk/data HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + bytes(1000),
        "an answer": b"GET /v1/images/disk/data HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "nothing": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    }
    peers = {}
    for what, start in starts.items():
        peers[what] = socket.socket(socket.AF_UNIX)
        peers[what].connect(path)
        peers[what].sendall(start)
    peers["nothing"].recv(65536)
    begin, ends = time.monotonic(), {}
    while time.monotonic() - begin < float(seconds):
        for what, peer in peers.items():
            poll = select.poll()
            poll.register(peer, select.POLLRDHUP)
            if what not in ends and poll.poll(0):
                ends[what] = time.monotonic() - begin
        time.sleep(0.1)
    print("ended: " + (", ".join(f"in the middle of {what} after {when:.1f} s" for what, when in ends.items()) or "none"))
    return list(ends) != ["nothing"] or ends["nothing"] < 59


def late(path):
    """A second request on a connection, once the daemon takes no new ones any more."""
    connection = UnixConnection(path)
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    print("ready", flush=True)
    try:
        while True:
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(path)
            time.sleep(0.01)
    except OSError:
        pass
    connection.request("POST", "/v1/images", b"name=late&size=1M")
    answer = connection.getresponse()
    problem = json.loads(answer.read())
    got = (answer.status, problem["code"], answer.headers["Retry-After"], answer.headers["Connection"])
    print(*got)
    return got[:2] != (503, "shutting-down") or got[2:] != ("1", "close")


CLIENTS = {client.__name__: client for client in (head, idle, drip, move, sip, stay, silent, late)}
sys.exit(bool(CLIENTS[sys.argv[1]](*sys.argv[2:])))
