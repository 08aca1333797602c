"""The world of one part: a daemon, what it has promised, and whether it holds."""

import os
import signal
import sqlite3
import stat
import subprocess
import threading
import time

from daemon import CRASHED, Client, Wrong
from load import WIDTH, WINDOWS, Keeper, Shared, Writer
from oracle import SECTOR, Image, Oracle, value_of
from vhdfile import Damaged, File, read_chain

WRITERS = 4
# Nobody asked the daemon for these: it may tell of them, and must leave them alone.
PLANTED = {
    "notes.txt": b"not an image\n" * 100,
    ".new-something": b"left by another program\n",
    ".new-99999999-9999-9999-9999-999999999999": b"of no image\n",
    "77777777-7777-7777-7777-777777777777.vhd": b"named like ours\n" * 64,
    "second name.txt": None,  # of a file outside
    "passwd.vhd": None,  # a link
    "folder.vhd": None,
    "pipe.vhd": None,
    "copy of it.vhd": None,  # an image of the catalog
    "88888888-8888-8888-8888-888888888888.vhd": None,  # likewise
}
STONE = "55555555-5555-5555-5555-555555555555"  # an image that nobody changes


class World:
    def __init__(self, daemon, chance):
        self.daemon, self.random = daemon, chance
        self.oracle = Oracle()
        self.shared = Shared()
        self.stop = threading.Event()
        self.verifier = {}
        self.verifiers = set()
        self.pool = os.path.join(daemon.state, "images")
        self.catalog = os.path.join(daemon.state, "catalog.db")
        self.planted = {}
        self.rebuilt = False  # the catalog is made of the files, since the last look

    # ---- cycles

    def begin(self):
        os.makedirs(self.pool, 0o700)
        self.restart()
        self.set_stone()
        self.end(signal.SIGTERM)
        self.plant()
        self.restart()

    def set_stone(self):
        stone = Image(STONE, 65536, None, {"name": "stone", "v": "0", "frozen": False, "saved": False})
        stone.owner, stone.state = "nobody", "there"
        client = Client(self.daemon.socket)
        body = {"uuid": STONE, "name": "stone", "size": 65536, "labels": {"v": "0"}}
        if client.ask("POST", "/v1/images", body)[0] != 201:
            raise Wrong("no image can be made")
        client.close()
        self.oracle.add(stone)

    def plant(self):
        def path(name):
            return os.path.join(self.pool, name)

        outside = os.path.join(self.daemon.folder, "outside")
        with open(path(STONE + ".vhd"), "rb") as file:
            copy = file.read()
        for name, content in PLANTED.items():
            if content:
                with open(path(name), "wb") as file:
                    file.write(content)
        with open(outside, "wb") as file:
            file.write(b"of somebody else\n")
        for name in ("copy of it.vhd", "88888888-8888-8888-8888-888888888888.vhd"):
            with open(path(name), "wb") as file:
                file.write(copy)
        os.link(outside, path("second name.txt"))
        os.symlink("/etc/passwd", path("passwd.vhd"))
        os.mkdir(path("folder.vhd"))
        os.mkfifo(path("pipe.vhd"))
        self.planted = {name: self.look(name) for name in PLANTED}

    def look(self, name):
        """What it is, and what it holds."""
        path = os.path.join(self.pool, name)
        there = os.lstat(path)
        content = b""
        if stat.S_ISREG(there.st_mode):
            with open(path, "rb") as file:
                content = file.read()
        return there.st_mode, there.st_ino, there.st_nlink, there.st_mtime_ns, content

    def restart(self, point=None):
        """True unless the point came before it was ready."""
        verifier = self.verifier.get("is")
        if verifier in self.verifiers:
            raise Wrong("a write verifier of an earlier run")
        self.verifiers.add(verifier)
        self.verifiers.discard(None)
        self.verifier = {}
        self.daemon.busy = self.random.random() < 0.4
        begin = os.path.getsize(self.daemon.log) if os.path.exists(self.daemon.log) else 0
        ready = self.daemon.start(point)
        if ready:
            self.wait_compared(begin)
        return ready

    def wait_compared(self, begin):
        """Readiness waits two seconds for the comparison of files and catalog, and the machine may take longer."""
        end = time.monotonic() + 60
        with open(self.daemon.log, "rb") as log:
            log.seek(begin)
            said = b""
            while b'"compared ' not in said and self.daemon.process.poll() is None:
                if time.monotonic() > end:
                    raise Wrong("files are not compared a minute after the start")
                said += log.read()
                time.sleep(0.002)

    def workers(self):
        kinds = [Writer] * WRITERS + [Keeper]
        return [kind(self, number, self.random.getrandbits(64)) for number, kind in enumerate(kinds)]

    def load(self, seconds):
        """Until the time has come, or the daemon is gone. The clients go on; end() ends both."""
        self.stop.clear()
        self.running = self.workers()
        for worker in self.running:
            worker.start()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.daemon.process.poll() is None:
            if any(worker.error for worker in self.running):
                break
            time.sleep(0.002)

    def end(self, sign):
        """Its exit status."""
        running, self.running = getattr(self, "running", []), []
        failed = [worker.error for worker in running if worker.error]
        status = self.daemon.end(sign)
        self.stop.set()
        for worker in running:
            worker.join(60)
        failed += [worker.error for worker in running if worker.error and worker.error not in failed]
        if failed:
            raise failed[0]
        if status not in (0, CRASHED, -signal.SIGKILL):
            raise Wrong(f"ended with status {status}")
        if status == 0:
            self.ended_cleanly()
        else:
            for image in self.oracle.images.values():
                image.crashed()
        return status

    # ---- a clean end

    def ended_cleanly(self):
        for image in self.oracle.images.values():
            image.all_accepted()
        database = sqlite3.connect(f"file:{self.catalog}?mode=ro", uri=True)
        try:
            rows = database.execute("SELECT hex(id), state, dirty FROM image WHERE state <> 1 OR dirty <> 0").fetchall()
            check = database.execute("PRAGMA integrity_check").fetchall()
        finally:
            database.close()
        if check != [("ok",)]:
            raise Wrong(f"the catalog is damaged: {check}")
        if rows:
            raise Wrong(f"a clean end leaves {rows}")

    # ---- what must be true after a start

    def verify(self, thorough=False):
        client = Client(self.daemon.socket)
        try:
            known = self.check_rows(client)
            self.check_ready(client, known)
            files = self.check_contents(client, thorough)
            self.check_files(files)
            self.check_ready(client, known)
        finally:
            client.close()

    def check_ready(self, client, known):
        """It has found `known` files that are images without a row, what was planted, and nothing else."""
        status, _, ready = client.ask("GET", "/readyz")
        n = len(self.planted) + known
        want = f"{n} finding{'s' if n != 1 else ''}, "
        if status != 200 or not ready["ready"] or not ready["checks"]["images"]["text"].startswith(want):
            raise Wrong(f"readyz says {status} {ready}, not {want}")

    def check_rows(self, client):
        """How many files are left without a row, as was asked for. Those are removed here."""
        without_row = 0
        status, _, answer = client.ask("GET", "/v1/images?limit=1000")
        if status != 200:
            raise Wrong(f"the list answers {status}")
        listed = {item["id"]: item for item in answer["items"]}
        for image in list(self.oracle.images.values()):
            item = listed.pop(image.id, None)
            if self.rebuilt and image.state != "there" and self.oracle.images.pop(image.id):
                without_row += self.clear(client, image, item)
            elif item and image.state != "left":
                self.check_row(image, item)
            elif item or image.state == "there":
                raise Wrong(f"image {image.id} {image.rows} is {'back' if item else 'lost'}")
            elif image.state in ("leaving", "left", "coming"):
                self.oracle.remove(image)
                os.unlink(os.path.join(self.pool, image.id + ".vhd"))
                without_row += 1
            else:
                self.oracle.remove(image)
                if self.shared.image is image:
                    self.shared.image = image.parent
        if listed:
            raise Wrong(f"images that nobody made, or that were deleted: {listed}")
        # The newest of the shared ones, where a snapshot was not answered.
        mine = [image for image in self.oracle.images.values() if image.owner == "shared"]
        leaves = [image for image in mine if not self.oracle.children(image)]
        self.shared.image = leaves[-1] if leaves else None
        self.rebuilt = False
        return without_row

    def clear(self, client, image, item):
        """A catalog made anew takes the files for what they are, and leaves those of unfinished creations alone."""
        if item and client.ask("DELETE", f"/v1/images/{image.id}")[0] != 204:
            raise Wrong(f"{image.id} cannot be deleted after a rebuild")
        if self.shared.image is image:
            self.shared.image = image.parent
        files = [name for name in (f".new-{image.id}", f"{image.id}.vhd") if name in os.listdir(self.pool)]
        for name in files:
            os.unlink(os.path.join(self.pool, name))
        return len(files)

    def check_row(self, image, item):
        if item["state"] != "ready" or item["health"]["status"] != "ok":
            raise Wrong(f"image {image.id} is {item['state']}, {item['health']}")
        parent = item["parent"]["id"] if item["parent"] else None
        if parent != (image.parent.id if image.parent else None) or item["virtual_size"] != image.size:
            raise Wrong(f"image {image.id} has parent {parent}, {item['virtual_size']} bytes")
        frozen = item["frozen_reason"] == "request"
        seen = {"name": item["name"], "v": item["labels"]["v"], "frozen": frozen, "saved": item["vhd"]["saved_state"]}
        rows = [dict(row) for row in image.rows]
        if item["children_count"]:
            for row in rows + [seen]:
                del row["frozen"]
        if seen not in rows:
            raise Wrong(f"image {image.id} is {seen}, not one of {rows}")
        image.rows = [{**image.rows[-1], **seen}]
        image.state = "there"

    # ---- content

    def check_contents(self, client, thorough):
        files = {}
        order = sorted(self.oracle.images.values(), key=lambda image: len(self.chain(image)))
        for image in order:
            raw = self.read(client, image)
            for window, piece in raw.items():
                self.check_piece(image, window, piece)
            files[image.id] = self.open_file(image)
            self.compare(image, files, raw, thorough)
        return files

    def chain(self, image):
        out = []
        while image:
            out.append(image)
            image = image.parent
        return out

    def windows(self, image):
        if image.size // SECTOR <= WIDTH * 2:
            return {0: image.size // SECTOR}
        return {window: WIDTH for window in WINDOWS}

    def read(self, client, image):
        out = {}
        for window, count in self.windows(image).items():
            status, _, raw = client.ask(
                "GET", f"/v1/images/{image.id}/data", None,
                {"Range": f"bytes={window * SECTOR}-{(window + count) * SECTOR - 1}"})
            if status not in (200, 206) or len(raw) != count * SECTOR:
                raise Wrong(f"image {image.id}: a read answers {status}: {raw[:300]}")
            out[window] = raw
        return out

    def check_piece(self, image, window, piece):
        for at in range(len(piece) // SECTOR):
            sector = window + at
            value = value_of(piece[at * SECTOR : (at + 1) * SECTOR], sector)
            if value not in image.candidates(sector):
                raise Wrong(f"image {image.id}: sector {sector} is {value}, not one of {image.candidates(sector)}; "
                            f"its own: {image.sectors.get(sector)}")
            if sector in image.sectors:
                image.settle(sector, value)

    def open_file(self, image):
        path = os.path.join(self.pool, image.id + ".vhd")
        try:
            return File(path)
        except (OSError, Damaged) as error:
            raise Wrong(f"the file of image {image.id} {image.rows}: {error}") from error

    def compare(self, image, files, raw, thorough):
        """The files say the same as the daemon."""
        chain = [files[one.id] for one in self.chain(image)]
        if chain[0].saved != image.rows[-1]["saved"]:
            raise Wrong(f"image {image.id}: saved_state of the file is {chain[0].saved}, its row {image.rows}")
        for one, file in zip(self.chain(image), chain):
            parent = one.parent.id.replace("-", "") if one.parent else "0" * 32
            if file.id.hex() != one.id.replace("-", "") or file.parent.hex() != parent or file.size != one.size:
                raise Wrong(f"the file of {one.id} is {file.id.hex()} below {file.parent.hex()}, {file.size} bytes")
        for window, piece in raw.items():
            if read_chain(chain, window, len(piece) // SECTOR) != piece:
                raise Wrong(f"image {image.id}: the files and the daemon differ in sectors from {window} on")
        if thorough and not image.parent:
            self.compare_with_nothing(image, chain[0])
            self.compare_with_qemu(image, chain[0])

    def compare_with_nothing(self, image, file):
        """Where nobody wrote there are zeroes."""
        windows, at = self.windows(image), 0
        for window in sorted(windows):
            between = read_chain([file], at, window - at)
            if between.count(0) != len(between):
                raise Wrong(f"image {image.id}: sectors {at} to {window} are not zero")
            at = window + windows[window]

    def compare_with_qemu(self, image, file):
        """QEMU reads the same. The daemon has the file open, hence no locks."""
        raw = os.path.join(self.daemon.folder, "raw")
        subprocess.run(["qemu-img", "convert", "-U", "-f", "vpc", "-O", "raw", file.path, raw], check=True)
        with open(raw, "rb") as out:
            if out.read() != read_chain([file], 0, image.size // SECTOR):
                raise Wrong(f"image {image.id}: qemu reads something else")

    # ---- files

    def check_files(self, files):
        there = set(os.listdir(self.pool))
        want = {ident + ".vhd" for ident in files} | set(self.planted)
        if there != want:
            raise Wrong(f"leaked: {sorted(there - want)}, lost: {sorted(want - there)}")
        for name, before in self.planted.items():
            if self.look(name) != before:
                raise Wrong(f"{name} was changed")
