"""What may be true: each sector and row is what was acknowledged last, or something that was asked for later."""

import struct
import threading

SECTOR = 512
INHERIT = -1  # what the parent shows
ZERO = 0


def pattern(value, sector):
    return struct.pack(">QQ", value, sector) * (SECTOR // 16) if value else bytes(SECTOR)


def value_of(raw, sector):
    """The value whose pattern the sector is; None: it is none."""
    value, _ = struct.unpack(">QQ", raw[:16])
    return value if raw == pattern(value, sector) else None


class Image:
    """`sectors`: candidates, oldest first, each with its epoch (None: not acknowledged). `rows`: likewise."""

    def __init__(self, ident, size, parent, row):
        self.id, self.size, self.parent = ident, size, parent
        self.sectors = {}
        self.rows = [row]
        self.state = "maybe"  # there, going, gone; leaving, left, coming: the file stays
        self.lock = threading.Lock()
        self.verifier = None

    # ---- writes; a sector has one writer

    def begin_write(self, first, count, value):
        with self.lock:
            for sector in range(first, first + count):
                base = INHERIT if self.parent else ZERO
                self.sectors.setdefault(sector, [(base, 0)]).append((value, None))

    def end_write(self, first, count, value, epoch):
        with self.lock:
            for sector in range(first, first + count):
                held = self.sectors[sector]
                held[-1] = (value, epoch)

    def durable(self, epoch, mine):
        """All that was accepted up to the epoch can not be lost; `mine` are the sectors of the one who was told."""
        with self.lock:
            for sector, held in self.sectors.items():
                if not mine(sector):
                    continue
                for at in range(len(held) - 1, 0, -1):
                    if held[at][1] is not None and held[at][1] <= epoch:
                        del held[:at]
                        break

    def all_accepted(self):
        """The daemon ended cleanly, or froze the image: what was accepted is durable."""
        self.durable(1 << 62, lambda sector: True)

    def crashed(self):
        """What was accepted and is not known to be durable is there or is not, whatever comes after."""
        with self.lock:
            for held in self.sectors.values():
                held[1:] = [(value, None) for value, _ in held[1:]]

    def settle(self, sector, value):
        with self.lock:
            self.sectors[sector] = [(value, 0)]

    def candidates(self, sector):
        with self.lock:
            values = [value for value, _ in self.sectors.get(sector, [(INHERIT, 0)])]
        out = set()
        for value in values:
            if value != INHERIT:
                out.add(value)
            elif self.parent and sector < self.parent.size // SECTOR:
                out |= self.parent.candidates(sector)
            else:
                out.add(ZERO)
        return out

    # ---- the row

    def begin_row(self, **changes):
        with self.lock:
            self.rows.append({**self.rows[-1], **changes})

    def end_row(self):
        with self.lock:
            del self.rows[:-1]

    def forget_row(self):
        """It was refused."""
        with self.lock:
            del self.rows[-1]


class Oracle:
    def __init__(self):
        self.images = {}
        self.lock = threading.Lock()
        self.value = 0
        self.etags = set()
        self.verifiers = {}
        self.acknowledged = 0

    def next_value(self):
        with self.lock:
            self.value += 1
            return self.value

    def add(self, image):
        with self.lock:
            self.images[image.id] = image

    def remove(self, image):
        with self.lock:
            self.images.pop(image.id, None)

    def owned(self, owner):
        """Those of a client that are there; others may add theirs at any time."""
        with self.lock:
            return [image for image in self.images.values() if image.owner == owner and image.state == "there"]

    def children(self, image):
        with self.lock:
            return [other for other in self.images.values() if other.parent is image and other.state != "gone"]

    def new_etag(self, ident, etag):
        """False: two contents had this one."""
        with self.lock:
            key = (ident, etag)
            if key in self.etags:
                return False
            self.etags.add(key)
            return True
