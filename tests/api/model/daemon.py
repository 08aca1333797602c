"""A daemon of one's own that is killed and started again."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import wire


LISTENERS = 2


class Daemon:
    def __init__(self, program):
        self.program = program
        self.folder = tempfile.mkdtemp(prefix="vhdd-model.")
        self.state = self.folder + "/state"
        self.socket = self.folder + "/vhdd.sock"
        self.log = self.folder + "/log"
        self.process = None
        self.port = 0

    def start(self):
        with open(self.log, "ab") as log:
            begin = log.tell()
            self.process = subprocess.Popen([self.program, "--state-dir", self.state, "--listen", "unix:" + self.socket,
                                             "--listen", "127.0.0.1:0"], stdout=log, stderr=log)
        until = time.monotonic() + 60
        while not (self.find_port(begin) and self.ready()):
            if self.process.poll() is not None or time.monotonic() > until:
                raise SystemExit("vhdd does not start:\n" + self.tail())
            time.sleep(0.01)

    def find_port(self, begin):
        """What it has picked is told in the log."""
        with open(self.log, "rb") as log:
            log.seek(begin)
            found = re.search(rb"http://127\.0\.0\.1:(\d+)", log.read())
        self.port = int(found[1]) if found else 0
        return found

    def ready(self):
        peer = wire.Peer(self.socket)
        try:
            return peer.ask("GET", "/readyz").status == 200
        except OSError:
            return False
        finally:
            peer.drop()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        if status:
            raise SystemExit(f"vhdd ended with {status}:\n" + self.tail())

    def tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-60:])

    def sockets(self):
        folder = f"/proc/{self.process.pid}/fd"
        links = {link(f"{folder}/{name}") for name in os.listdir(folder)}  # each thread has a copy of a listener
        return sum(name.startswith("socket:") for name in links)

    def wait_until_idle(self):
        """Until all requests whose clients have left have come to their end: then no connection is left either."""
        until = time.monotonic() + 20
        while self.sockets() > LISTENERS:
            if time.monotonic() > until:
                raise SystemExit("requests never come to an end:\n" + self.tail())
            time.sleep(0.01)

    def file_of(self, image):
        return f"{self.state}/images/{image}.vhd"

    def files(self):
        return {name[:-4] for name in os.listdir(self.state + "/images") if name.endswith(".vhd")}

    def remove(self):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder)


def link(path):
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return ""
