"""What happened: one record for each request, and how octets tell which write they came from."""

import struct

LOST = float("inf")  # the time of an answer that never came

PAGE, SMALL = 4096, 256
SPLIT = 1  # this page is a row of small cells, so that writers share its sectors


class Op:
    """A request. `inv` and `ret` are the times of the clock just before it was sent and just after its answer."""

    def __init__(self, kind, slot=None, ref=None, **args):
        self.kind, self.slot, self.ref, self.args = kind, slot, ref, args
        self.inv, self.ret = 0, LOST
        self.status, self.code, self.body, self.etag = 0, None, None, None
        self.known = None  # of a creation: what others are told of the image
        self.cells = {}  # of a read: cell -> tag

    @property
    def lost(self):
        return self.ret == LOST

    @property
    def ok(self):
        return 200 <= self.status < 300

    def again(self):
        """The same, asked once more."""
        other = Op(self.kind, self.slot, self.ref, **self.args)
        other.known = self.known
        return other

    def places(self):
        return cells(self.args["offset"], self.args["length"])

    def __repr__(self):
        what = "no answer" if self.lost else f"{self.status} {self.code or ''}"
        shown = {key: value for key, value in self.args.items() if value is not None}
        return f"[{self.inv},{self.ret}] {self.kind} {self.ref or ''} {shown} -> {what} {self.etag or ''}"


def cells(offset, length):
    """Places, lengths of the cells of a range that begins and ends with a cell."""
    end = offset + length
    while offset < end:
        size = SMALL if offset // PAGE == SPLIT else PAGE
        size = min(size, end - offset)
        yield offset, size
        offset += size


def fill(tag, offset, length):
    """Octets that tell from which write they are, and for which place."""
    return b"".join((struct.pack("<QQ", tag, place) * (size // 16 + 1))[:size] for place, size in cells(offset, length))


def read_tag(octets, place):
    """The tag of one cell: 0 for zeroes. None: it is of no single write, or of one to another place."""
    if not octets.strip(b"\0"):
        return 0
    tag, where = struct.unpack_from("<QQ", octets)
    whole = octets[:16] * (len(octets) // 16)
    return tag if where == place and octets == whole else None


def read_tags(octets, offset):
    return {place: read_tag(octets[place - offset:place - offset + size], place)
            for place, size in cells(offset, len(octets))}
