#!/usr/bin/env python3
"""Sends requests byte by byte as they stand below, and checks what comes back and whether the connection lives.

usage: raw.py unix:PATH|HOST:PORT [NAME...]

A row is a name, the bytes, the statuses of all answers, and whether the connection is open afterwards. A status may be
a pair, with the code of the problem. Nothing may come after those answers: one more would mean that part of a request
was taken for another.
"""

import socket
import sys

HOST = b"Host: localhost\r\n"
OPEN, CLOSED = "open", "closed"


def get(headers=b"", path=b"/healthz", version=b"HTTP/1.1", method=b"GET", host=HOST, body=b""):
    return method + b" " + path + b" " + version + b"\r\n" + host + headers + b"\r\n" + body


def post(headers, body=b"", path=b"/v1/images"):
    return get(headers, path, method=b"POST", body=body)


# What a request hidden in a body would look like, were it ever taken for one.
HIDDEN = get(path=b"/hidden")
CHUNKED = b"Transfer-Encoding: chunked\r\n"
BAD_JSON = b"{nonsense"
BAD_CHUNKED = b"9\r\n" + BAD_JSON + b"\r\n0\r\n\r\n"

ROWS = [
    ("plain", get(), [200], OPEN),
    ("plain with body", post(b"Content-Length: 9\r\n", BAD_JSON), [400], OPEN),
    ("plain chunked", post(CHUNKED, BAD_CHUNKED), [400], OPEN),
    ("chunked in capitals", post(b"transfer-encoding: CHUNKED\r\n", BAD_CHUNKED), [400], OPEN),
    ("chunk extension", post(CHUNKED, b"9;a=b\r\n" + BAD_JSON + b"\r\n0\r\n\r\n"), [400], OPEN),
    ("trailer", post(CHUNKED, b"9\r\n" + BAD_JSON + b"\r\n0\r\nX-End: 1\r\n\r\n"), [400], OPEN),
    # Two readers, two ideas of where the body ends.
    ("length and coding", post(b"Content-Length: 4\r\n" + CHUNKED, b"0\r\n\r\n" + HIDDEN), [(400, "bad-framing")], CLOSED),
    ("coding and length", post(CHUNKED + b"Content-Length: 4\r\n", b"0\r\n\r\n" + HIDDEN), [400], CLOSED),
    ("two lengths", post(b"Content-Length: 0\r\nContent-Length: 60\r\n", HIDDEN), [400], CLOSED),
    ("two equal lengths", post(b"Content-Length: 9\r\nContent-Length: 9\r\n", BAD_JSON), [400], CLOSED),
    ("list of lengths", post(b"Content-Length: 9, 9\r\n", BAD_JSON), [400], CLOSED),
    ("length with plus", post(b"Content-Length: +9\r\n", BAD_JSON), [400], CLOSED),
    ("length below zero", post(b"Content-Length: -1\r\n", BAD_JSON), [400], CLOSED),
    ("length in hex", post(b"Content-Length: 0x9\r\n", BAD_JSON), [400], CLOSED),
    ("length of nothing", post(b"Content-Length:\r\n", HIDDEN), [400], CLOSED),
    ("length with a tail", post(b"Content-Length: 9 9\r\n", BAD_JSON), [400], CLOSED),
    ("length 2^64-1", post(b"Content-Length: 18446744073709551615\r\n"), [413], CLOSED),
    ("length 2^64", post(b"Content-Length: 18446744073709551616\r\n"), [413], CLOSED),
    ("space before the colon of the length", post(b"Content-Length : 60\r\n", HIDDEN), [400], CLOSED),
    ("space before the colon of the coding", post(b"Transfer-Encoding : chunked\r\n", BAD_CHUNKED), [400], CLOSED),
    ("tab before the colon", get(b"X-A\t: b\r\n"), [400], CLOSED),
    ("no length", get(path=b"/v1/images/x/data", method=b"PUT"), [(411, "length-required")], OPEN),
    ("two codings", post(CHUNKED + CHUNKED, BAD_CHUNKED), [400], CLOSED),
    ("coding xchunked", post(b"Transfer-Encoding: xchunked\r\n", BAD_CHUNKED), [501], CLOSED),
    ("coding gzip, chunked", post(b"Transfer-Encoding: gzip, chunked\r\n", BAD_CHUNKED), [501], CLOSED),
    ("coding chunked, identity", post(b"Transfer-Encoding: chunked, identity\r\n", BAD_CHUNKED), [501], CLOSED),
    ("coding identity", post(b"Transfer-Encoding: identity\r\n", HIDDEN), [501], CLOSED),
    ("coding gzip on a GET", get(b"Transfer-Encoding: gzip\r\n"), [501], CLOSED),
    ("coding of nothing", post(b"Transfer-Encoding:\r\n", HIDDEN), [501], CLOSED),
    ("chunked in HTTP/1.0", get(CHUNKED, version=b"HTTP/1.0", method=b"POST", body=BAD_CHUNKED), [400], CLOSED),
    ("chunk of 2^64", post(CHUNKED, b"10000000000000000\r\n" + BAD_JSON), [413], CLOSED),
    ("chunk below zero", post(CHUNKED, b"-9\r\n" + BAD_JSON), [400], CLOSED),
    ("chunk with 0x", post(CHUNKED, b"0x9\r\n" + BAD_JSON), [400], CLOSED),
    ("chunk without end", post(CHUNKED, b"9\r\n" + BAD_JSON + b"0\r\n\r\n"), [400], CLOSED),
    # Lines and names.
    ("line feeds only", get().replace(b"\r", b""), [400], CLOSED),
    ("one line feed", get(b"X-A: b\nContent-Length: 60\r\n", body=HIDDEN), [400], CLOSED),
    ("carriage return in a value", get(b"X-A: b\rContent-Length: 60\r\n", body=HIDDEN), [400], CLOSED),
    ("folded line", get(b"X-A: b\r\n c\r\n"), [400], CLOSED),
    ("folded first line", get(host=b" X: y\r\n" + HOST), [400], CLOSED),
    ("NUL in a value", get(b"X-A: b\0c\r\n"), [400], CLOSED),
    ("NUL in a name", get(b"X\0A: b\r\n"), [400], CLOSED),
    ("NUL in the length", post(b"Content-Length: 0\0" b"9\r\n", HIDDEN), [400], CLOSED),
    ("header without colon", get(b"nonsense\r\n"), [400], CLOSED),
    ("header without name", get(b": b\r\n"), [400], CLOSED),
    ("header with a bracket", get(b"X(A): b\r\n"), [400], CLOSED),
    ("8-bit value", get(b"X-A: \xff\xfe\x80\r\n"), [200], OPEN),
    ("escape in a value", get(b"X-A: \x1b[2J\r\n"), [400], CLOSED),
    ("empty value", get(b"X-A:\r\n"), [200], OPEN),
    ("blanks around a value", get(b"X-A: \t b \t \r\n"), [200], OPEN),
    ("empty line first", b"\r\n" + get(), [200], OPEN),
    ("31 KiB of value", get(b"X-A: " + b"b" * (31 << 10) + b"\r\n"), [200], OPEN),
    ("33 KiB of value", get(b"X-A: " + b"b" * (33 << 10) + b"\r\n"), [(431, "headers-too-large")], CLOSED),
    ("value of 256 KiB", get(b"X-A: " + b"b" * (256 << 10) + b"\r\n"), [431], CLOSED),
    ("10,000 headers", get(b"X-A: b\r\n" * 10000), [431], CLOSED),
    ("100 headers", get(b"A: b\r\n" * 100), [200], OPEN),
    ("129 headers", get(b"A: b\r\n" * 129), [(431, "headers-too-large")], CLOSED),
    ("path of 31 KiB", get(path=b"/" + b"a" * (31 << 10)), [404], OPEN),
    ("path of 16 KiB, 16 KiB of value", get(b"X-A: " + b"b" * (16 << 10) + b"\r\n", b"/" + b"a" * (16 << 10)), [404], OPEN),
    ("path of 33 KiB", get(path=b"/" + b"a" * (33 << 10)), [(414, "target-too-long")], CLOSED),
    ("path of 256 KiB", get(path=b"/" + b"a" * (256 << 10)), [414], CLOSED),
    # The host.
    ("no host", get(host=b""), [400], CLOSED),
    ("two hosts", get(host=HOST + HOST), [400], CLOSED),
    ("foreign host", get(host=b"Host: evil.example\r\n"), {"tcp": [403], "unix": [200]}, OPEN),
    ("empty host", get(host=b"Host:\r\n"), {"tcp": [403], "unix": [200]}, OPEN),
    ("host with user", get(host=b"Host: localhost@evil.example\r\n"), {"tcp": [403], "unix": [200]}, OPEN),
    ("literal host", get(host=b"Host: [::1]:99\r\n"), [200], OPEN),
    # Pages of other sites. A GET changes nothing and tells them nothing, for no header lets them read the answer.
    ("page of its own", post(b"Origin: http://localhost\r\nContent-Length: 9\r\n", BAD_JSON), [400], OPEN),
    ("page of a foreign site", post(b"Origin: http://evil.example\r\nContent-Length: 9\r\n", BAD_JSON), [403], OPEN),
    ("page of another port", post(b"Origin: http://localhost:3000\r\nContent-Length: 9\r\n", BAD_JSON), [403], OPEN),
    ("page without origin", post(b"Origin: null\r\nContent-Length: 9\r\n", BAD_JSON), [403], OPEN),
    ("cross-site", post(b"Sec-Fetch-Site: cross-site\r\nContent-Length: 9\r\n", BAD_JSON), [403], OPEN),
    ("same-site", post(b"Sec-Fetch-Site: same-site\r\nContent-Length: 9\r\n", BAD_JSON), [403], OPEN),
    ("same-origin", post(b"Sec-Fetch-Site: same-origin\r\nContent-Length: 9\r\n", BAD_JSON), [400], OPEN),
    ("by hand", post(b"Sec-Fetch-Site: none\r\nContent-Length: 9\r\n", BAD_JSON), [400], OPEN),
    ("cross-site DELETE", get(b"Sec-Fetch-Site: cross-site\r\n", b"/v1/images/x", method=b"DELETE"), [403], OPEN),
    ("cross-site GET", get(b"Sec-Fetch-Site: cross-site\r\nOrigin: http://evil.example\r\n"), [200], OPEN),
    # The first line.
    ("HTTP/1.0", get(version=b"HTTP/1.0"), [200], CLOSED),
    ("HTTP/1.0 without host", get(version=b"HTTP/1.0", host=b""), [200], CLOSED),
    ("HTTP/1.0 kept alive", get(b"Connection: keep-alive\r\n", version=b"HTTP/1.0"), [200], OPEN),
    ("HTTP/9.9", get(version=b"HTTP/9.9"), [505], CLOSED),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [505], CLOSED),
    ("HTTP/0.9", b"GET /healthz\r\n\r\n", [400], CLOSED),
    ("no HTTP", get(version=b"ICY/1.1"), [400], CLOSED),
    ("TLS hello", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", [], CLOSED),
    ("unknown method", get(method=b"BREW"), [501], OPEN),
    ("method in small letters", get(method=b"get"), [501], OPEN),
    ("TRACE", get(method=b"TRACE"), [501], OPEN),
    ("CONNECT", get(method=b"CONNECT", path=b"localhost:80"), [400], OPEN),
    ("absolute form", get(path=b"http://localhost/healthz"), [200], OPEN),
    ("absolute form without path", get(path=b"http://localhost"), [200], OPEN),
    ("absolute form with a query only", get(path=b"http://localhost?verbose"), [(400, "unknown-parameter")], OPEN),
    ("absolute form without path of a foreign host", get(path=b"http://evil.example"), [400], CLOSED),
    ("a query only", get(path=b"?verbose"), [(400, "invalid-path")], OPEN),
    ("absolute form of a foreign host", get(path=b"http://evil.example/healthz"), [400], CLOSED),
    ("asterisk", get(path=b"*", method=b"OPTIONS"), [400], OPEN),
    ("%00 in the path", get(path=b"/healthz%00/x"), [400], OPEN),
    ("%2e%2e in the path", get(path=b"/v1/%2e%2e/healthz"), [400], OPEN),
    ("%2f in the path", get(path=b"/v1%2fimages"), [400], OPEN),
    ("%zz in the path", get(path=b"/%zz"), [400], OPEN),
    ("dots in the path", get(path=b"/v1/../healthz"), [400], OPEN),
    ("one dot in the path", get(path=b"/./healthz"), [400], OPEN),
    ("two slashes", get(path=b"//healthz"), [400], OPEN),
    ("backslash", get(path=b"/..\\healthz"), [404], OPEN),
    ("8-bit path", get(path=b"/\xc3\xa4"), [400], OPEN),
    ("blank in the query", get(path=b"/v1/images?q=a b"), [(400, "bad-framing")], CLOSED),
    ("blank in the path", get(path=b"/v1/images/a b"), [(400, "bad-framing")], CLOSED),
    ("%00 in the query", get(path=b"/v1/images?label=%00"), [400], OPEN),
    ("unknown parameter", get(path=b"/v1/images?nonsense"), [400], OPEN),
    # Bodies where none is due, expectations, and several requests at once.
    ("body on GET", get(b"Content-Length: 41\r\n", body=HIDDEN), [400], OPEN),
    ("empty body on GET", get(b"Content-Length: 0\r\n"), [200], OPEN),
    ("chunked body on GET", get(CHUNKED, body=BAD_CHUNKED), [400], CLOSED),
    ("body of nowhere", get(b"Content-Length: 41\r\n", b"/nowhere", method=b"PUT", body=HIDDEN), [404], OPEN),
    ("unknown expectation", post(b"Expect: 200-ok\r\nContent-Length: 9\r\n", BAD_JSON), [417], CLOSED),
    ("expectation without body", get(b"Expect: x\r\n"), [417], OPEN),
    ("continue", post(b"Expect: 100-continue\r\nContent-Length: 9\r\n", BAD_JSON), [100, 400], OPEN),
    ("no continue", post(b"Expect: 100-continue\r\nContent-Length: 9999999\r\n"), [413], CLOSED),
    ("two at once", get() + get(), [200, 200], OPEN),
    ("twenty at once", get() * 20, [200] * 20, OPEN),
    ("body, then another", post(b"Content-Length: 9\r\n", BAD_JSON) + get(), [400, 200], OPEN),
    ("refused body, then another", get(b"Content-Length: 9\r\n", body=BAD_JSON) + get(), [400, 200], OPEN),
    ("framing, then another", post(b"Content-Length: 9\r\n" * 2, BAD_JSON) + get(), [400], CLOSED),
    ("close, then another", get(b"Connection: close\r\n") + get(), [200], CLOSED),
    ("upgrade", get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"), [200], OPEN),
]


class Peer:
    def __init__(self, address):
        self.buffer = b""
        if address.startswith("unix:"):
            self.socket = socket.socket(socket.AF_UNIX)
            name = address[5:]
        else:
            host, port = address.rsplit(":", 1)
            self.socket = socket.socket(socket.AF_INET)
            name = (host, int(port))
        self.socket.settimeout(60)
        self.socket.connect(name)

    def send(self, request, piece=1 << 20):
        try:
            for at in range(0, len(request), piece):
                self.socket.sendall(request[at:at + piece])
        except OSError:
            pass  # the answer may have come, and the end of the connection with it

    def more(self):
        try:
            piece = self.socket.recv(65536)
        except ConnectionError:
            piece = b""
        self.buffer += piece
        return bool(piece)

    def take_until(self, mark):
        while mark not in self.buffer:
            if not self.more():
                return None
        part, self.buffer = self.buffer.split(mark, 1)
        return part

    def answer(self):
        """Status and code of the next answer, or None at the end of the connection."""
        head = self.take_until(b"\r\n\r\n")
        if head is None:
            return None
        lines = head.split(b"\r\n")
        status = int(lines[0].split(b" ")[1])
        fields = {line.split(b":", 1)[0].lower(): line.split(b":", 1)[1].strip() for line in lines[1:]}
        length = int(fields.get(b"content-length", b"0"))
        while len(self.buffer) < length:
            if not self.more():
                return None
        self.buffer = self.buffer[length:]
        return status, fields.get(b"x-error-code", b"").decode()


def run(address, request, statuses, fate, piece):
    """What is wrong, or None."""
    peer = Peer(address)
    peer.send(request, piece)
    for want in statuses:
        try:
            got = peer.answer()
        except TimeoutError:
            got = None
        if got != want and (isinstance(want, tuple) or not got or got[0] != want):
            return f"answered {got}, not {want}"
    peer.send(get(path=b"/problems/bad-framing"))
    try:
        got = peer.answer()
    except TimeoutError:
        return "hangs"
    if (got is None) != (fate == CLOSED):
        return f"the connection is not {fate} (next answer: {got})"
    if got not in (None, (200, "")):
        return f"more than the answers due: {got}"
    return None


def main():
    address, names = sys.argv[1], sys.argv[2:]
    kind = "unix" if address.startswith("unix:") else "tcp"
    failed = 0
    for name, request, statuses, fate in ROWS:
        if names and name not in names:
            continue
        wanted = statuses[kind] if isinstance(statuses, dict) else statuses
        # How the bytes arrive must not matter.
        for piece in [1 << 20] + ([1] if len(request) < 1000 else []):
            why = run(address, request, wanted, fate, piece)
            if why:
                print(f"{kind}: {name}, {piece} bytes at once: {why}")
                failed += 1
    print(f"{kind}: {len(ROWS)} rows, {failed} failed")
    print(f"figure: raw.{kind} ={len(ROWS)}")
    return failed != 0


sys.exit(main())
