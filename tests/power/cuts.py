#!/usr/bin/env python3
"""Cuts the power of a disk below a real file system, and asks the daemon for what it had promised.

Clients load the daemon on a file system whose disk logs every write and flush. For each cut a disk is made that holds
all up to a flush and a random part of what was written after it, sectors torn off too; the file system replays its
journal, the daemon starts, and all that was acknowledged before the cut is there: flushed sectors, images, snapshots,
names, deletions; every file is a valid image for a reader that shares nothing with the engine.
"""

import argparse
import bisect
import concurrent.futures
import mmap
import os
import random
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "kill")]

import load  # noqa: E402
import rig  # noqa: E402
import verify  # noqa: E402
from daemon import Daemon, Lost, Wrong  # noqa: E402
from journal import Journal, NotingOracle, noting_image  # noqa: E402

RECORD = struct.Struct("=IIQ")
WRITE, FLUSH = 1, 2
SECTOR = 512
LEFT = 4  # images that go while their files stay
LIES = 12  # tries to show that a disk which loses flushed writes is noticed


class World(verify.World):
    """On a file system that will be cut; nothing foreign lies in the pool."""

    def __init__(self, daemon, chance, oracle):
        super().__init__(daemon, chance)
        self.oracle = oracle

    def begin(self):
        os.makedirs(self.pool, 0o700)
        self.restart()
        self.set_stone()
        self.end(signal.SIGTERM)
        self.restart()

    def check_ready(self, client, known):
        status, _, ready = client.ask("GET", "/readyz")
        want = f"{known} finding{'s' if known > 1 else ''}, " if known else ""
        text = ready["checks"]["images"]["text"]
        if status != 200 or not ready["ready"] or (not text.startswith(want) if known else text):
            raise Wrong(f"readyz says {status} {ready}, not '{want}'")

    def workers(self):
        kinds = (load.Writer, load.Writer, load.Keeper)
        return [kind(self, number, self.random.getrandbits(64)) for number, kind in enumerate(kinds)]


class Log:
    """The records of the disk: where each ends, and which of them are flushes."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.records, self.ends, self.flushes, at = [], [], [], 0
        while at + RECORD.size <= len(self.raw):
            kind, length, offset = RECORD.unpack_from(self.raw, at)
            if kind == FLUSH:
                self.flushes.append(len(self.records))
            data = at + RECORD.size
            at = data + length
            self.records.append((kind, data, length, offset))
            self.ends.append(at)

    def apply(self, file, number, length=None):
        kind, data, whole, offset = self.records[number]
        if kind == WRITE:
            file.seek(offset)
            file.write(self.raw[data : data + (whole if length is None else min(length, whole))])

    def count_at(self, place):
        """How many records are whole at this place."""
        return bisect.bisect_right(self.ends, place)

    def durable_at(self, count):
        """How many of the first `count` records are before a flush among them."""
        return self.flushes[at - 1] if (at := bisect.bisect_left(self.flushes, count)) else 0


def kept(chance, count):
    """Which of so many unflushed writes reached the disk: for each how many of its sectors, -1 for all."""
    way = chance.choice(("none", "all", "some", "some", "torn", "torn", "but one", "only one", "prefix"))
    one, border = chance.randrange(count) if count else 0, chance.randint(0, count)
    rules = {
        "none": lambda number: 0,
        "all": lambda number: -1,
        "some": lambda number: chance.choice((0, -1)),
        "torn": lambda number: chance.choice((0, -1, -1, chance.randint(0, 16))),
        "but one": lambda number: 0 if number == one else -1,
        "only one": lambda number: -1 if number == one else 0,
        "prefix": lambda number: -1 if number < border else 0,
    }
    return way, [rules[way](number) for number in range(count)]


class Part:
    """One kind of file system: a load, and its cuts."""

    def __init__(self, options, kind, seed):
        self.options, self.kind, self.random = options, kind, random.Random(seed)
        self.seed = seed
        self.folder = tempfile.mkdtemp(prefix=f"vhdd-power-{kind}.")
        self.disk = rig.Disk(os.path.join(self.folder, "rig"), kind, options.plugin)
        self.journal = Journal(self.disk.position)
        self.told, self.lines, self.notices = 0, [], 0
        self.unflushed = 0
        self.bare = []  # places that are cut with nothing of what was not flushed

    # ---- the load

    def daemon(self, name):
        daemon = Daemon(self.options.vhdd, os.path.join(self.folder, name))
        daemon.state = os.path.join(self.disk.top, "state")
        return daemon

    def load(self):
        load.Image = verify.Image = noting_image(self.journal)
        self.disk.start()
        daemon = self.daemon("load")
        world = World(daemon, self.random, NotingOracle(self.journal))
        try:
            world.begin()
            begin = self.disk.position()
            for number in range(LEFT):
                self.let_go(world, number)
            world.load(self.options.seconds)
            world.end(signal.SIGTERM)
        finally:
            daemon.kill()
        self.journal.open = False
        end = self.disk.position()
        self.disk.stop()
        self.told = world.oracle.acknowledged
        return begin, end

    def let_go(self, world, number):
        """An image goes and its file stays: so that nothing is found but that file, its first name must be gone."""
        keeper = load.Keeper(world, f"-left-{number}", self.random.getrandbits(64))
        image = keeper.create()
        image.state = "leaving"
        keeper.ask("DELETE", f"/v1/images/{image.id}?keep_file=y", None, (204,))
        image.state = "left"
        self.bare.append(self.disk.position())

    # ---- the cuts

    def places(self, log, begin, end):
        """Right behind an answer, or anywhere; and the last."""
        first, last = log.count_at(begin), log.count_at(end)
        promises = [place for place in self.journal.promises() if begin < place <= end]
        out = [last, *map(log.count_at, self.bare)]
        while len(out) < self.options.cuts:
            behind = log.count_at(self.random.choice(promises))
            out.append(self.random.choice((behind, self.random.randint(first, last))))
        return sorted(max(first, count) for count in out)

    def build(self, log, durable, count, keep):
        """`now` holds all before the flush; the disk of the cut some of what follows."""
        cut = os.path.join(self.folder, "cut")
        rig.copy(os.path.join(self.folder, "now"), cut)
        with open(cut, "r+b") as file:
            for number, sectors in zip(range(durable, count), keep):
                if sectors:
                    log.apply(file, number, None if sectors < 0 else sectors * SECTOR)
        return cut

    def advance(self, log, have, want):
        with open(os.path.join(self.folder, "now"), "r+b") as file:
            for number in range(have, want):
                log.apply(file, number)
        return want

    def check(self, cut, place, thorough):
        """What was promised before this place is on the disk of the cut."""
        self.disk.mount(cut)
        daemon = self.daemon("check")
        daemon.process = None
        try:
            world = World(daemon, self.random, self.journal.until(place))
            world.restart()
            world.verify(thorough)
            world.end(signal.SIGTERM)
        finally:
            daemon.kill()
            self.disk.unmount()

    def cut(self, log, durable, count, way, keep, thorough=False):
        """None, or what is wrong."""
        cut = self.build(log, durable, count, keep)
        try:
            self.check(cut, log.ends[count - 1], thorough)
        except (Wrong, Lost, KeyError, OSError) as error:
            return f"cut behind record {count}, flushed up to {durable}, {way} of what follows: {error!r}"
        except rig.Broken as error:  # the file system cannot be mounted: not our promise, but no success
            return f"cut behind record {count}: {error}"
        return None

    def lies(self, log, begin, end):
        """A disk that forgot what was flushed: the tester must see that promises are broken."""
        rig.copy(self.disk.before, os.path.join(self.folder, "now"))
        first, last = log.count_at(begin), log.count_at(end)
        flushes = [at for at in log.flushes if first <= at < last]
        lost = len(flushes) // 3
        have = self.advance(log, 0, flushes[lost])
        for number in range(LIES):
            count = flushes[min(len(flushes) - 1, lost + 4 * (number + 1))]
            if self.cut(log, have, count, "lie", [0] * (count - have)):
                self.notices += 1
                return
        raise Wrong(f"{self.kind}: a disk that loses flushed writes was not noticed in {LIES} cuts")

    def run(self):
        begin, end = self.load()
        log = Log(self.disk.log)
        rig.copy(self.disk.before, os.path.join(self.folder, "now"))
        violations, have, places = [], 0, self.places(log, begin, end)
        for number, count in enumerate(places):
            durable = log.durable_at(count)
            have = self.advance(log, have, durable)
            way, keep = kept(self.random, count - durable)
            if count in map(log.count_at, self.bare):
                way, keep = "nothing", [0] * (count - durable)
            self.unflushed += any(log.records[at][0] == WRITE for at in range(durable, count))
            wrong = self.cut(log, durable, count, way, keep, number % 16 == 0)
            if wrong:
                violations.append(wrong)
                print(f"{self.kind}, seed {self.seed}: {wrong}", flush=True)
        self.lies(log, begin, end)
        return {"kind": self.kind, "cuts": len(places), "violations": len(violations), "told": self.told,
                "records": len(log.records), "flushes": len(log.flushes), "unflushed": self.unflushed}


def work(options, kind, seed):
    begin = time.monotonic()
    part = None
    try:
        part = Part(options, kind, seed)
        result = part.run()
        print("{kind}: {cuts} cuts ({unflushed} with unflushed writes), {violations} violations; {told} answers kept, "
              "{records} writes and flushes, {flushes} flushes".format(**result) +
              f"; {time.monotonic() - begin:.0f} s, seed {seed}", flush=True)
        return result
    except Exception:
        print(f"FAILED: {kind}, seed {seed}\n{traceback.format_exc()}", flush=True)
        return {"cuts": 0, "violations": 1}
    finally:
        if part and not options.keep:
            part.disk.abandon()
            shutil.rmtree(part.folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--vhdd", required=True)
    parser.add_argument("--plugin", required=True, help="disk_log for nbdkit")
    parser.add_argument("--cuts", type=int, default=60, help="for each file system")
    parser.add_argument("--seconds", type=float, default=4, help="of load, likewise")
    parser.add_argument("--kinds", default=",".join(rig.KINDS))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("VHDD_SEED", time.time_ns() % 10**9)))
    parser.add_argument("--keep", action="store_true", help="keep the folders")
    options = parser.parse_args()
    rig.enter(options.plugin)
    kinds = options.kinds.split(",")
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        results = list(pool.map(work, [options] * len(kinds), kinds, range(options.seed, options.seed + len(kinds))))
    cuts, violations = (sum(result[key] for result in results) for key in ("cuts", "violations"))
    print(f"figure: power.cuts {cuts}\nfigure: power.violations {violations}", flush=True)
    return violations != 0 or cuts < options.cuts * len(kinds)


if __name__ == "__main__":
    sys.exit(main())
