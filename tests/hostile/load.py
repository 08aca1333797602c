#!/usr/bin/env python3
"""Twelve hundred clients that hurt, and ten that work beside them.

usage: load.py VHDD [SECONDS]

In each of five rounds ten clients ask for SECONDS (6) alone and then for as long beside 500 connections whose head
comes byte by byte, 500 whose body does, 200 that say nothing, and a storm of connections that are reset. One
question in five is a write, which is answered when it is durable. The 99th percentile of all that they ask beside the
others may be twice that of all that they ask alone, and they have no error; the daemon's memory and descriptors have
bounds, and are what they were when the others have gone. What is read from memory alone is told as a figure: there, the
library's look at a thousand connections can be seen.
"""

import collections
import os
import pathlib
import random
import resource
import selectors
import socket
import struct
import subprocess
import sys
import time

import rig

HEADS, BODIES, IDLE = 500, 500, 200
CLIENTS, PAUSE = 10, 0.02
LIMIT_RATIO, LIMIT_KIB, ROUNDS = 2.0, 400 << 10, 5
DISK = 64 << 20

# ---- the ten


def requests(number):
    """One client's questions, and what it must be told."""
    at = number * 65536
    content = bytes([65 + number]) * 4096
    yield b"GET /v1/images/disk", b"", 200, None
    yield b"PUT /v1/images/disk/data?offset=%d" % at, content, 200, None
    yield b"GET /v1/images/disk/data?sector=%d&count=8" % (at // 512), b"", 200, content
    yield b"GET /v1/images/disk/sectors/%d" % (at // 512), b"", 200, None
    yield b"GET /v1/images?limit=10", b"", 200, None


class Client:
    """One connection that is kept, one question at a time, a pause in between."""

    def __init__(self, port, number):
        self.questions = list(requests(number))
        self.turn, self.due, self.begun, self.raw = 0, time.monotonic() + number * PAUSE / CLIENTS, None, b""
        self.peer = socket.create_connection(("127.0.0.1", port))
        self.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, now):
        line, body, _, _ = self.questions[self.turn % len(self.questions)]
        head = line + b" HTTP/1.1\r\nHost: localhost\r\n"
        if body:
            head += b"Content-Length: %d\r\n" % len(body)
        self.begun, self.raw = now, b""
        self.peer.sendall(head + b"\r\n" + body)

    def hear(self):
        """What was wrong with the answer; None: it is not there yet, "" when all is well."""
        piece = self.peer.recv(1 << 20)
        self.raw += piece
        head, end, body = self.raw.partition(b"\r\n\r\n")
        if not piece:
            return f"cut after {self.raw[:200]!r}"
        if not end:
            return None
        length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        if length and len(body) < int(length[0].split(b":")[1]):
            return None
        _, _, status, wanted = self.questions[self.turn % len(self.questions)]
        self.turn += 1
        right = int(head.split(b" ")[1]) == status and (wanted is None or body == wanted)
        return "" if right else f"{self.questions[self.turn % 5][0]!r}: {self.raw[:300]!r}"


WRITE = 1  # which of the questions


def work(clients, seconds):
    """Latencies of all answers in that time, in seconds, with the number of the question; and what was wrong."""
    took, errors = [], []
    selector = selectors.DefaultSelector()
    for client in clients:
        client.due = time.monotonic() + random.random() * PAUSE
        selector.register(client.peer, selectors.EVENT_READ, client)
    end = time.monotonic() + seconds
    while time.monotonic() < end or any(client.begun for client in clients):
        now = time.monotonic()
        for client in clients:
            if not client.begun and client.due <= now < end:
                client.ask(now)
        for key, _ in selector.select(0.001):
            client = key.data
            question = client.turn % len(client.questions)
            problem = client.hear()
            if problem is None:
                continue
            if not client.begun:  # cut while nobody asked
                return took, [*errors, problem]
            now = time.monotonic()
            took.append((now - client.begun, question))
            client.begun, client.due = None, now + PAUSE
            if problem:
                errors.append(problem)
        if now > end + 30 or len(errors) > 20:
            errors.append("no answer for half a minute" if now > end + 30 else "too many errors")
            break
    selector.close()
    return took, errors


def percentile(took, part, reads=False):
    """In milliseconds, of all or of what is only read."""
    times = sorted(time for time, question in took if not reads or question != WRITE)
    return times[int(len(times) * part)] * 1000


def tell(name, took):
    return (
        f"{name}: {len(took)} answers, p50 {percentile(took, 0.5):.2f} ms, p99 {percentile(took, 0.99):.2f} ms,"
        f" p99 of reads {percentile(took, 0.99, True):.2f} ms"
    )


# ---- the others


class Attack:
    """Keeps as many connections of each kind as it may; whoever is cut comes back."""

    def __init__(self, port):
        self.port, self.open, self.counts = port, {}, collections.Counter()

    def connect(self, kind):
        peer = socket.socket()
        peer.setblocking(False)
        try:
            peer.connect(("127.0.0.1", self.port))
        except BlockingIOError:
            pass
        except OSError:
            peer.close()
            return
        self.open[peer] = [kind, 0]

    def first(self, kind, number):
        """What a connection begins with."""
        if kind == "head":
            return b"GET /v1/images/disk HTTP/1.1\r\nHost: localhost\r\nX-A: "
        if kind == "body" and number % 5 == 0:
            return b"POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n{"
        if kind == "body":
            at = DISK // 2 + number % 400 * 65536
            line = b"PUT /v1/images/disk/data?offset=%d" % at
            return line + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65536\r\n\r\n"
        return b""

    def drip(self, peer, state):
        """A byte of each, now and then; some of those that send a head stop sending for good."""
        kind, sent = state
        try:
            if kind != "idle":
                peer.send(self.first(kind, peer.fileno()) if sent == 0 else b" ")
            if kind == "head" and sent == 3 and peer.fileno() % 10 == 0:
                peer.shutdown(socket.SHUT_WR)
            state[1] += 1
            peer.recv(4096, socket.MSG_DONTWAIT)
            self.counts["answered"] += 1
        except BlockingIOError:
            return
        except OSError:
            pass
        self.close(peer)

    def close(self, peer):
        self.open.pop(peer, None)
        peer.close()

    def reset(self):
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            peer.connect(("127.0.0.1", self.port))
            peer.sendall(random.choice([b"", b"GET / HT", b"GET /v1/images HTTP/1.1\r\nHost: localhost\r\n\r\n"]))
            self.counts["resets"] += 1
        except OSError:
            pass
        peer.close()

    def run(self):
        """Until nobody reads what it says: each second how many there are."""
        wanted = {"head": HEADS, "body": BODIES, "idle": IDLE}
        while True:
            begin = time.monotonic()
            have = collections.Counter(kind for kind, _ in self.open.values())
            for kind, n in wanted.items():
                for _ in range(min(n - have[kind], 300)):
                    self.connect(kind)
            peers = list(self.open.items())
            for number, (peer, state) in enumerate(peers):
                if number % 10 == 0:
                    self.reset()
                self.drip(peer, state)
                # Evenly over the second, not all of them at once.
                ahead = begin + number / max(len(peers), 1) - time.monotonic()
                if ahead > 0.005:
                    time.sleep(ahead)
            print(len(self.open), self.counts["resets"], self.counts["answered"], flush=True)
            time.sleep(max(0, begin + 1 - time.monotonic()))


# ---- the daemon


def memory(pid, what):
    """In KiB."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().split("\n")
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))


def n_descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def newcomer(port):
    """Somebody who comes in the middle is served or told to come again, and does not wait for that."""
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as peer:
        peer.sendall(b"GET /v1/images/disk HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = rig.Answer(rig.receive(peer))
    took = time.monotonic() - begin
    return (answer.status not in (200, 503) or took > 5) and f"{answer} after {took:.1f} s"


def stand(attack, least):
    """Waits until so many connections are there."""
    for line in attack.stdout:
        if int(line.split()[0]) >= least:
            return
    raise rig.Failure("the attack has ended")


def one_round(rows, daemon, port, seconds, number):
    clients = [Client(port, n) for n in range(CLIENTS)]
    alone, errors = work(clients, seconds)
    rows.row(f"round {number}: no error alone", errors and str(errors[:3]))
    attack = subprocess.Popen([sys.executable, "-B", __file__, "attack", str(port)], stdout=subprocess.PIPE, text=True)
    try:
        stand(attack, HEADS + BODIES)
        beside, errors = work(clients, seconds)
        rows.row(f"round {number}: no error beside the attack", errors and str(errors[:3]))
        rows.row(f"round {number}: a newcomer is answered", newcomer(port))
        n = n_descriptors(daemon.pid)
        rows.row(f"round {number}: descriptors beside the attack", (n < HEADS + BODIES or n > 1400) and f"{n} are open")
    finally:
        attack.terminate()
        attack.wait()
    for client in clients:
        client.peer.close()
    for name, took in (("alone", alone), ("beside the others", beside)):
        print(f"round {number}, {tell(name, took)}", flush=True)
    return alone, beside


def quiet(daemon, before):
    """The others have gone, and so has what they took."""
    end = time.monotonic() + 30
    while n_descriptors(daemon.pid) > before and time.monotonic() < end:
        time.sleep(0.1)
    n = n_descriptors(daemon.pid)
    return n > before and f"{n} descriptors are open, {before} were"


def measure(rows, daemon, seconds):
    port = daemon.tcp_port()
    daemon.ask("POST", "/v1/images", {"name": "disk", "size": DISK})
    daemon.ask("PUT", "/v1/images/disk/data", b"\1" * (1 << 20))
    work([client := Client(port, 0)], 1)
    held = n_descriptors(daemon.pid)
    client.peer.close()
    rows.row("the first client has left", quiet(daemon, held - 1))
    before, threads, rss = n_descriptors(daemon.pid), memory(daemon.pid, "Threads"), memory(daemon.pid, "VmRSS")
    times = [one_round(rows, daemon, port, seconds, number) for number in range(1, ROUNDS + 1)]
    rows.row("descriptors afterwards", quiet(daemon, before))
    now = memory(daemon.pid, "Threads")
    rows.row("threads afterwards", now > threads and f"{now}, there were {threads}")
    more = memory(daemon.pid, "VmHWM") - rss
    rows.row("memory at its height", more > LIMIT_KIB and f"{more} KiB more than {rss}")
    alone, beside = ([took for one in times for took in one[i]] for i in (0, 1))
    ratio = percentile(beside, 0.99) / percentile(alone, 0.99)
    reads = percentile(beside, 0.99, True) / percentile(alone, 0.99, True)
    for name, took in (("alone", alone), ("beside the others", beside)):
        print(f"all rounds, {tell(name, took)}")
    rows.row("the ten are not slowed down", ratio >= LIMIT_RATIO and f"p99 is {ratio:.2f} times as long")
    print(f"figure: load.p99_ratio {ratio:.2f}")
    print(f"figure: load.reads_p99_ratio {reads:.2f}")
    print(f"figure: load.memory_mib {more / 1024:.0f}")
    status = daemon.ask("GET", "/v1/images/disk").status
    rows.row("the daemon is well", status != 200 and str(status))


def main(program, seconds=6):
    rows = rig.Rows()
    with rig.folder() as work_folder:
        daemon = rig.Vhdd(program, work_folder)
        try:
            daemon.start("--listen", "127.0.0.1:0")
            measure(rows, daemon, float(seconds))
            daemon.stop()
        finally:
            daemon.kill()
    return rows.end(4 * ROUNDS + 5)


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if sys.argv[1] == "attack":
        os.nice(19)  # it is the daemon that is measured, not who has a machine of two cores
        try:
            Attack(int(sys.argv[2])).run()
        except (BrokenPipeError, KeyboardInterrupt):
            sys.exit(0)
    sys.exit(main(*sys.argv[1:]))
