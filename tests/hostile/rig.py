"""A daemon of one's own, ways to ask it byte by byte, and rows that pass or fail under a name."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time

SICK = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|Assertion|terminate called")
SKIPPED = 77


class Failure(Exception):
    """What must not be."""


class Answer:
    def __init__(self, raw):
        """`raw` is all that came, also behind the end of the answer."""
        self.raw = raw
        self.head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = self.head.split(b"\r\n")
        words = lines[0].split(b" ")
        self.status = int(words[1]) if words[0] == b"HTTP/1.1" and len(words) > 2 else 0
        self.lines = lines[1:]
        pairs = [line.partition(b":") for line in self.lines]
        self.headers = {name.decode("latin-1").lower(): value.strip().decode("latin-1") for name, _, value in pairs}

    def is_whole(self):
        """As far as its head tells. Without a length it ends with the connection."""
        if self.status in (204, 304):
            return True
        return self.raw != self.head and len(self.body) >= int(self.headers.get("content-length", 1 << 62))

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.headers.get("x-error-code", "")

    def __str__(self):
        return f"{self.status} {self.code} {self.body[:300] if b'json' in self.head else self.body[:40]!r}"


def receive_some(peer):
    """Nothing is the end, however it came."""
    try:
        return peer.recv(1 << 20)
    except ConnectionError:
        return b""


def receive(peer):
    return b"".join(iter(lambda: receive_some(peer), b""))


def request(method, target, body, headers):
    """Its bytes. Target and headers may be any."""
    if isinstance(body, dict):
        body = json.dumps(body).encode()
    target = target if isinstance(target, bytes) else target.encode()
    head = method.encode() + b" " + target + b" HTTP/1.1\r\nHost: localhost\r\n"
    head += b"".join(line + b"\r\n" for line in headers)
    if body or method in ("POST", "PUT", "PATCH"):
        head += b"Content-Length: %d\r\n" % len(body)
    return head + b"\r\n" + body


def send(peer, raw):
    try:
        peer.sendall(raw)
    except ConnectionError:
        pass  # there may be an answer nevertheless


def ask(path, method, target, body=b"", headers=(), seconds=60):
    """One request on a connection of its own."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(seconds)
        peer.connect(str(path))
        send(peer, request(method, target, body, [b"Connection: close", *headers]))
        return Answer(receive(peer))


class Talk:
    """Many requests on one connection, and on the next when the daemon has ended it."""

    def __init__(self, path):
        self.path, self.peer = str(path), None

    def ask(self, method, target, body=b"", headers=()):
        if not self.peer:
            self.peer = socket.socket(socket.AF_UNIX)
            self.peer.settimeout(60)
            self.peer.connect(self.path)
        send(self.peer, request(method, target, body, headers))
        raw, piece = b"", None
        while not (answer := Answer(raw)).is_whole() and piece != b"":
            piece = receive_some(self.peer)
            raw += piece
        if piece == b"" or answer.headers.get("connection") == "close":
            self.end()
        return answer

    def end(self):
        if self.peer:
            self.peer.close()
        self.peer = None


class Vhdd:
    """Runs on its own state folder; ends and starts as often as is needed."""

    def __init__(self, program, work, config="", wrap=()):
        self.program, self.work, self.wrap = program, pathlib.Path(work), list(wrap)
        self.state, self.socket, self.log = self.work / "state", self.work / "socket", self.work / "log"
        self.config = self.work / "config"
        self.config.write_text(config)
        self.process = None

    def command(self, *options):
        return [self.program, "--state-dir", str(self.state), "--config", str(self.config), *options]

    def start(self, *options):
        with open(self.log, "ab") as log:
            begin = log.tell()
            self.process = subprocess.Popen(
                [*self.wrap, *self.command("--listen", f"unix:{self.socket}", *options)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        end = time.monotonic() + 120
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise Failure(f"vhdd does not start:\n{self.tail()}")
            try:
                if self.ask("GET", "/readyz").status == 200 and self.has_said_all(begin):
                    return self
            except OSError:
                pass
            time.sleep(0.01)
        raise Failure("vhdd is not ready within two minutes")

    def has_said_all(self, begin):
        """Where it listens, and what it makes of its files: ready it may be before."""
        said = self.log.read_bytes()[begin:]
        return b"listening on " in said and b'"compared ' in said

    @property
    def pid(self):
        """Of the daemon itself, which a wrapper may have started."""
        if not self.wrap:
            return self.process.pid
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def stop(self, sign=signal.SIGTERM):
        os.kill(self.pid, sign)
        status = self.process.wait(120)
        self.process = None
        if sign == signal.SIGTERM and status != 0:
            raise Failure(f"vhdd ended with {status}:\n{self.tail()}")
        self.check_log()

    def run(self, *options):
        """Another use of the program, from start to end."""
        return subprocess.run(self.command(*options), capture_output=True, text=True, timeout=120, check=False)

    def kill(self):
        if self.process:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except (OSError, IndexError):
                self.process.kill()
            self.process.wait()
            self.process = None

    def ask(self, method, target, body=b"", headers=(), seconds=60):
        return ask(self.socket, method, target, body, headers, seconds)

    def tcp_port(self):
        """What --listen 127.0.0.1:0 has picked."""
        return int(re.findall(r"http://127\.0\.0\.1:(\d+)", self.log.read_text())[-1])

    def tail(self):
        return self.log.read_text(errors="replace")[-4000:]

    def check_log(self):
        text = self.log.read_text(errors="replace")
        if SICK.search(text):
            raise Failure("a sanitizer or an assertion has spoken:\n" + text[-6000:])


class Rows:
    """Counts what passed; a row that fails does not keep the others from telling what they know."""

    def __init__(self):
        self.passed, self.failed = 0, []

    def row(self, name, problem):
        """`problem` is what is wrong, or nothing."""
        if problem:
            self.failed.append(name)
            print(f"FAILED {name}: {problem}", flush=True)
        else:
            self.passed += 1

    def end(self, least):
        """The exit status. A table that has lost its rows has failed."""
        print(f"{self.passed} rows passed, {len(self.failed)} failed")
        if self.passed + len(self.failed) < least:
            print(f"FAILED: there should be {least} rows")
        return bool(self.failed) or self.passed < least


def folder():
    return tempfile.TemporaryDirectory(prefix="vhdd-hostile.")
