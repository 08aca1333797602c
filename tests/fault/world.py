"""What a scenario works with: a daemon, images, and what is known of both."""

import errno
import re
import signal
import time
import urllib.parse

import vhdfile
from daemon import FOR_EVER, OURS, Answer, Failure

PAGE = 4096
A, B, C = 0xA1, 0xB2, 0xC3  # what pages are filled with
SIZE = (512 + 16) * 1024
PAGES = (0, 1, 2, 128, 129)  # those that scenarios write and look at: of two blocks
UNCERTAIN = 70  # the exit status when a commit may be on the disk or not
CANNOT = (1, 64)  # exit statuses: something failed, or the configuration cannot be read
SYNCS = ("fsync", "fdatasync")
# What a failing call may be answered with, when not with success.
REFUSALS = {500, 503, 507, 409}


class Image:
    """An image, and what each of its pages may hold: one thing, or more after a failure."""

    def __init__(self, world, name, parent=None, fields=None):
        self.world, self.name, self.parent, self.fields = world, name, parent, fields or {}
        self.pages = {page: set(parent.pages[page]) if parent else {bytes(PAGE)} for page in PAGES}
        self.late = {}  # what was accepted for pages, and is there after the next flush
        self.exists = None  # True, False, or not known

    def url(self, rest=""):
        return f"/v1/images/{self.name}{rest}"

    def create(self, method="POST", form=""):
        """`form`: what is added to a body that is a form."""
        body = {"name": self.name, **self.fields}
        if self.parent:
            body["parent"] = self.parent.name
        target = "/v1/images"
        if method == "PUT":
            target = self.url()
            del body["name"]
        if form:
            body = (urllib.parse.urlencode(body) + form).encode()
        answer = self.world.ask(method, target, body)
        if self.world.judge(answer, 201):
            self.exists = True
        elif answer.status and not self.world.lacks_memory:
            self.exists = False
        self.world.half |= not self.exists
        return self

    def delete(self, query=""):
        was, self.exists = self.exists, None
        answer = self.world.ask("DELETE", self.url(query))
        if answer.status == 409 and self.world.half and not self.world.armed:
            # A child is gone for clients only; the daemon tries again to remove it.
            answer = self.world.wait_while(409, "DELETE", self.url(query))
        if self.world.judge(answer, 204):
            self.exists = False
        elif answer.status == 409:
            self.exists = was
        self.world.half |= not self.exists and answer.status != 204

    def _change(self, page, data, method, target, body, **more):
        mixed = self.pages[page] | {data}
        self.pages[page] = mixed
        self.late.pop(page, None)
        if not self.world.expect(200, method, target, body, **more):
            return
        if "flush=n" in target:
            self.late[page] = data
        else:
            self.pages[page] = {data}

    def write(self, page, byte, flush="y", **more):
        data = bytes([byte]) * PAGE
        self._change(page, data, "PUT", self.url(f"/data?offset={page * PAGE}&flush={flush}"), data, **more)

    def patch(self, page, at, text):
        """A part of a page, of which it must be known what it holds."""
        (old,) = self.pages[page]
        new = old[:at] + text + old[at + len(text) :]
        self._change(page, new, "PUT", self.url(f"/data?offset={page * PAGE + at}"), text)

    def zero(self, page):
        body = {"op": "zero", "offset": page * PAGE, "length": PAGE}
        self._change(page, bytes(PAGE), "PATCH", self.url("/data"), body)

    def flush(self):
        if self.world.expect(200, "PATCH", self.url("/data"), {"op": "flush"}):
            self.pages.update({page: {data} for page, data in self.late.items()})
            self.late = {}

    def look(self, page, got):
        for at in range(0, PAGE, 512):
            if not any(got[at : at + 512] == old[at : at + 512] for old in self.pages[page]):
                raise Failure(f"{self.name}: page {page}, byte {at}: 0x{got[at]:02x} was never there")

    def read(self):
        """Whatever comes must be right, and all of it must come when nothing fails."""
        for first, last in ((0, 2), (128, 129)):
            headers = {"Range": f"bytes={first * PAGE}-{(last + 1) * PAGE - 1}"}
            answer = self.world.ask("GET", self.url("/data"), headers=headers)
            if self.world.judge(answer, 206):
                for page in range(first, last + 1):
                    self.look(page, answer.body[(page - first) * PAGE :][:PAGE])

    def read_all(self):
        answer = self.world.ask("GET", self.url("/data"))
        if self.world.judge(answer, 200):
            for page in PAGES:
                self.look(page, answer.body[page * PAGE :][:PAGE])

    def id(self):
        return self.world.ask("GET", self.url()).json["id"]

    def path(self):
        row = self.world.ask("GET", self.url()).json
        return self.world.daemon.state / "images" / row["file"]

    # ---- when nothing fails any more

    def check(self):
        answer = self.world.ask("GET", self.url())
        if answer.status not in (200, 404):
            raise Failure(f"{self.name}: {answer}")
        if answer.status == 200 and answer.json["state"] == "creating" and not self.exists:
            # Could be neither made nor undone; the daemon tries again.
            self.exists = False
            answer = self.world.wait_while(200, "GET", self.url())
        found = answer.status == 200
        if self.exists is not None and found != self.exists:
            raise Failure(f"{self.name}: is {'' if found else 'not '}there; was told the contrary")
        if not found:
            self.exists = False
            self.check_absent()
            return
        self.exists = True
        self.late = {}  # may have been lost with the daemon, or by the recovery
        row = answer.json
        if row["state"] == "failed":
            row = self.world.strict(200, "POST", self.url("/actions/recover")).json
        if row["state"] == "corrupt":
            self.read()  # looks at it again
            row = self.world.strict(200, "GET", self.url()).json
        if row["state"] != "ready":
            raise Failure(f"{self.name}: is {row['state']}")
        self.read()
        if row["writable"]:
            self.write(2, 0xE1)
            self.write(129, 0xE2)
            self.flush()
            self.read()
        vhdfile.check(self.world.daemon.state / "images" / row["file"])

    def check_absent(self):
        """What could not be made can be made now; what was deleted leaves its name."""
        if self.parent and not self.parent.exists:
            return
        self.pages = {page: set(self.parent.pages[page]) if self.parent else {bytes(PAGE)} for page in PAGES}
        self.create()
        self.read()


class World:
    def __init__(self, daemon):
        self.daemon = daemon
        self.root = daemon.work / "root"  # where files may be adopted
        self.number = 0
        self.config = daemon.config.read_text()
        self.begin()

    def begin(self):
        """A new run, of which nothing is known yet."""
        self.images, self.armed, self.may_end = [], False, False
        self.also = set()  # other refusals that this kind of failure leads to
        self.half = False  # something may have been neither done nor undone
        self.ends = set()  # statuses that it may end with
        self.may_be_lost = False  # answers
        self.goes_on = False  # what fails is only interrupted
        self.lacks_memory = False  # also for the answer of what has been done

    # ---- requests

    def ask(self, method, target, body=b"", **more):
        before = self.daemon.page.failed
        seconds = 1 if self.armed and self.may_be_lost else 60
        try:
            answer = self.daemon.ask(method, target, body, seconds=seconds, **more)
        except TimeoutError as why:
            if seconds == 60:
                raise Failure(f"{method} {target}: no answer within {seconds} s") from why
            answer = Answer(b"")
        answer.what = f"{method} {target}"
        answer.failed = self.armed and self.daemon.page.failed > before
        return answer

    def wait_while(self, status, method, target):
        """What could not be finished is tried again, once a second at first."""
        end = time.monotonic() + 60
        while True:
            answer = self.ask(method, target)
            if answer.status != status or time.monotonic() > end:
                return answer
            time.sleep(0.05)

    def judge(self, answer, status):
        """True: a success. Only while calls fail it may be anything else, and then a proper refusal."""
        if answer.status == status:
            name, _ = self.daemon.page.last
            if answer.failed and name in SYNCS and not answer.what.startswith("GET"):
                raise Failure(f"{answer.what}: answered {status} although a sync failed")
            return True
        if not self.armed:
            raise Failure(f"{answer.what}: {answer}, not {status}; nothing fails now")
        if answer.status == 0:
            return False
        if answer.status not in REFUSALS | self.also:
            raise Failure(f"{answer.what}: {answer}, neither {status} nor a refusal")
        if answer.headers.get("content-type", "").startswith("text/"):
            return False  # as it was asked for
        problem = answer.json
        if problem["status"] != answer.status or not re.fullmatch("[a-z0-9-]+", problem["code"]):
            raise Failure(f"{answer.what}: a problem that is none: {answer}")
        return False

    def expect(self, status, method, target, body=b"", **more):
        return self.judge(self.ask(method, target, body, **more), status)

    def strict(self, status, method, target, body=b"", **more):
        answer = self.ask(method, target, body, **more)
        if answer.status != status:
            raise Failure(f"{answer.what}: {answer}, not {status}")
        return answer

    # ---- images

    def plan(self, parent=None, **fields):
        self.number += 1
        if parent:
            fields["parent"] = parent.name
        else:
            fields.setdefault("size", SIZE)
            if fields.get("kind") != "fixed":
                fields.setdefault("block_size", 524288)
        image = Image(self, f"image-{self.number}", parent, fields)
        self.images.append(image)
        return image

    def create(self, parent=None, method="POST", **fields):
        return self.plan(parent, **fields).create(method)

    def chain(self):
        base = self.create()
        base.write(0, A)
        base.write(128, A)
        middle = self.create(base)
        middle.write(1, B)
        leaf = self.create(middle)
        leaf.write(0, C)
        return base, middle, leaf

    # ---- the life of the daemon

    def judge_end(self, status, others=()):
        allowed = set(others)
        if self.may_end:
            allowed |= self.ends | {UNCERTAIN}
            # Another thread may have failed to log before the end.
            if self.without_chance() > self.without_chance_before and not self.goes_on:
                allowed.add(-signal.SIGABRT)
        if status not in allowed:
            raise Failure(f"the daemon ended with status {status}")

    def start(self, **more):
        """True when it is ready. It may refuse to start only while calls fail."""
        self.daemon.launch(**more)
        if self.armed:
            self.ends |= set(CANNOT)  # also when one of its sockets is served already
        try:
            ready = self.daemon.wait_ready(2 if self.armed else 120)
        except Failure:
            if not self.armed:
                raise
            self.daemon.page.disarm()  # nobody can be answered while everything fails
            ready = self.daemon.wait_ready()
        if not ready:
            self.judge_end(self.daemon.ended())
        return ready

    def stop(self):
        status = self.daemon.stop()
        if status != 0:
            self.judge_end(status)

    def restart(self, **more):
        self.stop()
        return self.start(**more)

    def reconfigure(self, more=""):
        """Starts it anew with what is added to its configuration."""
        self.daemon.config.write_text(self.config + more)
        self.restart()

    def crash(self):
        self.daemon.kill()

    def without_chance(self):
        """How often getrandom has failed."""
        return sum(failed for call, _, failed in self.daemon.page.sites().values() if call == "getrandom")

    def arm(self, *how):
        self.without_chance_before = self.without_chance()
        self.daemon.page.arm(*how)
        self.armed = self.may_end = True

    def while_failing(self, call, what):
        """Does something while these calls fail, before anything is watched."""
        self.arm(OURS, (call,), errno.EIO, 0, FOR_EVER)
        what()
        self.disarm()
        self.may_end = False

    def disarm(self):
        self.daemon.page.disarm()
        self.armed = False

    # ---- after the faults

    def settle(self):
        """A daemon that gave up is started again; one without room finds it."""
        end = time.monotonic() + 60
        while True:
            if self.daemon.process and not self.daemon.alive():
                self.judge_end(self.daemon.ended())
                self.may_end = False
            if not self.daemon.process:
                self.start()
            if self.ask("GET", "/readyz").status == 200:
                return
            if time.monotonic() > end:
                raise Failure(f"not ready a minute later: {self.ask('GET', '/readyz?verbose')}")
            time.sleep(0.02)

    def check(self):
        for image in self.images:
            image.check()
        names = {row["name"] for row in self.strict(200, "GET", "/v1/images?limit=1000").json["items"]}
        if names != {image.name for image in self.images if image.exists}:
            raise Failure(f"the list is {sorted(names)}")

    def clear(self):
        for image in reversed(self.images):
            if image.exists:
                image.delete()
        self.images = []

    def check_empty(self):
        """Nothing is left behind, at the latest after a restart."""
        self.restart()
        left = [path.name for path in (self.daemon.state / "images").iterdir()]
        if left:
            raise Failure(f"left in the pool: {left}")
        if self.strict(200, "GET", "/v1/images").json["items"]:
            raise Failure("images are left in the catalog")
