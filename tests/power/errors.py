#!/usr/bin/env python3
"""Lets the disk below a real file system fail, fill up and stall, and holds the daemon to what it says then.

A sync error is never turned into success: the kernel's second fdatasync says 0 while the disk has nothing, so the
image is failed, writes are refused, the write verifier is another, and recovery goes by what the disk holds.
"""

import argparse
import mmap
import os
import shutil
import sys
import tempfile
import threading
import time
import traceback
import uuid

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "kill")]

import rig  # noqa: E402
from daemon import Client, Daemon, Wrong  # noqa: E402
from vhdfile import File  # noqa: E402

SIZE, PIECE = 16 << 20, 64 << 10
STALL = 10  # seconds
KINDS = ("ext4", "xfs")
# What waits for the disk is flushed when it is asked for, and not by itself.
CONFIG = "[flush]\nms = 600000\n"


def expect(what, seen, wanted):
    if seen != wanted:
        raise Wrong(f"{what}: {seen!r}, not {wanted!r}")


class Scene:
    """A disk with a file system, a daemon on it, and one image of which PIECE bytes are written: all of them 'a'."""

    def __init__(self, options, kind, error):
        self.folder = tempfile.mkdtemp(prefix=f"vhdd-power-{kind}.")
        self.error, self.client = error, None
        self.disk = rig.Disk(os.path.join(self.folder, "rig"), kind, options.plugin)
        # The journal is left alone, so that the disk fails where the daemon writes.
        self.flags = ("commit=600",) if kind == "ext4" else ()
        self.daemon = Daemon(options.vhdd, os.path.join(self.folder, "daemon"))
        self.daemon.state = os.path.join(self.disk.top, "state")
        with open(os.path.join(self.daemon.folder, "busy.conf"), "w", encoding="ascii") as file:
            file.write(CONFIG)
        self.daemon.busy = True
        self.id = str(uuid.uuid4())
        self.file = os.path.join(self.daemon.state, "images", self.id + ".vhd")

    def begin(self):
        self.disk.start(*self.flags, error=self.error)
        self.restart()
        self.ask(201, "POST", "/v1/images", {"uuid": self.id, "name": "disk", "size": SIZE})
        self.write("a", flush="y")

    def restart(self):
        self.daemon.start()
        self.client = Client(self.daemon.socket)

    def close(self):
        self.daemon.kill()
        self.disk.abandon()
        shutil.rmtree(self.folder)

    # ---- requests

    def ask(self, wanted, method, target, body=None, code=None):
        status, headers, answer = self.client.ask(method, target, body)
        if status != wanted or (code and answer.get("code") != code):
            raise Wrong(f"{method} {target} answers {status} {answer if status != 200 else ''}, not {wanted} {code}")
        return headers, answer

    def write(self, letter, flush, offset=0, wanted=200, code=None):
        target = f"/v1/images/{self.id}/data?offset={offset}&flush={flush}"
        return self.ask(wanted, "PUT", target, letter.encode() * PIECE, code)

    def flush(self, wanted=200, code=None):
        return self.ask(wanted, "POST", f"/v1/images/{self.id}/data?op=flush", None, code)

    def recover(self, wanted=200, code=None):
        return self.ask(wanted, "POST", f"/v1/images/{self.id}/actions/recover", None, code)

    def holds(self, letter, offset=0):
        status, headers, raw = self.client.ask(
            "GET", f"/v1/images/{self.id}/data", None, {"Range": f"bytes={offset}-{offset + PIECE - 1}"})
        expect(f"content at {offset}", (status, len(raw), set(raw)), (206, PIECE, set(letter.encode())))
        return headers["X-Write-Verifier"]

    def fail(self):
        open(self.disk.ill, "wb").close()

    def heal(self):
        os.unlink(self.disk.ill)

    # ---- what the disk holds

    def data_place(self):
        """Where the first byte of the image lies in the file."""
        file = File(self.file)
        return file.table[0] * 512 + file.bitmap

    def direct(self):
        """The first page of data, past the page cache."""
        place = self.data_place()
        fd = os.open(self.file, os.O_RDONLY | os.O_DIRECT)
        try:
            page = mmap.mmap(-1, 4096)
            os.preadv(fd, [page], place)
            return set(page[:])
        finally:
            os.close(fd)

    def after_a_cut(self, letter):
        """The power is cut now: a copy of the disk is mounted, and its file is looked at."""
        cut, top = os.path.join(self.folder, "cut"), os.path.join(self.folder, "top")
        rig.copy(self.disk.file, cut)
        os.makedirs(top)
        rig.run("mount", "-o", f"loop,{self.disk.flags}", cut, top)
        try:
            file = File(os.path.join(top, "state", "images", self.id + ".vhd"))
            seen = set(file.sector(0) + file.sector(PIECE // 512 - 1))
            file.close()
            expect("what is left after a cut", seen, set(letter.encode()))
        finally:
            rig.run("umount", top)


def fail_a_sync(scene):
    """The image is failed: 'b' was accepted, and its flush has met the error."""
    before = scene.holds("a")
    headers, _ = scene.write("b", flush="n")
    expect("verifier of a write", headers["X-Write-Verifier"], before)
    scene.fail()
    scene.flush(500, "io-error")
    return before


def the_second_sync_lies(scene):
    """Why there is no second try: the kernel says 0, its cache has the new, the disk the old."""
    fd = os.open(scene.file, os.O_RDWR)
    try:
        os.fdatasync(fd)
        expect("the page cache", set(os.pread(fd, 4096, scene.data_place())), set(b"b"))
    finally:
        os.close(fd)


def sync_error(scene):
    with open(scene.file, "rb") as file:
        same = mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ)  # of the header: this one may stay
    expect("the mapped page", same[:8], b"conectix")
    before = fail_a_sync(scene)
    the_second_sync_lies(scene)
    scene.flush(409, "image-failed")
    scene.write("c", flush="n", wanted=409, code="image-failed")
    scene.write("c", flush="y", wanted=409, code="image-failed")
    scene.heal()
    scene.flush(409, "image-failed")
    scene.recover()
    expect("what the disk holds", scene.direct(), set(b"a"))
    if scene.holds("a") == before:
        raise Wrong("the write verifier is the same after a failed sync")
    scene.write("d", flush="y")
    same.close()
    scene.after_a_cut("d")


def sync_error_and_restart(scene):
    """Killed after the failed sync, without a restart of the machine: the next start goes by the disk, too."""
    before = fail_a_sync(scene)
    scene.daemon.kill()
    the_second_sync_lies(scene)
    scene.heal()
    scene.restart()
    if scene.holds("a") == before:
        raise Wrong("the write verifier is the same after a restart")
    expect("what the disk holds", scene.direct(), set(b"a"))


def pages_that_cannot_be_dropped(scene):
    """Another program maps the file, so its pages stay in memory: recovery must not believe them."""
    place = scene.data_place()
    fd = os.open(scene.file, os.O_RDONLY)
    page = mmap.mmap(fd, 4096, prot=mmap.PROT_READ, offset=place)
    fail_a_sync(scene)
    expect("the mapped page", set(page[:]), set(b"b"))
    scene.heal()
    scene.recover(500, "io-error")
    if "recover: the page cache holds what the disk does not" not in scene.daemon.tail():
        raise Wrong("recovery is refused, but the log does not say why")
    scene.write("c", flush="y", wanted=500, code="io-error")
    scene.recover(500, "io-error")
    page.close()
    os.close(fd)
    scene.recover()
    scene.holds("a")
    scene.write("d", flush="y")
    scene.after_a_cut("d")


def full_at_writeback(scene):
    """A disk that is thin, and had promised more than it has: found out when what was accepted is written."""
    before = scene.holds("a")
    scene.write("b", flush="n")
    scene.fail()
    scene.flush(507, "no-space")
    scene.flush(409, "image-failed")
    scene.write("c", flush="y", wanted=409, code="image-failed")
    scene.heal()
    scene.recover()
    if scene.holds("a") == before:
        raise Wrong("the write verifier is the same after a failed sync")
    scene.write("d", flush="y")
    scene.after_a_cut("d")


def error_at_a_new_block(scene):
    """Also the file system's own journal fails; it must be mounted again, and all that was acknowledged is there."""
    scene.fail()
    status, _, answer = scene.client.ask(
        "PUT", f"/v1/images/{scene.id}/data?offset={8 << 20}&flush=y", b"n" * PIECE)
    expect("a new block", (status, answer["code"]), (500, "io-error"))
    scene.heal()
    scene.daemon.kill()
    scene.disk.unmount()
    scene.disk.mount(os.path.join(scene.disk.fuse, "disk"), *scene.flags)
    scene.restart()
    scene.holds("a")
    scene.write("d", flush="y")
    scene.write("e", flush="y", offset=8 << 20)
    scene.holds("e", 8 << 20)
    scene.after_a_cut("d")


def full(scene):
    """No room: what has its place can be written, what has none is refused, and works when there is room."""
    scene.write("d", flush="y", offset=SIZE - PIECE)
    filler = os.path.join(scene.disk.top, "filler")
    room = os.statvfs(scene.disk.top)
    with open(filler, "wb") as file:
        for size in (1 << 20, 4096):
            while room.f_bavail:
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, size)
                except OSError:
                    break
    refused = []
    for number in range(1, 6):
        status, _, answer = scene.client.ask(
            "PUT", f"/v1/images/{scene.id}/data?offset={number * (2 << 20)}&flush=y", b"n" * PIECE)
        if status != 200:
            refused.append((status, answer["code"]))
    expect("without room", set(refused), {(507, "no-space")})
    scene.holds("a")
    scene.write("b", flush="y")
    scene.holds("d", SIZE - PIECE)
    os.unlink(filler)
    rig.until("room", lambda: os.statvfs(scene.disk.top).f_bavail > room.f_bavail // 2)
    scene.write("n", flush="y", offset=8 << 20)
    scene.holds("n", 8 << 20)
    scene.after_a_cut("b")


def stall(scene):
    """The disk takes ten seconds: nothing is promised before, and others are answered."""
    done = []

    def change():
        client = Client(scene.daemon.socket)
        done.append(client.ask("PUT", f"/v1/images/{scene.id}/data?offset=0&flush=y", b"s" * PIECE)[0])
        client.close()

    open(scene.disk.stalled, "wb").close()
    writer = threading.Thread(target=change)
    writer.start()
    end, slowest = time.monotonic() + STALL, 0
    while time.monotonic() < end:
        begin = time.monotonic()
        scene.ask(200, "GET", "/healthz")
        scene.ask(200, "GET", "/v1/images?limit=1")
        slowest = max(slowest, time.monotonic() - begin)
        time.sleep(0.1)
    expect("answers while the disk stalls", done, [])
    if slowest > 2:
        raise Wrong(f"others waited {slowest:.1f} s")
    os.unlink(scene.disk.stalled)
    writer.join(60)
    expect("the answer after the stall", done, [200])
    scene.holds("s")
    scene.after_a_cut("s")


SCENES = (sync_error, sync_error_and_restart, pages_that_cannot_be_dropped, full_at_writeback,
          error_at_a_new_block, full, stall)
ERRORS = {full_at_writeback: "ENOSPC"}


def play(options, kind, act):
    scene, begin = None, time.monotonic()
    try:
        scene = Scene(options, kind, ERRORS.get(act, "EIO"))
        scene.begin()
        act(scene)
        print(f"ok: {kind}: {act.__name__} {time.monotonic() - begin:.1f} s", flush=True)
        return 0
    except Exception:
        print(f"FAILED: {kind}: {act.__name__}\n{traceback.format_exc()}", flush=True)
        if scene:
            print(scene.daemon.tail())
        return 1
    finally:
        if scene:
            scene.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--vhdd", required=True)
    parser.add_argument("--plugin", required=True, help="disk_log for nbdkit")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--scene", help="only this one")
    options = parser.parse_args()
    rig.enter(options.plugin)
    acts = [act for act in SCENES if options.scene in (None, act.__name__)]
    kinds = options.kinds.split(",")
    failed = sum(play(options, kind, act) for kind in kinds for act in acts)
    print(f"figure: power.errors {len(kinds) * len(acts) - failed}", flush=True)
    return failed != 0 or not acts


if __name__ == "__main__":
    sys.exit(main())
