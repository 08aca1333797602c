#!/usr/bin/env python3
"""What images and clients say about paths, while strace looks at every name that the daemon opens.

usage: locators.py VHDD

Outside the root lies an image whose id all the hostile children name as their parent's, so that one locator that is
followed makes an adoption succeed. Nothing outside may be opened, and none of its words may be told.
"""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import uuid

import rig
import vhd

SECRET = b"the canary sings only for root"
PARENT = uuid.UUID("ca9a54e0-0000-4000-8000-000000000001").bytes
MISSING, MISMATCH, CYCLE, FORBIDDEN = "parent-missing", "parent-uuid-mismatch", "chain-cycle", "path-outside-pool"
MAC, RELATIVE, ABSOLUTE = vhd.mac, vhd.relative, vhd.absolute

# A name, locators, what the header says, and the code. O is the folder outside, R the root.
CHILDREN = [
    ("absolute URL", [MAC("file://O/canary.vhd")], ""),
    ("URL with localhost", [MAC("file://localhostO/canary.vhd")], ""),
    ("URL with another host", [MAC("file://example.com/O/canary.vhd")], ""),
    ("URL of one slash", [MAC("file:O/canary.vhd")], ""),
    ("URL of four slashes", [MAC("file:///O/canary.vhd")], ""),
    ("URL of another scheme", [MAC("http://127.0.0.1/canary.vhd")], ""),
    ("plain path for a URL", [MAC("O/canary.vhd")], ""),
    ("URL with query and fragment", [MAC("file://O/canary.vhd?x#y")], ""),
    ("/etc/shadow", [MAC("file:///etc/shadow")], ""),
    ("/etc/shadow below a root that is its prefix", [MAC("file://R/../../../../../../etc/shadow")], ""),
    ("/dev/zero", [MAC("file:///dev/zero")], ""),
    ("/dev/stdin", [MAC("file:///dev/stdin")], ""),
    ("/dev/fd/0", [MAC("file:///dev/fd/0")], ""),
    ("/dev/tty", [MAC("file:///dev/tty")], ""),
    ("/proc/self/fd/3", [MAC("file:///proc/self/fd/3")], ""),
    ("/proc/self/fd/7", [MAC("file:///proc/self/fd/7")], ""),
    ("/proc/self/mem", [MAC("file:///proc/self/mem")], ""),
    ("/proc/self/environ", [MAC("file:///proc/self/environ")], ""),
    ("/proc/self/root", [MAC("file:///proc/self/rootO/canary.vhd")], ""),
    ("/proc/1/root", [MAC("file:///proc/1/rootO/canary.vhd")], ""),
    ("/proc/self/cwd", [MAC("file:///proc/self/cwd/canary.vhd")], ""),
    ("two dots", [MAC("file://../outside/canary.vhd")], ""),
    ("a dot and two dots", [MAC("file://./../outside/canary.vhd")], ""),
    ("down and up again", [MAC("file://./sub/../../outside/canary.vhd")], ""),
    ("up through a file", [MAC("file://./inside.vhd/../../outside/canary.vhd")], ""),
    ("up through nothing", [MAC("file://./nothing/../../outside/canary.vhd")], ""),
    ("slashes between dots", [MAC("file://.//..//outside//canary.vhd")], ""),
    ("two hundred times up", [MAC("file://./" + "../" * 200 + "O/canary.vhd")], ""),
    ("encoded dots", [MAC("file://./%2e%2e/outside/canary.vhd")], ""),
    ("encoded slashes", [MAC("file://./..%2foutside%2fcanary.vhd")], ""),
    ("encoded twice", [MAC("file://./%252e%252e/outside/canary.vhd")], ""),
    ("encoded NUL", [MAC("file://O/canary.vhd%00.txt")], ""),
    ("encoded badly", [MAC("file://./%2/%zz/%/outside/canary.vhd")], ""),
    ("encoded overlong dots", [MAC("file://./%c0%ae%c0%ae/outside/canary.vhd")], ""),
    ("encoded from end to end", [MAC("file://" + "".join(f"%{c:02x}" for c in b"/etc/shadow"))], ""),
    ("NUL in a URL", [MAC(b"file://O/canary.vhd\0/x")], ""),
    ("newline in a URL", [MAC("file://O/canary.vhd\n")], ""),
    ("bytes of a URL that are no text", [MAC(b"file://./\xff\xfe\x80/../../outside/canary.vhd")], ""),
    ("empty URL", [MAC("file://")], ""),
    ("root of the machine", [MAC("file:///")], ""),
    ("the folder itself", [MAC("file://./")], ""),
    ("a folder", [MAC("file://./sub")], ""),
    ("a file with a slash behind", [MAC("file://./inside.vhd/")], ""),
    ("a FIFO", [MAC("file://./fifo.vhd")], ""),
    ("a socket", [MAC("file://./socket.vhd")], ""),
    ("a link to the file", [MAC("file://./link-file.vhd")], ""),
    ("a link by a relative path", [MAC("file://./link-relative.vhd")], ""),
    ("a link to a link", [MAC("file://./link-link.vhd")], ""),
    ("a link to the folder", [MAC("file://./link-folder/canary.vhd")], ""),
    ("a link to /proc/self/fd", [MAC("file://./link-fd/3")], ""),
    ("a link to /proc/self/root", [MAC("file://./link-proc-rootO/canary.vhd")], ""),
    ("a link to /dev/zero", [MAC("file://./link-zero.vhd")], ""),
    ("a link to itself", [MAC("file://./link-loop.vhd")], ""),
    ("a link up, often", [MAC("file://./" + "link-up/root/" * 50 + "link-up/outside/canary.vhd")], ""),
    ("a hard link to words", [MAC("file://./hard-words.vhd")], ""),
    ("a hard link to another image", [MAC("file://./hard-other.vhd")], "", MISMATCH),
    ("another image", [MAC("file://./inside.vhd")], "", MISMATCH),
    ("backslashes", [RELATIVE("..\\outside\\canary.vhd")], ""),
    ("backslash and slash", [RELATIVE("..\\../outside/canary.vhd")], ""),
    ("a dot and backslashes", [RELATIVE(".\\..\\outside\\canary.vhd")], ""),
    ("a drive", [ABSOLUTE("C:" + "O\\canary.vhd")], ""),
    ("a drive without a slash", [ABSOLUTE("C:..\\outside\\canary.vhd")], ""),
    ("a share", [ABSOLUTE("\\\\server\\shareO\\canary.vhd")], ""),
    ("a long path of Windows", [ABSOLUTE("\\\\?\\C:O\\canary.vhd")], ""),
    ("a device of Windows", [ABSOLUTE("\\\\.\\PhysicalDrive0")], ""),
    ("a volume of Windows", [ABSOLUTE("\\\\?\\Volume{00000000-0000-0000-0000-000000000000}\\canary.vhd")], ""),
    ("a stream of Windows", [RELATIVE("inside.vhd:..\\outside\\canary.vhd")], ""),
    ("full-width dots", [RELATIVE("．．\\outside\\canary.vhd")], ""),
    ("full-width slashes", [RELATIVE("..／outside／canary.vhd")], ""),
    ("a slash of arithmetic", [RELATIVE("..∕outside∕canary.vhd")], ""),
    ("characters that end in dots and slashes", [RELATIVE("⸮⸮ⸯoutsideⸯcanary.vhd")], ""),
    ("UTF-16 of the other byte order", [RELATIVE("..\\outside\\canary.vhd".encode("utf-16-be"))], ""),
    ("UTF-16 with a byte order mark", [RELATIVE("\ufeff..\\outside\\canary.vhd")], ""),
    ("UTF-16 cut in a character", [RELATIVE("..\\outside\\canary.vhd".encode("utf-16-le")[:-1])], ""),
    ("half a surrogate pair", [RELATIVE("..\\outside\\\ud800canary.vhd")], ""),
    ("surrogates the wrong way round", [RELATIVE("\udc00\ud800\\..\\outside\\canary.vhd")], ""),
    ("NUL in UTF-16", [RELATIVE("..\\outside\\canary.vhd\0.txt")], ""),
    ("NUL first in UTF-16", [RELATIVE("\0..\\outside\\canary.vhd")], ""),
    ("a name of 300 bytes", [MAC("file://./" + "a" * 300 + "/../../outside/canary.vhd")], ""),
    ("a path of 5,000 bytes", [MAC("file://./" + "sub/../" * 700 + "../outside/canary.vhd")], ""),
    ("a path of 60,000 bytes", [MAC("file://O/" + "/" * 60000 + "canary.vhd")], ""),
    ("header with an absolute path", [], "O/canary.vhd"),
    ("header with dots", [], "../outside/canary.vhd"),
    ("header of Windows", [], "C:O\\canary.vhd"),
    ("header with a link", [], "link-file.vhd"),
    ("header without a name", [], ""),
    ("eight at once", [
        MAC("file://O/canary.vhd"), MAC("file://../outside/canary.vhd"), RELATIVE("..\\outside\\canary.vhd"),
        ABSOLUTE("C:O\\canary.vhd"), MAC("file://./link-file.vhd"), MAC("file:///proc/self/fd/3"),
        MAC("file://./fifo.vhd"), MAC("file:///dev/zero"),
    ], "../outside/canary.vhd"),
]

# What a client says: path, search path, code.
PATHS = [
    ("path outside", "O/canary.vhd", None, FORBIDDEN),
    ("path of words outside", "O/words", None, FORBIDDEN),
    ("path up from the root", "R/../outside/canary.vhd", None, FORBIDDEN),
    ("path down and up", "R/sub/../../outside/canary.vhd", None, FORBIDDEN),
    ("path that begins as the root does", "R-not/canary.vhd", None, FORBIDDEN),
    ("path by a link", "R/link-file.vhd", None, FORBIDDEN),
    ("path by a link to a folder", "R/link-folder/canary.vhd", None, FORBIDDEN),
    ("path by a loop", "R/link-loop.vhd", None, FORBIDDEN),
    ("path of a FIFO", "R/fifo.vhd", None, FORBIDDEN),
    ("path of a socket", "R/socket.vhd", None, FORBIDDEN),
    ("path of a folder", "R/sub", None, FORBIDDEN),
    ("path of the root", "R", None, FORBIDDEN),
    ("path of the machine", "/", None, FORBIDDEN),
    ("path of /etc/shadow", "/etc/shadow", None, FORBIDDEN),
    ("path of /dev/zero", "/dev/zero", None, FORBIDDEN),
    ("path of /proc/self/fd/3", "/proc/self/fd/3", None, FORBIDDEN),
    ("path of /proc/self/root", "/proc/self/rootO/canary.vhd", None, FORBIDDEN),
    ("path of the catalog", "S/catalog.db", None, FORBIDDEN),
    ("path with an encoded dot", "R/%2e%2e/outside/canary.vhd", None, "source-not-found"),
    ("path of words with two names", "R/hard-words.vhd", None, "not-a-vhd"),
    ("path with a newline", "R/new\nline.vhd", None, FORBIDDEN),
    ("path with a file for a folder", "R/inside.vhd/x", None, "source-not-found"),
    ("path of 1,023 bytes", "R/" + "a" * 200 + "/b", None, "source-not-found"),
    ("path of a URL", "file://O/canary.vhd", None, "source-not-found"),
    ("path that is empty", "", None, "invalid-value"),
    ("path with NUL", "R/inside.vhd\0", None, "invalid-json"),
    ("name up from the search path", "../outside/canary.vhd", ["R"], FORBIDDEN),
    ("name in a search path outside", "canary.vhd", ["O"], FORBIDDEN),
    ("name in a search path by a link", "canary.vhd", ["R/link-folder"], FORBIDDEN),
    ("name in the whole machine", "etc/shadow", ["/"], FORBIDDEN),
    ("name in /proc/self/fd", "3", ["/proc/self/fd"], FORBIDDEN),
    ("search path that is relative", "canary.vhd", ["../outside"], "invalid-value"),
]

# What may be opened beside the state folder and the root: by the loader, the libraries, the sanitizer and gcov.
ALLOWED = re.compile(
    r"((/usr)?/lib(32|64)?/|/usr/share/zoneinfo/|/sys/devices/system/cpu)|(/etc/ld\.so\.(cache|preload)|/etc/localtime"
    r"|/etc/gnutls/config|/dev/null|/dev/urandom|/proc/sys/vm/overcommit_memory"
    r"|/proc/(self|\d+)/(maps|cmdline|task|environ))$|.*/CMakeFiles/.*\.gcda$"
)
OPEN = re.compile(r"(open|openat|openat2|creat)\((.*)\) = (\d+<(.*)>|-1 E.*)$")
CHANGE = re.compile(
    r"\b(unlink|unlinkat|rename|renameat|renameat2|link|linkat|symlink|symlinkat|mkdir|mkdirat|rmdir|mknod|mknodat"
    r"|truncate|chmod|fchmodat|chown|lchown|fchownat|utimensat)\((.*)\) += "
)
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
FOLDER = re.compile(r"(?:^|, )\d+<([^>]*)>, \"")


class Scene:
    def __init__(self, work):
        self.work = pathlib.Path(work)
        self.root, self.outside = self.work / "root", self.work / "outside"
        (self.root / "sub").mkdir(parents=True)
        self.outside.mkdir()
        vhd.growing(self.outside / "canary.vhd", PARENT)
        (self.outside / "words").write_bytes(SECRET * 100)
        vhd.growing(self.root / "inside.vhd", uuid.uuid4().bytes)
        vhd.growing(self.outside / "other.vhd", uuid.uuid4().bytes)
        vhd.growing(self.root / "new\nline.vhd", uuid.uuid4().bytes)
        os.link(self.outside / "words", self.root / "hard-words.vhd")
        os.link(self.outside / "other.vhd", self.root / "hard-other.vhd")
        os.mkfifo(self.root / "fifo.vhd")
        self.door = socket.socket(socket.AF_UNIX)
        self.door.bind(str(self.root / "socket.vhd"))
        for name, target in [
            ("link-file.vhd", self.outside / "canary.vhd"), ("link-relative.vhd", "../outside/canary.vhd"),
            ("link-link.vhd", "link-file.vhd"), ("link-folder", self.outside), ("link-fd", "/proc/self/fd"),
            ("link-proc-root", "/proc/self/root"), ("link-zero.vhd", "/dev/zero"), ("link-loop.vhd", "link-loop.vhd"),
            ("link-up", ".."),
        ]:
            (self.root / name).symlink_to(target)

    def fill(self, text):
        """The folders in the place of O, R and S. In UTF-16 with backslashes after a drive."""
        if isinstance(text, str):
            text = text.replace("O/", f"{self.outside}/").replace("S/", f"{self.work}/state/")
            return re.sub(r"^R(?=$|[/-])", str(self.root), text.replace("file://R", f"file://{self.root}"))
        return text.replace(b"O/", f"{self.outside}/".encode()).replace(b"//R/", f"//{self.root}/".encode())

    def locator(self, locator):
        code, text = locator
        if code == b"MacX":
            return code, self.fill(text)
        drive = str(self.outside).replace("/", "\\").encode("utf-16-le")
        return code, text.replace("O\\".encode("utf-16-le"), drive + b"\\\0")


def told(answer):
    return any(word in answer.raw for word in (SECRET[:12], b"root:x:", b"root:*", b"root:$", b"LC_ALL="))


def adopt(daemon, path, search=None):
    source = {"path": path}
    if search:
        source["search_path"] = search
    return daemon.ask("POST", "/v1/images", {"source": source})


def wrong(answer, code):
    if told(answer):
        return f"tells what stands in the canary: {answer}"
    return answer.code != code and f"is answered {answer}, not {code}"


def children(rows, scene, daemon):
    child = scene.root / "child.vhd"
    for name, locators, header, *code in CHILDREN:
        locators = [scene.locator(locator) for locator in locators]
        vhd.growing(child, uuid.uuid4().bytes, parent=PARENT, name=scene.fill(header), locators=locators)
        rows.row(name, wrong(adopt(daemon, str(child)), code[0] if code else MISSING))


def loops(rows, scene, daemon):
    """Files that are each other's parents."""
    for length in (1, 2, 3):
        ids = [uuid.uuid4().bytes for _ in range(length)]
        for i, ident in enumerate(ids):
            after = (i + 1) % length
            vhd.growing(
                scene.root / f"loop-{i}.vhd", ident, parent=ids[after], locators=[MAC(f"file://./loop-{after}.vhd")],
            )
        rows.row(f"a loop of {length}", wrong(adopt(daemon, str(scene.root / "loop-0.vhd")), CYCLE))


def paths(rows, scene, daemon):
    for name, path, search, code in PATHS:
        search = [scene.fill(folder + "/")[:-1] or "/" for folder in search] if search else None
        search = [folder if folder != "O" else str(scene.outside) for folder in search] if search else None
        rows.row(name, wrong(adopt(daemon, scene.fill(path), search), code))


def raw_parent(rows, scene, daemon):
    """A parent without an id is any file; nobody could tell whether it is the right one."""
    child = scene.root / "raw-child.vhd"
    foot = vhd.footer(uuid.uuid4().bytes, 1 << 20, vhd.DIFFERENCING)
    text = b"file://./hard-words.vhd"
    header = vhd.header(1, 1 << 21, bytes(16), "hard-words.vhd", [(b"MacX", 2048, len(text))])
    child.write_bytes(foot + header + b"\xff" * 512 + text.ljust(512, b"\0") + foot)
    answer = adopt(daemon, str(child))
    rows.row("a parent that has no id", wrong(answer, "unsupported-vhd"))


def race(rows, scene, daemon):
    """Somebody swaps the file, and its parent, for a link to the outside as fast as can be."""
    flag = scene.work / "swapping"
    vhd.growing(scene.root / "swap-a.vhd", PARENT)
    (scene.root / "swap-b.vhd").symlink_to(scene.outside / "canary.vhd")
    vhd.growing(scene.root / "swap-child.vhd", uuid.uuid4().bytes, parent=PARENT, locators=[MAC("file://./swap-a.vhd")])
    flag.touch()
    swapper = subprocess.Popen([sys.executable, "-B", __file__, "swap", str(scene.root), str(flag)])
    seen = set()
    for turn in range(120):
        answer = adopt(daemon, str(scene.root / ("swap-a.vhd" if turn % 2 else "swap-child.vhd")))
        seen.add(answer.status)
        if answer.status == 201:
            found = answer.json
            files = [image["file"] for image in found["adopted"]]
            if any(not file.startswith(f"{scene.root}/") for file in files):
                rows.row("a race, file", f"adopted {files}")
            for image in found["adopted"]:
                daemon.ask("DELETE", f"/v1/images/{image['id']}?keep_file=1")
        elif answer.status not in (403, 404, 409) or told(answer):
            rows.row("a race, answer", str(answer))
    flag.unlink()
    swapper.wait()
    rows.row("a link is swapped in while the file is adopted", seen & {403, 404, 409} == set() and f"saw only {seen}")
    rows.row("the file that was there is adopted", 201 not in seen and f"saw only {seen}")


def swap(folder, flag):
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    one, two = (os.path.join(folder, name).encode() for name in ("swap-a.vhd", "swap-b.vhd"))
    while os.path.exists(flag):  # RENAME_EXCHANGE
        libc.renameat2(-100, one, -100, two, 2)


def planted(rows, scene, daemon):
    """Something else in the place of an image's own file, before a start."""
    ids = [daemon.ask("POST", "/v1/images", {"name": f"own-{i}", "size": "1M"}).json["id"] for i in range(4)]
    daemon.stop()
    files = [daemon.state / "images" / f"{ident}.vhd" for ident in ids]
    for file in files:
        file.unlink()
    files[0].symlink_to(scene.outside / "canary.vhd")
    os.link(scene.outside / "words", files[1])
    os.mkfifo(files[2])
    os.link(scene.outside / "canary.vhd", files[3])
    daemon.start()
    for what, ident in zip(("a link", "words with two names", "a FIFO", "an image with two names"), ids):
        answer = daemon.ask("GET", f"/v1/images/{ident}/data")
        rows.row(f"{what} in the place of an image", wrong(answer, "chain-unhealthy"))


def harmless(path, scene, daemon):
    """Only by name: what a link leads to, the kernel tells in the result."""
    here = (str(scene.root), str(daemon.state), str(daemon.config), str(scene.work / "socket"), daemon.program)
    return any(path == place or path.startswith(place + "/") for place in here) or ALLOWED.match(path)


def opened(line):
    """Names that a line of strace tells of: as they were said when absolute, and as they turned out to be."""
    found = OPEN.search(line)
    if not found:
        return []
    said = STRING.search(found[2])
    names = [said[1]] if said and said[1].startswith("/") else []
    return names + ([found[4]] if found[4] else [])


def changed(line):
    """Names that a line tells of as made, moved or removed, and the folders that they are in."""
    found = CHANGE.search(line)
    if not found:
        return []
    return [name for name in STRING.findall(found[2]) if name.startswith("/")] + FOLDER.findall(found[2])


def strangers(names, scene, daemon):
    return sorted(name for name in names if not harmless(name.removesuffix(" (deleted)"), scene, daemon))


def judge(rows, scene, daemon, trace):
    """Every name that was opened, from the start of the daemon to its end."""
    lines = trace.read_text().splitlines()
    names = {name for line in lines for name in opened(line)}
    strange = strangers(names, scene, daemon)
    rows.row("nothing else is opened", strange and f"{len(strange)} names: {strange[:10]}")
    strange = strangers({name for line in lines for name in changed(line)} - {str(scene.work)}, scene, daemon)
    rows.row("nothing else is changed", strange and f"{len(strange)} names: {strange[:10]}")
    # The sanitizer reads it, once in each of the two lives of the daemon.
    often = sum(any(name.endswith("/environ") for name in opened(line)) for line in lines)
    rows.row("the environment is left alone", often > 2 and f"opened {often} times")
    noticed = strangers([str(scene.outside / "canary.vhd"), "/etc/shadow", "/dev/zero"], scene, daemon)
    rows.row("the canary would be noticed", len(noticed) != 3 and f"only {noticed}")
    inside = [name for name in names if name.startswith(f"{scene.root}/")]
    rows.row("the trace saw the work", (len(lines) < 500 or not inside) and f"{len(lines)} lines")
    print(f"{len(lines)} system calls, {len(names)} names opened")


def can_trace(work):
    """Whether strace may look at a process, and shows what a canary's opening looks like."""
    if not shutil.which("strace"):
        return "strace is not installed"
    trace, words = pathlib.Path(work) / "try", pathlib.Path(work) / "words"
    words.write_text("x")
    tried = subprocess.run(
        ["strace", "-f", "-y", "-qq", "-e", "trace=%file", "-o", str(trace), "cat", str(words)],
        capture_output=True, text=True, check=False,
    )
    if tried.returncode != 0:
        return f"ptrace is not possible here: {tried.stderr.strip()}"
    names = [name for line in trace.read_text().splitlines() for name in opened(line)]
    trace.unlink()
    return str(words) not in names and f"strace does not tell of {words}: {names}"


def main(program):
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"  # it traces, too
    rows = rig.Rows()
    with rig.folder() as work:
        impossible = can_trace(work)
        if impossible:
            print(f"skipped: {impossible}")
            return rig.SKIPPED
        scene = Scene(work)
        trace = scene.work / "trace"
        wrap = ["strace", "-f", "-y", "-qq", "-s", "4096", "-e", "trace=%file", "-A", "-o", str(trace)]
        daemon = rig.Vhdd(program, work, f"[pool]\nroots = {scene.root}\n", wrap)
        try:
            daemon.start()
            for part in (children, loops, raw_parent, paths, race, planted):
                part(rows, scene, daemon)
            daemon.stop()
        finally:
            daemon.kill()
        judge(rows, scene, daemon, trace)
    print(f"figure: sec.locators ={len(CHILDREN) + len(PATHS)}")
    return rows.end(len(CHILDREN) + len(PATHS) + 15)


if __name__ == "__main__":
    sys.exit(swap(*sys.argv[2:]) if sys.argv[1] == "swap" else main(sys.argv[1]))
