"""Clients that write, and keep in mind what they were told."""

import os
import random
import threading
import uuid

from daemon import Client, Lost, Wrong
from oracle import SECTOR, ZERO, Image, pattern, value_of

SIZE = 4 << 20
WIDTH, SHARE = 64, 16  # sectors of a window; of one client in it, where a disk is shared
# At the start, in the middle and at the end of blocks, and across borders of 512 KiB.
WINDOWS = (0, 990, 2040, 3500, 4064, 6000, 7100, SIZE // SECTOR - WIDTH)
DEPTH = 6


class Shared:
    """The disk that all clients write, each its own sectors of it."""

    def __init__(self):
        self.image = None


class Worker(threading.Thread):
    def __init__(self, world, number, seed):
        super().__init__(daemon=True)
        self.world, self.oracle, self.number = world, world.oracle, number
        self.random = random.Random(seed)
        self.client = Client(world.daemon.socket)
        self.error = None
        self.owner = f"w{number}"
        self.image = self.find_leaf()
        self.last = {}

    def find_leaf(self):
        mine = self.oracle.owned(self.owner)
        leaves = [image for image in mine if not self.oracle.children(image)]
        return self.random.choice(leaves) if leaves else None

    def run(self):
        try:
            while not self.world.stop.is_set():
                self.step()
        except Lost:
            pass
        except Exception as error:  # told by the main thread
            self.error = error
        finally:
            self.client.close()

    def ask(self, method, target, body=None, expect=(200,)):
        status, headers, answer = self.client.ask(method, target, body)
        if status == 503:  # it is stopping
            raise Lost("503")
        if status not in expect:
            raise Wrong(f"{method} {target} answered {status}: {answer}")
        if status < 300:
            self.oracle.acknowledged += 1
        return status, headers, answer

    # ---- images

    def create(self, parent=None, owner=None, **more):
        """None: it was refused, as a parent that is gone is."""
        ident = str(uuid.UUID(int=self.random.getrandbits(128)))
        body = {"uuid": ident, "name": f"{self.owner}-{ident[:8]}", "labels": {"v": "0"}, **more}
        if parent:
            body["parent"] = parent.id
        else:
            body.setdefault("size", SIZE)
            if "kind" not in body:
                body["block_size"] = self.random.choice((512 << 10, 2 << 20))
        image = Image(ident, parent.size if parent else body["size"], parent,
                      {"name": body["name"], "v": "0", "frozen": False, "saved": False})
        image.owner = owner or self.owner
        self.oracle.add(image)
        status, _, answer = self.ask("POST", "/v1/images", body, (201, 404, 409))
        if status != 201:
            self.oracle.remove(image)
            if image.owner == self.owner:
                raise Wrong(f"creation of an own image answered {status}: {answer}")
            return None
        image.state = "there"
        if parent:
            parent.all_accepted()
        return image

    def delete(self, image):
        image.state = "going"
        status, _, _ = self.ask("DELETE", f"/v1/images/{image.id}", None, (204, 409))
        if status == 204:
            image.state = "gone"
            self.oracle.remove(image)
        else:
            image.state = "there"

    def depth(self, image):
        return 1 + self.depth(image.parent) if image.parent else 1

    # ---- the row

    def patch(self, image):
        number, dice = str(self.random.getrandbits(32)), self.random.random()
        if dice < 0.5:
            changes, body = {"v": number}, {"labels": {"v": number}}
        elif dice < 0.75 and not image.rows[-1]["frozen"] and not self.oracle.children(image):
            changes = {"saved": not image.rows[-1]["saved"]}
            body = {"saved_state": changes["saved"]}
        else:
            changes = {"name": f"{self.owner}-r{number}"}
            body = dict(changes)
        image.begin_row(**changes)
        self.ask("PATCH", f"/v1/images/{image.id}", body)
        image.end_row()

    # ---- data

    def mine(self, image):
        if image.owner != "shared":
            return lambda sector: True
        return lambda sector: any(0 <= sector - window - self.number * SHARE < SHARE for window in WINDOWS)

    def range(self, image):
        window = self.random.choice(WINDOWS)
        if image.size < SIZE:
            return 0, image.size // SECTOR
        width = SHARE if image.owner == "shared" else WIDTH
        count = self.random.randint(1, min(width, 24))
        first = self.random.randint(0, width - count)
        return window + first + (self.number * SHARE if image.owner == "shared" else 0), count

    def told(self, image, headers, answer, epoch):
        """What every answer about data says."""
        durable, verifier = answer["durable_epoch"], answer["write_verifier"]
        if (headers["X-Durable-Epoch"], headers["X-Write-Verifier"], headers["X-Write-Epoch"]) != (
                str(durable), verifier, str(answer["write_epoch"])):
            raise Wrong(f"headers and body differ: {headers.items()} {answer}")
        if epoch is not None and durable < epoch:
            raise Wrong(f"flushed, and epoch {durable} is durable, not {epoch}")
        if self.world.verifier.setdefault("is", verifier) != verifier:
            raise Wrong("another write verifier, without a failed sync")
        image.durable(durable, self.mine(image))

    def change(self, image, first, count, value, request, flush):
        image.begin_write(first, count, value)
        expect = (200, 404, 409) if image.owner == "shared" else (200,)
        status, headers, answer = self.ask(*request, expect)
        if status != 200:
            return
        epoch = answer["write_epoch"]
        image.end_write(first, count, value, epoch)
        self.last[image.id] = max(epoch, self.last.get(image.id, 0))
        self.told(image, headers, answer, epoch if flush else None)
        if value != ZERO and image.owner != "shared" and not self.oracle.new_etag(image.id, answer["etag"]):
            raise Wrong(f"{image.id}: ETag {answer['etag']} has been of other content")

    def write(self, image, flush):
        first, count = self.range(image)
        value = self.oracle.next_value()
        body = b"".join(pattern(value, sector) for sector in range(first, first + count))
        target = f"/v1/images/{image.id}/data?offset={first * SECTOR}&flush={'y' if flush else 'n'}"
        self.change(image, first, count, value, ("PUT", target, body), flush)

    def zero(self, image, flush):
        first, count = self.range(image)
        body = {"op": "zero", "sector": first, "count": count}
        target = f"/v1/images/{image.id}/data?flush={'y' if flush else 'n'}"
        self.change(image, first, count, ZERO, ("PATCH", target, body), flush)

    def flush(self, image):
        expect = (200, 404, 409) if image.owner == "shared" else (200,)
        status, headers, answer = self.ask("POST", f"/v1/images/{image.id}/data?op=flush", None, expect)
        if status == 200:
            self.told(image, headers, answer, self.last.get(image.id))

    def read(self, image):
        """What was accepted is what is read."""
        first, count = self.range(image)
        status, headers, raw = self.client.ask(
            "GET", f"/v1/images/{image.id}/data", None,
            {"Range": f"bytes={first * SECTOR}-{(first + count) * SECTOR - 1}"})
        if status == 503:
            raise Lost("503")
        if status not in (200, 206) or not headers["X-Write-Verifier"]:
            raise Wrong(f"read answered {status}")
        for sector in range(first, first + count):
            at = (sector - first) * SECTOR
            value = value_of(raw[at : at + SECTOR], sector)
            held = image.sectors.get(sector)
            if value not in image.candidates(sector) or (held and held[-1][0] >= 0 and value != held[-1][0]):
                raise Wrong(f"{image.id}: sector {sector} is {value}, not {held}")

    def step(self):
        raise NotImplementedError


class Writer(Worker):
    def step(self):
        if not self.image:
            self.image = self.create()
        shared = self.world.shared.image
        image = shared if shared and self.random.random() < 0.4 else self.image
        flush = self.random.random() < 0.5
        dice = self.random.random()
        if dice < 0.68:
            self.write(image, flush)
        elif dice < 0.75:
            self.zero(image, flush)
        elif dice < 0.82:
            self.flush(image)
        elif dice < 0.88:
            self.read(self.image)
        elif dice < 0.92:
            self.patch(self.image)
        elif dice < 0.96 and self.depth(self.image) < DEPTH:
            self.image = self.create(self.image)
        else:
            self.go_back()

    def go_back(self):
        """The newest of the chain goes, and its parent is written again."""
        image = self.image
        self.image = image.parent
        self.delete(image)


class Keeper(Worker):
    """Images that come, change and go; and the snapshots of the shared disk."""

    def step(self):
        if not self.world.shared.image:
            self.world.shared.image = self.create(owner="shared")
        dice = self.random.random()
        mine = self.oracle.owned(self.owner)
        leaves = [image for image in mine if not self.oracle.children(image)]
        if dice < 0.30 and len(mine) < 6:
            self.make(mine)
        elif dice < 0.55 and leaves:
            self.delete(self.random.choice(leaves))
        elif dice < 0.75 and mine:
            self.patch(self.random.choice(mine))
        elif dice < 0.85 and leaves:
            self.freeze(self.random.choice(leaves))
        elif dice < 0.95 and leaves:
            image = self.random.choice(leaves)
            if not image.rows[-1]["frozen"]:
                (self.readopt if dice < 0.89 else self.write_some)(image)
        else:
            self.snapshot()

    def write_some(self, image):
        self.write(image, self.random.random() < 0.5)

    def make(self, mine):
        parents = [image for image in mine if self.depth(image) < DEPTH]
        if parents and self.random.random() < 0.5:
            self.create(self.random.choice(parents))
        elif self.random.random() < 0.2:
            self.create(kind="fixed", size=65536)
        else:
            self.create()

    def freeze(self, image):
        frozen = not image.rows[-1]["frozen"]
        image.begin_row(frozen=frozen)
        if frozen:
            self.ask("PATCH", f"/v1/images/{image.id}", {"frozen": True})
        else:
            self.ask("POST", f"/v1/images/{image.id}/actions/thaw")
        image.end_row()
        if frozen:
            image.all_accepted()

    def readopt(self, image):
        """The row goes and the file stays, then the file is adopted again."""
        image.state = "leaving"
        self.ask("DELETE", f"/v1/images/{image.id}?keep_file=y", None, (204,))
        image.all_accepted()
        image.state = "left"
        name, number = f"{self.owner}-a{image.id[:8]}", str(self.random.getrandbits(32))
        image.rows = [{**image.rows[-1], "name": name, "v": number, "frozen": False}]
        image.state = "coming"
        source = {"path": os.path.join(self.world.pool, image.id + ".vhd")}
        self.ask("POST", "/v1/images", {"name": name, "labels": {"v": number}, "source": source}, (201,))
        image.state = "there"

    def snapshot(self):
        image = self.world.shared.image
        if self.depth(image) < DEPTH:
            child = self.create(image, owner="shared")
            if child:
                self.world.shared.image = child
            return
        self.world.shared.image = self.create(owner="shared")
        while image:
            older = image.parent
            self.delete(image)
            if image.state != "gone":
                break
            image = older
