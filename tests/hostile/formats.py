#!/usr/bin/env python3
"""Guests write what looks like another format into their disks, and files come under a wrong name.

usage: formats.py VHDD

What an image is stands in the catalog. After a start, a kill, a recovery, a snapshot and a rebuild of the catalog it
is still the same, and its content is nothing but bytes.
"""

import hashlib
import os
import signal
import struct
import sys
import uuid

import rig
import vhd

SIZE = 4 << 20
HALF = SIZE // 2
CANARY = "/etc/shadow"
IDENT = uuid.UUID("5ec0de00-0000-4000-8000-00000000beef").bytes


def qcow2():
    name = CANARY.encode()
    head = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 72, len(name), 16, SIZE, 0, 1, 65536, 131072, 1, 0, 0)
    return (head + name).ljust(65536, b"\0")


def vmdk():
    return (
        b"# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=12345678\ncreateType=\"monolithicFlat\"\n"
        b"parentFileNameHint=\"" + CANARY.encode() + b"\"\nRW 8192 FLAT \"" + CANARY.encode() + b"\" 0\n"
    ).ljust(1024, b"\0")


def growing(parent=False):
    """A whole image file as a guest can write it at the start of its disk."""
    locator = f"file://{CANARY}".encode()
    kind = vhd.DIFFERENCING if parent else vhd.DYNAMIC
    slots = [(b"MacX", 2048, len(locator))] if parent else []
    head = vhd.header(1, 1 << 21, IDENT if parent else bytes(16), CANARY if parent else "", slots)
    foot = vhd.footer(uuid.uuid4().bytes, 1 << 20, kind)
    return foot + head + b"\xff" * 512 + locator.ljust(512, b"\0") + foot


def footer(kind, size=SIZE):
    return vhd.footer(IDENT, size, kind)


# A name, what a guest writes to the first and to the last sectors of its disk.
CONTENTS = [
    ("qcow2", qcow2(), b""),
    ("vmdk that is text", vmdk(), b""),
    ("vmdk that grows", struct.pack("<4sIIQQ", b"KDMV", 1, 3, 8192, 128).ljust(512, b"\0"), b""),
    ("vhdx", b"vhdxfile".ljust(65536, b"\0"), b""),
    ("vdi", b"<<< Oracle VM VirtualBox Disk Image >>>\n".ljust(64, b"\0") + b"\x7f\x10\xda\xbe", b""),
    ("qed", b"QED\0" + struct.pack("<IIIQQ", 65536, 4, 0, 0, 0), b""),
    ("LUKS", b"LUKS\xba\xbe\0\1", b""),
    ("a footer in the first sector", footer(vhd.DYNAMIC), b""),
    ("a footer and a header", footer(vhd.DYNAMIC) + vhd.header(2, 1 << 21), b""),
    ("a footer of a fixed disk in the first sector", footer(vhd.FIXED), b""),
    ("a whole growing image", growing(), b""),
    ("a whole differencing image", growing(parent=True), b""),
    ("a footer in the last sector", b"", footer(vhd.FIXED)),
    ("a footer of a larger disk in the last sector", b"", footer(vhd.FIXED, 1 << 40)),
    ("a growing footer in the last sector", b"", footer(vhd.DYNAMIC)),
    ("a differencing footer in the last sector", b"", footer(vhd.DIFFERENCING)),
    ("a footer in the last two sectors", b"", footer(vhd.FIXED) * 2),
    ("a footer one byte before the end", b"", footer(vhd.FIXED)[1:] + b"\0"),
    ("equal growing footers in the first and the last sector", footer(vhd.DYNAMIC), footer(vhd.DYNAMIC)),
    ("a growing image from end to end", growing(), growing()[:512]),
    ("a differencing image from end to end", growing(parent=True), growing(parent=True)[:512]),
]
# What a file begins with and ends with, and the answer when it is adopted.
FILES = [
    ("qcow2 under our name", qcow2(), b"", "not-a-vhd"),
    ("vmdk under our name", vmdk(), b"", "not-a-vhd"),
    ("vhdx under our name", b"vhdxfile".ljust(65536, b"\0"), b"", "not-a-vhd"),
    ("nothing under our name", b"", b"", "not-a-vhd"),
    ("words under our name", b"conectix" * 64, b"", "corrupt-image"),
    ("qcow2 with a footer of a fixed disk", qcow2(), vhd.footer(uuid.uuid4().bytes, 65536, vhd.FIXED), ""),
    ("vmdk with a footer of a fixed disk", vmdk(), vhd.footer(uuid.uuid4().bytes, 1024, vhd.FIXED), ""),
    ("a growing image inside a fixed one", growing(), footer(vhd.FIXED, len(growing())), "ambiguous-format"),
]


class Disk:
    def __init__(self, what, kind, start, end):
        self.what, self.kind = what, kind
        self.content = start.ljust(SIZE - len(end), b"\0") + end
        self.start, self.end = start, end


def make(daemon, disk, number):
    made = daemon.ask("POST", "/v1/images", {"name": f"disk-{number}", "size": SIZE, "kind": disk.kind})
    disk.ident, disk.name = made.json["id"], made.json["name"]
    for piece, at in ((disk.start, 0), (disk.end, SIZE - len(disk.end))):
        if piece:
            answer = daemon.ask("PUT", f"/v1/images/{disk.ident}/data?offset={at}", piece)
            if answer.status != 200:
                raise rig.Failure(f"{disk.what}: {answer}")


def wrong(daemon, disk):
    image = daemon.ask("GET", f"/v1/images/{disk.ident}")
    if image.status != 200:
        return f"is answered {image}"
    got = tuple(image.json[key] for key in ("kind", "virtual_size", "state", "parent"))
    if got != (disk.kind, SIZE, "ready", None):
        return f"has become {got}"
    data = daemon.ask("GET", f"/v1/images/{disk.ident}/data")
    if data.status != 200 or data.body != disk.content:
        return f"reads as {len(data.body)} bytes {hashlib.sha256(data.body).hexdigest()[:8]}: {data}"
    return None


def check(rows, daemon, disks, when):
    for disk in disks:
        rows.row(f"{disk.what} in a {disk.kind} disk, {when}", wrong(daemon, disk))


def dirty(daemon, disks):
    """Each has something that is not flushed when the daemon is killed."""
    for disk in disks:
        answer = daemon.ask("PUT", f"/v1/images/{disk.ident}/data?offset={HALF}&flush=n", b"\1" * 512)
        if answer.status != 200:
            raise rig.Failure(f"{disk.what}: {answer}")


def settle(daemon, disks):
    """It is there or it is not; from here on it is what it is."""
    for disk in disks:
        found = daemon.ask("GET", f"/v1/images/{disk.ident}/data", headers=[b"Range: bytes=%d-%d" % (HALF, HALF + 511)])
        if found.body == b"\1" * 512:
            disk.content = disk.content[:HALF] + found.body + disk.content[HALF + 512 :]


def cut(daemon, disks):
    """What a power cut may leave: the end of the file was never written, and the guest's sector is the last one."""
    for disk in disks:
        file = daemon.state / "images" / f"{disk.ident}.vhd"
        if disk.kind == "dynamic":
            os.truncate(file, file.stat().st_size - 512)


def rebuild(rows, daemon, disks):
    """A new catalog, with what the old one knows: what a file leaves open is settled there."""
    daemon.stop()
    done = daemon.run("--rebuild-catalog")
    rows.row("the catalog is rebuilt", done.returncode and str(done))
    daemon.start()
    check(rows, daemon, disks, "after a rebuild")


def rebuild_from_nothing(rows, daemon, disks):
    """Nobody knows any more which of two a file is: it is left out, and not taken for another image."""
    daemon.stop()
    for name in [*daemon.state.glob("catalog*"), *daemon.state.glob("backups/*")]:
        if name.is_file():
            name.unlink()
    done = daemon.run("--rebuild-catalog")
    daemon.start()
    out = 0
    for disk in disks:
        problem = wrong(daemon, disk)
        if daemon.ask("GET", f"/v1/images/{disk.ident}").code == "image-not-found":
            lines = [line for line in done.stdout.splitlines() if disk.ident in line]
            told = lines and lines[0].startswith("left out") and disk.kind == "fixed"
            problem = None if told else f"left out without a word: {lines}"
            out += 1
        rows.row(f"{disk.what} in a {disk.kind} disk, after a rebuild from nothing", problem)
    rows.row("some are left out", (out == 0 or out > 10) and f"{out} are")


def children(daemon, disks):
    """A snapshot of each: the same content, by way of a parent."""
    shown = []
    for disk in disks:
        answer = daemon.ask("POST", f"/v1/images/{disk.ident}/snapshots", {"name": f"{disk.name}-top"})
        if answer.status != 201:
            raise rig.Failure(f"{disk.what}: {answer}")
        top = daemon.ask("GET", f"/v1/images/{disk.name}-top/data")
        shown.append((disk, None if top.body == disk.content else f"reads as something else: {top}"))
    return shown


def adoptions(rows, daemon, root):
    for name, start, end, code in FILES:
        file = root / "file.vhd"
        file.write_bytes(start + end)
        answer = daemon.ask("POST", "/v1/images", {"source": {"path": str(file), "mode": "link"}})
        problem = answer.code != code and f"is answered {answer}"
        if not problem and not code:
            image = answer.json["image"]
            data = daemon.ask("GET", f"/v1/images/{image['id']}/data").body
            if image["kind"] != "fixed" or data != start:
                problem = f"is a {image['kind']} disk of {len(data)} bytes"
            daemon.ask("DELETE", f"/v1/images/{image['id']}")
        rows.row(name, problem)


def life(rows, daemon, disks):
    for number, disk in enumerate(disks):
        make(daemon, disk, number)
    check(rows, daemon, disks, "as written")
    daemon.stop()
    daemon.start()
    check(rows, daemon, disks, "after a start")
    dirty(daemon, disks)
    daemon.stop(signal.SIGKILL)
    cut(daemon, disks)
    daemon.start()
    settle(daemon, disks)
    check(rows, daemon, disks, "after a kill")
    rebuild(rows, daemon, disks)
    rebuild_from_nothing(rows, daemon, disks)
    known = [disk for disk in disks if daemon.ask("GET", f"/v1/images/{disk.ident}").status == 200]
    for disk, problem in children(daemon, known):
        rows.row(f"{disk.what} in a {disk.kind} disk, below a snapshot", problem)


def main(program):
    rows = rig.Rows()
    disks = [Disk(what, kind, start, end) for what, start, end in CONTENTS for kind in ("fixed", "dynamic")]
    with rig.folder() as work:
        daemon = rig.Vhdd(program, work, f"[pool]\nroots = {work}/root\n")
        root = daemon.work / "root"
        root.mkdir()
        try:
            daemon.start()
            adoptions(rows, daemon, root)
            life(rows, daemon, disks)
            daemon.stop()
        finally:
            daemon.kill()
    print(f"figure: sec.formats ={rows.passed}")
    return rows.end(len(FILES) + len(disks) * 5 + 30)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
