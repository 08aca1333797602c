#!/usr/bin/env python3
"""Ends the daemon again and again, at named points and at any time, and asks it for what it had promised.

Each cycle: start, load of five clients, an end, start again, and all that was acknowledged is there: flushed sectors,
images, names, labels, deletions; every file is sound to a reader that shares nothing with the engine; no file is left
that no image has; the daemon finds nothing but what was planted, and is ready within two seconds, those not counted in
which it waited for a processor or for the disk.
"""

import argparse
import collections
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True

import scenes  # noqa: E402
from daemon import Daemon, Wrong  # noqa: E402
from verify import World  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
SIGNS = (signal.SIGKILL, signal.SIGTERM)
READY = 2.0


def points_of_sources():
    names = set()
    for folder in ("engine", "api", "server"):
        for root, _, files in os.walk(os.path.join(TOP, folder)):
            for name in files:
                if name.endswith(".c"):
                    with open(os.path.join(root, name), encoding="utf-8") as file:
                        names.update(re.findall(r'CRASH_POINT\("([a-z0-9.-]+)"\)', file.read()))
    return sorted(names)


class Part:
    """What one process does: some cycles, in a state folder of its own."""

    def __init__(self, options, points):
        self.options, self.points = options, points
        self.random = random.Random(options.seed)
        self.hits = collections.Counter()
        self.tries = collections.Counter()
        self.kinds = collections.Counter()
        self.folder = tempfile.mkdtemp(prefix="vhdd-kill.")
        self.world = World(Daemon(options.vhdd, self.folder), self.random)

    def cycle(self, number):
        """Points that were never met come first, then all of them in turn; between them ends at any time."""
        dice = self.random.random()
        missing = [point for point in self.points if not self.hits[point]]
        if dice < (0.7 if missing else 0.4):
            point = min(missing or self.points, key=lambda name: (self.tries[name], name))
            self.tries[point] += 1
            scene = scenes.scene_of(point)
            hit = scene(self.world, point, self.tries[point])
            self.hits[point] += hit
            self.kinds["point"] += 1
        else:
            sign = signal.SIGKILL if dice < 0.9 else signal.SIGTERM
            self.world.load(self.random.uniform(0.02, 0.6))
            self.world.end(sign)
            self.kinds[sign.name] += 1
            if number % 3 == 0:
                self.world.daemon.start_and_end(self.random.uniform(0, 0.15), self.random.choice(SIGNS))
                self.kinds["in a start"] += 1
        self.world.restart()
        self.world.verify(thorough=number % 8 == 0)

    def run(self):
        try:
            self.world.begin()
            for number in range(self.options.cycles):
                self.cycle(number)
            self.world.end(signal.SIGTERM)
            status = 0
        except Exception as error:  # the whole story, and the folder to look into
            print(f"FAILED after {sum(self.kinds.values())} cycles, seed {self.options.seed}: {error!r}")
            print(f"tries: {dict(self.tries)}" if self.options.verbose else "", end="")
            if not isinstance(error, Wrong):
                import traceback
                traceback.print_exc()
            print("--- log of vhdd\n" + self.world.daemon.tail())
            status = 1
        self.world.daemon.kill()
        print(json.dumps({
            "hits": self.hits, "kinds": self.kinds, "starts": self.world.daemon.starts,
            "acknowledged": self.world.oracle.acknowledged, "folder": self.folder}))
        if status == 0 or not self.options.keep:
            shutil.rmtree(self.folder)
        return status


def share(options, points):
    """Several parts beside each other, each with its own points."""
    parts = []
    for number in range(options.jobs):
        command = [sys.executable, os.path.abspath(__file__), "--vhdd", options.vhdd, "--part",
                   "--seed", str(options.seed + number), "--points", ",".join(points[number :: options.jobs]),
                   "--cycles", str(options.cycles // options.jobs + (number < options.cycles % options.jobs))]
        if options.keep:
            command.append("--keep")
        parts.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    return parts


def gather(parts):
    total = {"hits": collections.Counter(), "kinds": collections.Counter(), "starts": [], "acknowledged": 0}
    failed = 0
    outputs = [None] * len(parts)

    def collect(number):
        outputs[number] = parts[number].communicate()[0]

    threads = [threading.Thread(target=collect, args=(number,)) for number in range(len(parts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for part, output in zip(parts, outputs):
        *text, last = output.strip().split("\n") if output.strip() else [""]
        failed += part.returncode != 0
        if part.returncode:
            print("\n".join(text))
        try:
            result = json.loads(last)
        except ValueError:
            print(last)
            failed += part.returncode == 0
            continue
        total["hits"].update(result["hits"])
        total["kinds"].update(result["kinds"])
        total["starts"] += result["starts"]
        total["acknowledged"] += result["acknowledged"]
    return total, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--vhdd", default=os.environ.get("VHDD", "build/dev/bin/vhdd"))
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("VHDD_SEED", time.time_ns() % 10**9)))
    parser.add_argument("--points", help="only these, with a comma between them")
    parser.add_argument("--every-point", action="store_true", help="a point that was never met is a failure")
    parser.add_argument("--keep", action="store_true", help="keep the folder of a failure")
    parser.add_argument("--list", action="store_true", help="print the names of the points")
    parser.add_argument("--part", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    if not shutil.which("qemu-img"):
        print("skipped: qemu-img is not installed")
        return 77
    known = points_of_sources()
    points = options.points.split(",") if options.points else known
    if options.list:
        print("\n".join(known))
        return 0
    if options.part:
        return Part(options, points).run()
    if len(known) < 40 or set(points) - set(known):
        print(f"{len(known)} crash points; unknown: {sorted(set(points) - set(known))}")
        return 1
    begin = time.monotonic()
    random.Random(options.seed).shuffle(points)
    total, failed = gather(share(options, points))
    cycles = sum(n for kind, n in total["kinds"].items() if kind != "in a start")
    missed = [point for point in points if not total["hits"][point]]
    kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(total["kinds"].items()))
    print(f"{cycles} cycles ({kinds}), {len(points) - len(missed)} of {len(points)} points met, "
          f"{total['acknowledged']} answers kept, "
          f"slowest start {max(total['starts'], default=0):.2f} s, "
          f"{time.monotonic() - begin:.0f} s, seed {options.seed}")
    print(f"figure: kill.cycles {cycles}")
    if options.every_point:
        print(f"figure: kill.points ={len(points) - len(missed)}")
    if missed and options.every_point:
        print("never met: " + " ".join(missed))
        failed += 1
    late = [seconds for seconds in total["starts"] if seconds > READY]
    if late:
        print(f"{len(late)} of {len(total['starts'])} starts took longer than {READY} s: {late}")
        failed += 1
    return failed != 0


sys.exit(main())
