#!/usr/bin/env python3
"""Eight clients ask a daemon for all kinds of things at once, it is killed now and then, and a model says whether its
answers can have been.

usage: run.py VHDD

VHDD_SEED is a seed to use again (each client draws the same numbers; what they meet depends on the time), VHDD_MODEL_OPS
the number of operations, VHDD_MODEL_SECONDS when to stop at the latest.
"""

import collections
import os
import random
import shutil
import subprocess
import sys
import threading
import time

from clients import CLIENTS, Client, look, run_clients
from daemon import Daemon
from era import CLEAN, KILLED, Snapshot, check
from generate import SIZES
from history import PAGE, fill
from search import Wrong
from view import View


class Run:
    def __init__(self, program, seed, ops, seconds):
        self.daemon, self.seed = Daemon(program), seed
        self.rng = random.Random(seed)
        self.view, self.lock = View(), threading.Lock()
        self.total, self.until = ops, time.monotonic() + seconds
        self.left, self.eras, self.ending, self.broken = 0, 0, False, []
        self.kinds, self.codes = collections.Counter(), collections.Counter()
        self.clients = [Client(seed, number, self) for number in range(CLIENTS)]

    def go_on(self):
        with self.lock:
            self.left -= 1
            return self.left >= 0 and not self.ending and not self.broken

    def one_era(self, before):
        """Returns what is there after it."""
        how = self.rng.choice(("quiet", "quiet", "kill", "kill", "term"))
        self.left = self.rng.randint(100, 400)
        until_kill = self.left * self.rng.random()
        self.eras += 1
        self.view.new_era()
        threads = run_clients(self.clients)
        if how == "kill":
            self.kill_at(until_kill, threads)
        for thread in threads:
            thread.join()
        if self.broken:
            raise self.broken[0]
        return self.judge(before, how)

    def kill_at(self, left, threads):
        while self.left > left and any(thread.is_alive() for thread in threads):
            time.sleep(0.001)
        self.ending = True
        self.daemon.kill()

    def judge(self, before, how):
        ops = [op for client in self.clients for op in client.ops]
        if how == "quiet":
            self.daemon.wait_until_idle()
        elif how == "term":
            self.daemon.stop()
        if how != "quiet":
            self.ending = False
            self.daemon.start()
        after = look(self.daemon)
        check(before, after, ops, KILLED if how == "kill" else CLEAN)
        self.count(ops)
        self.believe(after)
        return after

    def count(self, ops):
        for op in ops:
            self.kinds[op.args.get("what", op.kind)] += 1
            self.codes["no answer" if op.lost else op.code or op.status] += 1
        for client in self.clients:
            client.ops = []

    def believe(self, after):
        """The clients forget images that are not there."""
        for image in set(self.view.images) - set(after.names):
            self.view.remove(image)
        if self.daemon.files() != set(after.names):
            raise SystemExit(f"files {self.daemon.files()} for images {set(after.names)}")

    def eras_until_done(self):
        state, begin = Snapshot(set(), {}), time.monotonic()
        self.daemon.start()
        while sum(self.kinds.values()) < self.total and time.monotonic() < self.until:
            state = self.one_era(state)
        spent = time.monotonic() - begin
        self.daemon.stop()
        self.check_files(state)
        done = sum(self.kinds.values())
        print(f"{done} operations in {self.eras} eras, {done / spent:.0f} a second; {len(state.names)} images are left")
        print(f"figure: model.operations {done}")
        print("kinds:", dict(self.kinds.most_common()))
        print("answers:", dict(self.codes.most_common()))

    def check_files(self, state):
        """Another program reads the same from what has no parent. (It knows no chains.)"""
        if not shutil.which("qemu-img"):
            print("qemu-img is not installed: files are not compared")
            return
        for image in [image for image, parent in state.parents.items() if not parent]:
            raw = self.daemon.folder + "/raw"
            with open(raw, "wb") as file:
                file.write(content(state.contents[image]))
            compare = ["qemu-img", "compare", "-f", "vpc", "-F", "raw", self.daemon.file_of(image), raw]
            done = subprocess.run(compare, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            if done.returncode:
                raise SystemExit(f"qemu-img and {image}: {done.stdout}")


def content(tags):
    """The octets that the tags stand for; a cell ends where the next one begins."""
    places = sorted(tags)
    ends = places[1:] + [size_of(places[-1])]
    return b"".join(fill(tags[at], at, end - at) if tags[at] else bytes(end - at) for at, end in zip(places, ends))


def size_of(last):
    """The size of the disk whose last cell lies there."""
    return next(size for size in SIZES if last < size <= last + PAGE)


def main():
    seed = int(os.environ.get("VHDD_SEED") or random.randrange(1 << 32))
    print(f"seed: {seed}", flush=True)
    run = Run(sys.argv[1], seed, int(os.environ.get("VHDD_MODEL_OPS") or 6000),
              float(os.environ.get("VHDD_MODEL_SECONDS") or 20))
    try:
        run.eras_until_done()
    except Wrong as why:
        print(f"seed {seed}, era {run.eras}: {why}")
        return 1
    except BaseException:
        print(f"seed {seed}, era {run.eras}\n{run.daemon.tail()}")
        raise
    finally:
        run.daemon.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
