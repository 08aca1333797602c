#!/usr/bin/env python3
"""Puts every byte everywhere a client can, one request after the other, and reads the log of it.

usage: log.py SOCKET LOG-FILE JSON|TEXT

Each request leaves one line of printable ASCII, and in JSON each line is one object.
"""

import json
import socket
import sys
import time

HOST = b"Host: localhost\r\n"


def requests():
    for value in range(256):
        byte = bytes([value])
        yield b"GET /v1/images/a" + byte + b"b HTTP/1.1\r\n" + HOST + b"\r\n"
        yield b"GET /v1/images?format=" + byte + b" HTTP/1.1\r\n" + HOST + b"\r\n"
        yield b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-Request-Id: a" + byte + b"b\r\n\r\n"
        yield b"GET /healthz HTTP/1.1\r\n" + HOST + b"A" + byte + b"B: c\r\n\r\n"
        yield b"GE" + byte + b"T /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
        body = b'{"name":"a' + byte + b'b","size":"1M","labels":{"' + byte + b'":"' + byte + b'"}}'
        length = str(len(body)).encode()
        yield b"POST /v1/images HTTP/1.1\r\n" + HOST + b"Content-Length: " + length + b"\r\n\r\n" + body


def send(path, request):
    """Sends it, says that nothing follows, and waits until the daemon has ended the connection."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(60)
        peer.connect(path)
        peer.sendall(request)
        peer.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while piece := peer.recv(65536):
                answer += piece
        except ConnectionError:
            pass
        return answer


def lines_of(path):
    with open(path, "rb") as log:
        return log.read().split(b"\n")[:-1]


def check_json(lines):
    shown = 0
    for line in lines:
        try:
            entry = json.loads(line.decode("ascii"))
        except ValueError as error:
            sys.exit(f"not a line of JSON: {line!r}: {error}")
        for member in ("time", "level", "message"):
            if member not in entry:
                sys.exit(f"no {member}: {line!r}")
        if entry["message"] != "request":
            continue
        shown += 1
        for member in ("request_id", "peer", "method", "route", "path", "status", "received", "sent", "ms"):
            if member not in entry:
                sys.exit(f"no {member}: {line!r}")
    return shown


def check_text(lines):
    shown = 0
    for line in lines:
        line = line.removesuffix(b"\r")  # the terminal's
        if not all(0x20 <= byte < 0x7F for byte in line):
            sys.exit(f"not printable: {line!r}")
        if line[:4].isdigit():
            shown += b" request " in line
    return shown


def main():
    path, log, form = sys.argv[1:]
    read = {"JSON": check_json, "TEXT": check_text}[form]
    before = read(lines_of(log))
    answered = 0
    for request in requests():
        answer = send(path, request)
        # What ends before the first line does is no request.
        answered += answer.startswith(b"HTTP/1.1 ") and request.split(b"\n")[0].endswith(b"HTTP/1.1\r")
    # A line is written after its answer.
    until = time.monotonic() + 120
    while read(lines_of(log)) - before < answered and time.monotonic() < until:
        time.sleep(0.05)
    shown = read(lines_of(log)) - before
    print(f"{answered} answers, {shown} lines")
    if shown < answered or answered < 1400:
        sys.exit("requests without a line")


main()
