#!/usr/bin/env python3
"""Lets each call of the daemon fail, once and from then on, in each scenario; with --sites each place that makes one.

usage: run.py VHDD LIBRARY [--sites] [--taste N] [--every N] [--jobs N] [--only SCENARIO] [--kind KIND] [--seed N]
"""

import argparse
import errno
import fnmatch
import multiprocessing
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time
import traceback

import scenarios
import sites
from daemon import FOR_EVER, HALF, JANSSON, ONE, OTHERS, OURS, SQLITE, ZERO, Daemon, Failure, without_backup
from world import World

FOLDER = pathlib.Path(__file__).parent
# Few files may stay open, and nothing is flushed but when somebody asks for it.
CONFIG = "[limits]\nimages_open = 8\nworkers = 2\n[flush]\nms = 20\n[http]\nhosts = a.example\norigins = http://b.example\n"

TRANSFERS = "pread64 preadv64v2 read pwrite64 pwritev64 write"
CHANGES = "ftruncate64 fallocate64 posix_fallocate64"
OPENS = "open64 openat64 syscall opendir fdopendir fopen64"
NAMES = "link linkat rename unlink unlinkat mkdir chmod realpath access readlink getcwd"
LOOKS = "lseek64 mmap64 mincore fstat64 stat64 lstat64 fstatat64 fstatvfs64 readdir64"
SYNCS = "fsync fdatasync"
LOCKS = "fcntl64 flock"
SOCKETS = "socket bind listen connect shutdown getsockname getpeername getsockopt setsockopt getnameinfo"
STREAMS = "accept4 recv send sendmsg sendfile64 epoll_wait epoll_ctl eventfd"
MEMORY = "malloc calloc realloc reallocarray strdup strndup vasprintf posix_memalign aligned_alloc tsearch"
LIBRARY_MEMORY = MEMORY.replace(" realloc", "")  # the sanitizer needs it for new threads
FILES = f"{TRANSFERS} {CHANGES} {OPENS} {NAMES} {LOOKS} {SYNCS} {LOCKS} posix_fadvise64 close dup"
ROOM = f"pwrite64 pwritev64 write {CHANGES} {SYNCS} open64 openat64 link linkat rename mkdir"


class Kind:
    def __init__(self, name, error, parts, calls, bursts=(1, FOR_EVER), most=None, also=(), lost=False):
        self.name, self.error, self.parts, self.calls = name, error, parts, calls.split()
        self.bursts, self.most, self.also, self.lost = bursts, most, set(also), lost


KINDS = [
    Kind("EIO", errno.EIO, OURS, f"{FILES} {SOCKETS} getrlimit64 setrlimit64 getrandom poll"),
    Kind("ENOSPC", errno.ENOSPC, OURS, ROOM),
    Kind("EDQUOT", errno.EDQUOT, OURS, ROOM),
    Kind("EINTR", errno.EINTR, OURS, f"{FILES} sigwaitinfo sigtimedwait getrandom connect poll", bursts=(3,)),
    # Flags of a file that cannot be asked for are no lock that is held.
    Kind("EAGAIN", errno.EAGAIN, OURS, f"{LOCKS} preadv64v2 pthread_create getrandom", also=(422,)),
    Kind("EMFILE", errno.EMFILE, OURS, f"{OPENS} socket dup fcntl64 eventfd"),
    Kind("ENOSYS", errno.ENOSYS, OURS, "syscall"),
    Kind("one byte", ONE, OURS, TRANSFERS),
    Kind("half", HALF, OURS, TRANSFERS),
    # A file that ends too early is taken for damaged.
    Kind("nothing", ZERO, OURS, "pread64 preadv64v2 read pwrite64 pwritev64 getrandom", also=(422,)),
    Kind("no memory", errno.ENOMEM, OURS, f"{MEMORY} pthread_create gnutls_hash_init ini_parse_stream {OPENS} mkdir"),
    Kind("SQLite: EIO", errno.EIO, SQLITE, f"{FILES}"),
    # Each takes the second that the daemon needs to see that there is room again.
    Kind("SQLite: ENOSPC", errno.ENOSPC, SQLITE, ROOM, most=3),
    Kind("SQLite: EDQUOT", errno.EDQUOT, SQLITE, ROOM, most=3),
    Kind("SQLite: EINTR", errno.EINTR, SQLITE, FILES, bursts=(3,)),
    Kind("SQLite: half", HALF, SQLITE, TRANSFERS),
    Kind("SQLite: no memory", errno.ENOMEM, SQLITE, MEMORY, most=40),
    Kind("jansson: no memory", errno.ENOMEM, JANSSON, MEMORY, most=40),
    # Without any memory libmicrohttpd accepts nobody, and tries for ever.
    Kind("libraries: no memory", errno.ENOMEM, OTHERS, LIBRARY_MEMORY, bursts=(1,), most=40, lost=True),
    # From then on no client would ever get an answer. None of them moves a part only while there is more: then the
    # socket is exhausted, as epoll(7) promises, and the library waits for the next edge.
    Kind("libraries: EIO", errno.EIO, OTHERS, f"{STREAMS} {SOCKETS} fcntl64", bursts=(1,), most=20, lost=True),
    Kind("libraries: EINTR", errno.EINTR, OTHERS, STREAMS, bursts=(3,), most=20, lost=True),
    Kind("libraries: EMFILE", errno.EMFILE, OTHERS, "accept4 eventfd epoll_create1 socket", bursts=(1,)),
]


SCENARIOS = {scenario.__name__: scenario for scenario in scenarios.ALL}
TIMES = 3  # so often, for it may be called from several places
PIECE = 20  # places at which one daemon fails: so many that nobody is left to work alone for long
PIECE_SLOW = 4
NOTHING = Kind("nothing fails", 0, OURS, "")


class Runner:
    """Runs scenarios on a daemon of its own."""

    def __init__(self, options, name):
        self.options, self.runs, self.told, self.world = options, 0, set(), None
        self.found, self.sites, self.works, self.calls = [], {}, 0, 0
        self.reached = {}  # {place: (call, how often)} of the last run
        self.after = {}  # {place: (call, the failure after which it was met)}
        self.random = random.Random(f"{options.seed} {name}")

    def fresh(self):
        self.collect()
        self.works += 1
        work = pathlib.Path(self.options.work) / f"{os.getpid()}-{self.works}"
        work.mkdir()
        (work / "root").mkdir()
        (work / "state").mkdir(mode=0o700)
        without_backup(work / "state")
        config = f"{CONFIG}[pool]\nroots = {work}/root:{work}/not-there\n"
        self.world = World(Daemon(self.options.program, self.options.library, work, config))
        self.world.daemon.start()

    def collect(self):
        if not self.world:
            return
        self.world.daemon.kill()
        for at, (call, seen, failed) in self.world.daemon.page.sites().items():
            before = self.sites.get(at, (call, 0, 0))
            self.sites[at] = (call, before[1] + seen, before[2] + failed)
        shutil.rmtree(self.world.daemon.work)
        self.world = None

    def once(self, scenario, kind, number, burst, site=0, also=(0, 0)):
        """One run, in which the call `number` (of those from `site`) fails; whether there was such a call."""
        world, page = self.world, self.world.daemon.page
        world.begin()
        steps = scenario(world)
        next(steps)
        before = page.sites()
        world.ends = set()
        world.also, world.may_be_lost, world.lacks_memory = kind.also, kind.lost, "memory" in kind.name
        world.goes_on = kind.error == errno.EINTR
        if kind is not NOTHING:
            world.arm(kind.parts, kind.calls, kind.error, number, burst, site, also)
        next(steps, None)
        failed, self.last, self.calls = page.failed, page.last, page.calls
        world.disarm()
        met = {at: (call, seen - before.get(at, ("", 0, 0))[1]) for at, (call, seen, _) in page.sites().items()}
        self.reached = {at: (call, times) for at, (call, times) in met.items() if times}
        self.runs += 1
        world.settle()
        next(steps, None)
        world.may_end = False
        world.check()
        world.clear()
        return failed > 0

    def guarded(self, scenario, kind, number, burst, site=0, also=(0, 0)):
        self.last = ("", 0)
        try:
            return self.once(scenario, kind, number, burst, site, also)
        except Exception as why:  # all that went wrong is told, and the next run starts afresh
            if self.world:
                self.last = self.world.daemon.page.last
            self.report(scenario, kind, number, burst, why)
            self.fresh()
            return True

    def report(self, scenario, kind, number, burst, why):
        text = str(why) if isinstance(why, Failure) else "".join(traceback.format_exception(why))
        how = "once" if burst == 1 else "for ever" if burst == FOR_EVER else f"{burst} times"
        key = (scenario.__name__, kind.name, burst, self.last, text[:60])
        if key not in self.told:
            self.told.add(key)
            self.found.append((scenario.__name__, kind.name, how, number, self.last, text))

    def numbers(self, scenario, kind, burst):
        """Which calls shall fail: all, or as many as there is time for."""
        most = 2 if scenario in scenarios.SLOW else kind.most
        if not most and self.options.every == 1:
            yield from range(100000)
        self.guarded(scenario, kind, FOR_EVER, burst)
        step = max(self.options.every, -(-self.calls // most) if most else 1)
        yield from range(self.random.randrange(step), self.calls, step)

    def taste(self, scenario):
        """A few kinds of failure, and of each a few calls."""
        for kind in self.random.sample(KINDS, 0 if scenario in scenarios.SLOW else self.options.taste):
            burst = self.random.choice(kind.bursts)
            self.guarded(scenario, kind, FOR_EVER, burst)
            for number in self.random.sample(range(self.calls), min(2, self.calls)):
                self.guarded(scenario, kind, number, burst)

    def reach(self, scenario):
        """Which calls there are when nothing fails, and when those of libraries do."""
        self.guarded(scenario, NOTHING, 0, 0)
        reached = self.reached
        for kind in KINDS:
            if kind.parts != OURS and scenario not in scenarios.SLOW:
                self.first(scenario, kind, kind.bursts[-1])
        self.reached = reached

    def first(self, scenario, kind, burst, site=0, number=0):
        """A failure, after which other calls may be made than without."""
        self.reached = {}
        failed = self.guarded(scenario, kind, number, burst, site)
        for at, (call, _) in self.reached.items():
            self.after.setdefault(at, (call, (KINDS.index(kind), number, burst, site)))
        return failed

    def at_sites(self, scenario, places):
        """Each of these places fails in all ways that its call has, and for ever in the first of them; one that has
        failed elsewhere, each of so many times; one that is only met `after` another failure, each time in the first
        way."""
        for site, call, after in places:
            kinds = [kind for kind in KINDS if kind.parts == OURS and call in kind.calls]
            if isinstance(after, int):
                for number in range(min(after, TIMES)):
                    if not self.first(scenario, kinds[0], kinds[0].bursts[0], site, number):
                        break
                continue
            if after:
                kind, number, burst, before = after
                self.guarded(scenario, KINDS[kind], number, burst, before, (site, kinds[0].error))
                continue
            if not self.first(scenario, kinds[0], kinds[0].bursts[0], site):
                self.fresh()  # some things are done once
            for kind in kinds[:1]:
                self.first(scenario, kind, kind.bursts[-1], site)
            for kind in kinds[1:]:
                self.first(scenario, kind, kind.bursts[0], site)

    def all(self, scenario):
        for kind in KINDS:
            if self.options.kind not in (None, kind.name):
                continue
            for burst in kind.bursts:
                for number in self.numbers(scenario, kind, burst):
                    if not self.guarded(scenario, kind, number, burst):
                        break

    def scenario(self, scenario, places):
        self.fresh()
        if places is not None:
            self.at_sites(scenario, places)
        elif self.options.sites:
            self.reach(scenario)
        elif self.options.taste:
            self.taste(scenario)
        else:
            self.all(scenario)
        try:
            self.world.check_empty()
            self.world.stop()
        except Failure as why:
            self.report(scenario, Kind("the end", 0, 0, ""), 0, 0, why)
        self.collect()


def fail(failures, text):
    failures.append(text)
    print("FAILED:", text, flush=True)


def work(job):
    """`places`: of calls that shall fail; None: as the options say."""
    options, name, places = job
    runner = Runner(options, name)
    begin = time.monotonic()
    runner.scenario(SCENARIOS[name], places)
    runner.world = None
    return name, runner, time.monotonic() - begin


def can_fail(call):
    return any(kind.parts == OURS and call in kind.calls for kind in KINDS)


class Tally:
    """What all runners have found."""

    def __init__(self, options, pool):
        self.options, self.pool = options, pool
        self.runs, self.seen, self.failures = 0, {}, []
        self.after = {}  # {place: [(scenario, call, the failure after which it is met)]}

    def run(self, jobs):
        """[(scenario, places)]; {scenario: what it reached}."""
        reached = {}
        jobs = [(self.options, name, places) for name, places in jobs]
        for name, runner, seconds in self.pool.imap_unordered(work, jobs):
            print(f"{name}: {runner.runs} runs in {seconds:.1f} s, {len(runner.found)} failures", flush=True)
            self.runs += runner.runs
            reached[name] = runner.reached
            for at, (call, met, failed) in runner.sites.items():
                before = self.seen.get(at, (call, 0, 0))
                self.seen[at] = (call, before[1] + met, before[2] + failed)
            for at, (call, after) in runner.after.items():
                self.after.setdefault(at, []).append((name, call, after))
            for failure in runner.found:
                fail(self.failures, describe(self.options, failure))
        return reached

    def may_fail(self, at, call):
        """Whether it has not failed yet."""
        return not self.seen.get(at, (call, 0, 0))[2] and can_fail(call)

    def at_sites(self, names):
        """Every place that a scenario reaches fails there; one that did not, in the next that reaches it, or after
        the failure that leads there."""
        reached = self.run([(name, None) for name in names])
        for turn in range(3):
            shares = {name: [] for name in names}
            for at, (call, _) in sorted({at: met for places in reached.values() for at, met in places.items()}.items()):
                who = [name for name in names if at in reached[name]]
                if self.may_fail(at, call) and turn < len(who):
                    least = min(who[turn:][:4], key=lambda name: len(shares[name]))
                    shares[least].append((at, call, None))
            self.run(pieces(shares))
        reached = {scenario.__name__: reached.get(scenario.__name__, {}) for scenario in scenarios.THOROUGH}
        self.run(pieces({
            name: [(at, call, times) for at, (call, times) in sorted(places.items()) if can_fail(call)]
            for name, places in reached.items()
        }))
        for turn in range(3):
            shares = {name: [] for name in names}
            for at, ways in sorted(self.after.items()):
                if turn < len(ways) and self.may_fail(at, ways[turn][1]):
                    name, call, after = ways[turn]
                    shares[name].append((at, call, after))
            self.run(pieces(shares))


def pieces(shares):
    """Of {scenario: places}, as work()."""
    cut = {name: PIECE_SLOW if SCENARIOS[name] in scenarios.SLOW else PIECE for name in shares}
    return [(name, share[at : at + cut[name]]) for name, share in shares.items() for at in range(0, len(share), cut[name])]


def read_list(name):
    """{first words: reason} of a file of lines `words: reason`."""
    lines = (FOLDER / name).read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))


def judge_sites(options, seen, failures):
    """Every call that may fail is known, and has failed."""
    known = set(options.calls)
    harmless = read_list("harmless.txt")
    for symbol in sorted(sites.undefined(options.program) - known):
        if not any(fnmatch.fnmatchcase(symbol, pattern) for pattern in harmless):
            fail(failures, f"{symbol}() is neither made to fail nor listed in harmless.txt")
    # Neither fails: one is shifted, and one forgets, which heals.py is about.
    places, tails = sites.find(options.program, known - {"clock_gettime", "MHD_queue_response"})
    for call in sorted(set(tails)):
        fail(failures, f"{call}() is a tail call somewhere, whose site cannot be told")
    named = sites.name(options.program, places)
    excuses = read_list("unhit.txt")
    # The compiler may have put one call into several places.
    copies = {}
    for place, site in named.items():
        copies.setdefault(site, []).append(seen.get(place, ("", 0, 0)))
    hit, excused, used = 0, [], set()
    for site, met in sorted(copies.items(), key=lambda item: item[0].where):
        words = {f"{site.function} {site.call}"} | {f"{site.function} {site.call} in {above.split()[0]}" for above in site.above}
        used |= words
        if any(failed for _, _, failed in met):
            hit += 1
        elif words & excuses.keys():
            excused.append(f"{site.where}: {site.call}() in {site.function}(), {' '.join(site.above)}")
        else:
            reached = "reached, but never failed" if any(times for _, times, _ in met) else "never reached"
            fail(failures, f"{site.where}: {site.call}() in {site.function}(), {' '.join(site.above)}: {reached}")
    for words in sorted(set(excuses) - used):
        fail(failures, f"unhit.txt: '{words}' is not there any more")
    print("excused:", *excused, sep="\n  ")
    print(f"figure: fault.sites {len(copies)}")
    print(f"figure: fault.hit {hit}")
    print(f"figure: fault.excused {len(excused)}")
    print(f"figure: fault.unhit {len(copies) - hit - len(excused)}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("library")
    parser.add_argument("--taste", type=int, help="so many kinds of failure for each scenario, and a few calls of each")
    parser.add_argument("--sites", action="store_true", help="each place of the program that makes a call, one by one")
    parser.add_argument("--every", type=int, default=1, help="only each n-th call; sites are not judged then")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", action="append")
    parser.add_argument("--kind")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("VHDD_SEED", time.time_ns() % 1000000)))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # where syncs cost nothing
    names = options.only or list(SCENARIOS)
    with tempfile.TemporaryDirectory(prefix="vhdd-fault-", dir=shm) as options.work:
        options.calls = known_calls(options)
        with multiprocessing.Pool(options.jobs) as pool:
            tally = Tally(options, pool)
            if options.sites:
                tally.at_sites(names)
            else:
                tally.run([(name, None) for name in names])
    if options.every == 1 and not (options.taste or options.only or options.kind):
        judge_sites(options, tally.seen, tally.failures)
    print(f"figure: fault.runs {tally.runs}")
    print(f"{len(tally.failures)} failures")
    return 1 if tally.failures else 0


def known_calls(options):
    work = pathlib.Path(options.work) / "names"
    work.mkdir()
    daemon = Daemon(options.program, options.library, work)
    daemon.run("--version")
    return [name for name in daemon.page.names() if name]


def describe(options, failure):
    scenario, kind, how, number, (call, place), text = failure
    where = ""
    if place:
        site = sites.name(options.program, {place: call})[place]
        where = f" in {site.function}(), {site.where}"
    return f"{scenario}, {kind} {how} from call {number}; last {call}(){where}: {text}"


if __name__ == "__main__":
    sys.exit(main())
