#!/usr/bin/env python3
"""A parent is changed behind the back of the daemon, while it stands and while it runs.

usage: tamper.py VHDD

What the seal holds (length, footers, header, block table) is noticed whenever the file is opened, whatever its times
say: its children refuse with `parent-changed`. A file that another one has taken the place of is not read for it, and
one that is too short never gives zeros. What only the time of the file tells of is told as `parent-touched`; the same
with the time set back is what the seal does not promise to see.
"""

import os
import shutil
import signal
import sys
import uuid

import rig
import vhd

SIZE = 4 << 20
PARENT = "parent-changed"


def flip(file, at):
    with open(file, "r+b") as image:
        image.seek(at, os.SEEK_END if at < 0 else os.SEEK_SET)
        byte = image.read(1)
        image.seek(-1, os.SEEK_CUR)
        image.write(bytes([byte[0] ^ 0xFF]))


def replace(file, maker):
    new = file.with_suffix(".other")
    maker(new)
    os.replace(new, file)


def ident(file):
    return uuid.UUID(file.stem).bytes


# What somebody does to the file of a parent, and what the child answers when the file is opened after that.
DEEDS = [
    ("a byte of the block table", lambda file: flip(file, 1536 + 3), PARENT),
    ("a byte of the header", lambda file: flip(file, 512 + 900), PARENT),
    ("a byte of the footer at its end", lambda file: flip(file, -100), PARENT),
    ("a byte of the footer at its start", lambda file: flip(file, 300), PARENT),
    ("both footers", lambda file: (flip(file, 300), flip(file, -212)), PARENT),
    ("one byte more", lambda file: os.truncate(file, file.stat().st_size + 1), PARENT),
    ("2 MiB more", lambda file: os.truncate(file, file.stat().st_size + (2 << 20)), PARENT),
    ("one byte less", lambda file: os.truncate(file, file.stat().st_size - 1), PARENT),
    ("no footer at its end", lambda file: os.truncate(file, file.stat().st_size - 512), PARENT),
    ("half of it", lambda file: os.truncate(file, file.stat().st_size // 2), PARENT),
    ("nothing in it", lambda file: os.truncate(file, 0), PARENT),
    ("another image of the same length", lambda file: replace(file, other), "parent-uuid-mismatch"),
    ("an image with its id, and empty",
     lambda file: replace(file, lambda new: vhd.growing(new, ident(file), SIZE)), PARENT),
    ("an image with its id, and larger",
     lambda file: replace(file, lambda new: vhd.growing(new, ident(file), SIZE * 2)), PARENT),
    ("a fixed image with its id",
     lambda file: replace(file, lambda new: vhd.fixed(new, ident(file), bytes(SIZE))), "chain-unhealthy"),
    ("words", lambda file: replace(file, lambda new: new.write_bytes(b"words" * 1000)), PARENT),
    ("no file", lambda file: file.unlink(), "parent-missing"),
    ("a folder", lambda file: (file.unlink(), file.mkdir()), "parent-missing"),
    ("a link to the same content", lambda file: link(file), "parent-missing"),
]
# What is not of the seal: content, which is served as it is now, and told of as touched.
TOUCHES = [
    ("a byte of the content", lambda file: flip(file, -600), True),
    ("a copy of itself", lambda file: replace(file, lambda new: shutil.copyfile(file, new)), False),
    ("only its time", lambda file: os.utime(file), False),
    ("an older time", lambda file: os.utime(file, (1000000000, 1000000000)), False),
]


def other(new):
    vhd.growing(new, uuid.uuid4().bytes, SIZE)


def link(file):
    away = file.with_suffix(".away")
    os.rename(file, away)
    file.symlink_to(away)


class Family:
    """A parent, a child and a grandchild, each with content of its own."""

    def __init__(self, daemon, name):
        self.daemon, self.name = daemon, name
        self.made("POST", "/v1/images", {"name": name, "size": SIZE})
        self.content = bytearray(SIZE)
        self.write(name, SIZE - 65536, b"p" * 65536)
        for parent, child, at in ((name, f"{name}-child", 0), (f"{name}-child", f"{name}-grand", 1 << 20)):
            self.made("POST", "/v1/images", {"name": child, "parent": parent})
            self.write(child, at, child.encode() * 100)
        ident = daemon.ask("GET", f"/v1/images/{name}").json["id"]
        self.file = daemon.state / "images" / f"{ident}.vhd"
        self.children = (f"{name}-child", f"{name}-grand")

    def made(self, method, target, body):
        answer = self.daemon.ask(method, target, body)
        if answer.status not in (200, 201):
            raise rig.Failure(f"{target}: {answer}")

    def write(self, image, at, data):
        self.made("PUT", f"/v1/images/{image}/data?offset={at}", data)
        self.content[at : at + len(data)] = data

    def read(self, image):
        return self.daemon.ask("GET", f"/v1/images/{image}/data")

    def refusals(self, code):
        """Reads, writes and snapshots of both children are refused, and the parent is not served either."""
        wrong = []
        for image in self.children:
            asked = [("GET", "/data", b""), ("POST", "/snapshots", b"")]
            asked += [("PUT", "/data?offset=0", b"x" * 512)] if image == self.children[1] else []
            for method, more, body in asked:
                answer = self.daemon.ask(method, f"/v1/images/{image}{more}", body)
                if answer.code != code:
                    wrong.append(f"{method} of {image}: {answer}")
        answer = self.read(self.name)
        if answer.status < 400:
            wrong.append(f"the parent itself: {answer}")
        state = self.daemon.ask("GET", f"/v1/images/{self.name}").json["state"]
        if state not in ("corrupt", "missing"):
            wrong.append(f"its state is {state}")
        return "; ".join(wrong)


def keep_times(deed, file, back):
    """The deed; with `back`, the old time is set again."""
    before = file.stat()
    deed(file)
    if back and file.is_file():
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def after_deed(rows, families, when):
    for (name, _, code), family in families:
        rows.row(f"{name}, {when}", family.refusals(code))


def after_touch(rows, daemon, families, when):
    """What is served is what the file has, and the log tells that it was touched."""
    for (name, _, changes), family in families:
        data = family.read(family.children[1])
        same = data.body == bytes(family.content)
        wrong = data.status != 200 and str(data) or same == changes and "reads as something else than it should"
        if not wrong and f"parent-touched: '{family.name}'" not in daemon.log.read_text():
            wrong = "nobody was told"
        rows.row(f"{name}, {when}", wrong)


def families_of(daemon, deeds, mark):
    return [(deed, Family(daemon, f"{mark}-{number}")) for number, deed in enumerate(deeds)]


def stopped(rows, daemon, sign, back, when):
    """The deeds while the daemon stands."""
    mark = f"s{int(sign)}{int(back)}"
    deeds = families_of(daemon, DEEDS, mark)
    touches = families_of(daemon, TOUCHES, f"{mark}-touch") if not back else []
    daemon.stop(sign)
    for deed, family in deeds + touches:
        keep_times(deed[1], family.file, back)
    daemon.start()
    after_deed(rows, deeds, when)
    after_touch(rows, daemon, touches, when)


def running_closed(rows, daemon):
    """While it runs, and nobody has opened the files since its start."""
    deeds, touches = families_of(daemon, DEEDS, "rc"), families_of(daemon, TOUCHES, "rc-touch")
    daemon.stop()
    daemon.start()
    for deed, family in deeds + touches:
        deed[1](family.file)
    after_deed(rows, deeds, "while it runs")
    after_touch(rows, daemon, touches, "while it runs")


def running_open(rows, daemon):
    """While it has the file open: a new file in its place is nothing to it, and a short one never gives zeros."""
    deeds = families_of(daemon, DEEDS, "ro")
    for _, family in deeds:
        family.read(family.children[1])
    for deed, family in deeds:
        deed[1](family.file)
        data = family.read(family.children[1])
        honest = data.body == bytes(family.content) if data.status == 200 else data.status in (409, 422, 500)
        cut = data.status == 200 and len(data.body) < int(data.headers["content-length"])
        rows.row(f"{deed[0]}, while it is open", not honest and not cut and f"reads as {data}")
    daemon.stop(signal.SIGKILL)
    daemon.start()
    after_deed(rows, deeds, "while it is open, after a kill")


def mended(rows, daemon):
    """What is put right again is served again."""
    family = Family(daemon, "mended")
    daemon.stop()
    good = family.file.with_suffix(".good")
    shutil.copy2(family.file, good)
    flip(family.file, 1536 + 3)
    daemon.start()
    rows.row("a changed table, to be mended", family.refusals(PARENT))
    os.replace(good, family.file)
    data = family.read(family.children[1])
    rows.row("what was mended is served", data.body != bytes(family.content) and str(data))


def main(program):
    rows = rig.Rows()
    with rig.folder() as work:
        daemon = rig.Vhdd(program, work)
        try:
            daemon.start()
            stopped(rows, daemon, signal.SIGTERM, False, "while it stands")
            stopped(rows, daemon, signal.SIGTERM, True, "while it stands, with the old time")
            stopped(rows, daemon, signal.SIGKILL, True, "after a kill, with the old time")
            running_closed(rows, daemon)
            running_open(rows, daemon)
            mended(rows, daemon)
            daemon.stop()
        finally:
            daemon.kill()
    print(f"figure: sec.tampering ={rows.passed}")
    return rows.end(len(DEEDS) * 6 + len(TOUCHES) * 2 + 2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
