"""The daemon under test: started, asked, and ended in every way there is."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from unix_http import UnixConnection  # noqa: E402

STOP = 60  # seconds, as TimeoutStopSec of the systemd unit
CRASHED = 86  # exit status at a crash point
# Files are closed and opened all the time, and flushed when nobody asked for it.
BUSY = "[limits]\nimages_open = 8\nworkers = 3\n[flush]\nms = 50\nblocks = 3\n[cache]\nsize = 1M\n"


class Lost(Exception):
    """No answer: the daemon is gone."""


class Wrong(Exception):
    """A promise is broken."""


def waited(thread):
    """Seconds in which a thread could have run, and others did: what the machine owes us, not what we take. One that
    has ended is owed nothing."""
    try:
        with open(f"/proc/{thread}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[1]) / 1e9
    except (FileNotFoundError, ProcessLookupError):
        return 0


def threads(process):
    """As a process that may have ended has them."""
    try:
        return [f"{process.pid}/task/{thread}" for thread in os.listdir(f"/proc/{process.pid}/task")]
    except FileNotFoundError:
        return []


def waits_for_disk(process):
    for thread in threads(process):
        try:
            with open(f"/proc/{thread}/stat", encoding="ascii") as file:
                if file.read().rpartition(")")[2].split()[0] == "D":
                    return True
        except (FileNotFoundError, ProcessLookupError):
            pass
    return False


class Client:
    """One connection that is kept."""

    def __init__(self, path):
        self.connection = UnixConnection(path)

    def ask(self, method, target, body=None, headers=None):
        """Status, headers and body; JSON is decoded."""
        if isinstance(body, dict):
            body = json.dumps(body)
        try:
            self.connection.request(method, target, body, headers or {})
            answer = self.connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            raise Lost(str(error)) from error
        if "json" in answer.headers.get("Content-Type", "") and content:
            content = json.loads(content)
        return answer.status, answer.headers, content

    def close(self):
        self.connection.close()


class Daemon:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.state, self.socket = os.path.join(folder, "state"), os.path.join(folder, "socket")
        self.log = os.path.join(folder, "log")
        self.process = None
        self.starts = []  # seconds until it was ready, but for those in which it waited for the machine
        self.busy = False  # is it run by the other configuration?
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "busy.conf"), "w", encoding="ascii") as file:
            file.write(BUSY)

    def spawn(self, point=None, *arguments):
        environment = dict(os.environ)
        environment.pop("VHDD_CRASH_AT", None)
        if point:
            environment["VHDD_CRASH_AT"] = point
        if self.busy:
            arguments = ("--config", os.path.join(self.folder, "busy.conf"), *arguments)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "--state-dir", self.state, "--listen", "unix:" + self.socket, *arguments],
                stdout=log, stderr=log, env=environment)

    def start(self, point=None):
        """True when it is ready, False when it has come to its crash point before that."""
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        begin = time.monotonic() - waited("thread-self")
        self.spawn(point)
        spawned = looked = time.monotonic()
        disk = 0
        while self.process.poll() is None:
            client = Client(self.socket)
            try:
                if client.ask("GET", "/readyz")[0] == 200:
                    others = max(map(waited, threads(self.process)), default=0) + waited("thread-self")
                    self.starts.append(time.monotonic() - begin - others - disk)
                    return True
            except Lost:
                time.sleep(0.005)
            finally:
                client.close()
            if waits_for_disk(self.process):
                disk += time.monotonic() - looked
            looked = time.monotonic()
            if looked - spawned > 60:
                raise Wrong("not ready after 60 s")
        if self.process.returncode != CRASHED:
            raise Wrong(f"ended with status {self.process.returncode} instead of becoming ready")
        return False

    def start_and_end(self, seconds, sign):
        """Ended so long after its start, ready or not."""
        self.spawn()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        status = self.end(sign)
        if status not in (0, -sign):
            raise Wrong(f"ended with status {status} while it started")

    def end(self, sign):
        """Its exit status; negative: by a signal."""
        if self.process.poll() is None:
            self.process.send_signal(sign)
        try:
            return self.process.wait(STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Wrong(f"still there {STOP} s after a signal") from None

    def kill(self):
        if self.process and self.process.poll() is None:
            self.end(signal.SIGKILL)

    def rebuild(self, point=None):
        """Exit status of vhdd --rebuild-catalog."""
        self.spawn(point, "--rebuild-catalog")
        return self.process.wait(60)

    def tail(self):
        with open(self.log, "rb") as log:
            lines = log.read()[-20000:].decode(errors="replace").split("\n")
        return "\n".join(line for line in lines[1:] if '"status":2' not in line)
