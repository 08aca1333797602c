"""A daemon with the library of faults below it, and ways to ask it."""

import json
import mmap
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import time

CALLS, NAME, SITES = 96, 24, 4096
HEAD = struct.Struct("=IIiIqqqqqQQQq")  # as struct faults begins
SITE = struct.Struct("=QIIII")
SIZE = HEAD.size + CALLS + CALLS * NAME + SITES * SITE.size
OURS, SQLITE, JANSSON, OTHERS = 1, 2, 4, 8
ONE, HALF, ZERO = -1, -2, -3
FOR_EVER = 1 << 62
SICK = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|Assertion|terminate called")

LEAKS = pathlib.Path(__file__).parent / "leaks.txt"


class Failure(Exception):
    """What must not be."""


def without_backup(state):
    """None is due, whose calls would fail instead of others."""
    (state / time.strftime("catalog.db.%Y%m%dT%H%M%SZ.bak", time.gmtime())).touch()


class Page:
    """The memory that the test shares with the daemon: struct faults."""

    def __init__(self, path):
        path.write_bytes(bytes(SIZE))
        self.path = path
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), SIZE)

    def _head(self):
        return HEAD.unpack_from(self.map)

    def names(self):
        start = HEAD.size + CALLS
        raw = [self.map[start + i * NAME : start + (i + 1) * NAME] for i in range(CALLS)]
        return [name.rstrip(b"\0").decode() for name in raw]

    def arm(self, parts, calls, error, fail_at, burst, site=0, also=(0, 0)):
        """Lets the call number `fail_at` of `calls` (names) by `parts` fail, and those that follow; `site`: of those
        that come back there. `also`: another site, whose calls all fail, and how."""
        self.disarm()
        chosen = bytes(name in calls for name in self.names())
        self.map[HEAD.size : HEAD.size + CALLS] = chosen
        HEAD.pack_into(self.map, 0, 0, parts, error, 0, fail_at, burst, 0, 0, self._head()[8], 0, site, *also)
        self.map[0:4] = struct.pack("=I", 1)

    def disarm(self):
        self.map[0:4] = bytes(4)

    def shift_clock(self, seconds):
        struct.pack_into("=q", self.map, HEAD.size - 40, seconds)

    @property
    def calls(self):
        return self._head()[6]

    @property
    def failed(self):
        return self._head()[7]

    @property
    def last(self):
        """The name of the call that failed last, and where it comes back to in the program."""
        head = self._head()
        return self.names()[head[3]], head[9]

    def sites(self):
        """Where the program made calls: {place: (name, seen, failed)}."""
        names = self.names()
        rows = SITE.iter_unpack(self.map[HEAD.size + CALLS + CALLS * NAME : SIZE])
        return {at: (names[call], seen, failed) for at, call, seen, failed, _ in rows if at}


class Answer:
    def __init__(self, raw):
        """`raw` is all that came before the end of the connection."""
        head, whole, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n") if whole else [""]
        self.status = int(lines[0].split()[1]) if lines[0].startswith("HTTP/1.1 ") else 0
        self.headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        length = self.headers.get("content-length")
        # Cut short by the daemon: as good as no answer.
        if length is None or len(self.body) != int(length):
            self.status = self.status if self.status in (204, 304) else 0

    @property
    def json(self):
        return json.loads(self.body)

    def __str__(self):
        return f"{self.status} {self.body[:300]!r}"


def ask(address, method, target, body=b"", seconds=60, chunked=False, headers=None):
    """One request on a connection of its own, to the path of a socket or to a host and a port; status 0 when no whole
    answer came. TimeoutError: none in time."""
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    if chunked:
        head += "Transfer-Encoding: chunked\r\n"
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    elif (body or method in ("POST", "PUT")) and "Content-Length" not in (headers or {}):
        head += f"Content-Length: {len(body)}\r\n"
    raw = b""
    with connection(address, seconds) as peer:
        try:
            peer.connect(address)
            peer.sendall(head.encode() + b"\r\n" + body)
        except TimeoutError:
            raise
        except OSError:
            pass  # there may be an answer nevertheless
        try:
            # Who is told to go on has nothing more to say here; and after a refusal the end may be long in coming.
            while not raw.startswith(b"HTTP/1.1 100 ") and not Answer(raw).status and (piece := peer.recv(1 << 20)):
                raw += piece
        except TimeoutError:
            raise
        except OSError:
            pass
    return Answer(raw)


def connection(address, seconds):
    peer = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    peer.settimeout(seconds)
    return peer


class Daemon:
    """Runs on its own state folder; ends and starts as often as is needed."""

    def __init__(self, program, library, work, config=""):
        self.program, self.library, self.work = program, library, pathlib.Path(work)
        self.state, self.socket, self.log = self.work / "state", self.work / "socket", self.work / "log"
        self.config = self.work / "config"
        self.config.write_text(config)
        self.page = Page(self.work / "page")
        self.process, self.launched_at = None, 0

    def environment(self):
        # A large quarantine costs a fifth of the time, for fresh pages, and no daemon here lives long.
        asan = (
            "verify_asan_link_order=0:exitcode=99:allocator_may_return_null=1:detect_stack_use_after_return=0"
            ":quarantine_size_mb=8"
        )
        return {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "LD_PRELOAD": str(self.library),
            "VHDD_FAULTS": str(self.page.path),
            "ASAN_OPTIONS": asan,
            "LSAN_OPTIONS": f"exitcode=98:print_suppressions=0:suppressions={LEAKS}",
            "UBSAN_OPTIONS": "print_stacktrace=1",
        }

    def run(self, *options, check=True):
        """Another use of the program, from start to end; its status."""
        with open(self.log, "ab") as log:
            done = subprocess.run(
                [self.program, "--state-dir", self.state, "--config", self.config, *options],
                env=self.environment(), stdout=log, stderr=log, timeout=60, check=False,
            )
        if check:
            self.check_log()
        return done.returncode

    def launch(self, listen=(), inherit=False, environment=None):
        """`inherit`: on a socket that is there already, as a service manager gives it."""
        command = [self.program, "--state-dir", self.state, "--config", self.config]
        with open(self.log, "ab") as log:
            self.launched_at = log.tell()
            if inherit:
                self.process = self.activate(command, log)
                return
            self.process = subprocess.Popen(
                [*command, "--listen", f"unix:{self.socket}", *listen],
                env={**self.environment(), **(environment or {})}, stdout=log, stderr=log,
            )

    def activate(self, command, log):
        """The shell is there for $$; only what becomes the daemon has the library."""
        self.socket.unlink(missing_ok=True)
        environment = self.environment()
        preload = environment.pop("LD_PRELOAD")
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(str(self.socket))
            door.listen()
            script = 'exec 3<&"$DOOR"; export LISTEN_PID=$$ LISTEN_FDS=1 LD_PRELOAD="$LIBRARY"; exec "$@"'
            return subprocess.Popen(
                ["/bin/bash", "-c", script, "-", *command], pass_fds=[door.fileno()], stdout=log, stderr=log,
                env={**environment, "DOOR": str(door.fileno()), "LIBRARY": preload},
            )

    def wait_ready(self, seconds=120):
        """True when it is ready, False when it has ended."""
        end, answered = time.monotonic() + seconds, None
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            # The first of its threads answers before the last is there.
            said = self.log.read_bytes()[self.launched_at :]
            try:
                if self.socket.exists() and self.ask("GET", "/healthz", seconds=1).status == 200:
                    answered = answered or time.monotonic()
                    # It may be unable to say so.
                    if b"listening on" in said or time.monotonic() > answered + 1:
                        return True
            except TimeoutError:
                pass  # lost, perhaps: another one may not be
            time.sleep(0.002)
        raise Failure(f"not ready within {seconds} s")

    def start(self, listen=()):
        self.launch(listen)
        if not self.wait_ready():
            raise Failure(f"does not start: status {self.ended()}")

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def ended(self):
        """Its status, once it has ended by itself or on a signal that was sent."""
        try:
            status = self.process.wait(60)
        except subprocess.TimeoutExpired as why:
            self.process.kill()
            raise Failure("does not end") from why
        finally:
            self.process = None if self.process.poll() is not None else self.process
        self.check_log()
        return status

    def stop(self, sign=signal.SIGTERM):
        self.process.send_signal(sign)
        return self.ended()

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def check_log(self):
        text = self.log.read_text(errors="replace")
        if SICK.search(text):
            raise Failure("a sanitizer or an assertion has spoken:\n" + text[-6000:])

    def forget_log(self):
        os.truncate(self.log, 0)

    def ask(self, method, target, body=b"", **more):
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        return ask(more.pop("address", str(self.socket)), method, target, body, **more)
