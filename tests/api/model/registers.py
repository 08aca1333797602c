"""Is what was read from each cell what one of the writes explains? A cell of an image is a register of its own.

Every write has a tag of its own, so that a value tells its write; only zeroes come from many places. A cell that an
image has not written reads as that of its parent, whose content stands still as long as the image is there.
"""

from collections import defaultdict
from typing import NamedTuple

from history import LOST
from search import Wrong


class Write(NamedTuple):
    tag: int
    inv: float
    ret: float  # by then it has happened; LOST: perhaps never
    durable: bool = False  # by the end of the era
    op: object = None


class Read(NamedTuple):
    tag: int
    inv: float
    ret: float
    op: object = None


START = Write(0, 0, 0)


class Image:
    """What is known of the content of one image in one era."""

    def __init__(self, parent=None, content=None, born=0):
        self.parent = parent  # another Image
        self.content = content  # cell -> tag at the start of the era; None: it was made in it
        self.born = born
        self.writes = defaultdict(list)  # cell -> writes
        self.reads = defaultdict(list)

    def start(self, cell):
        """The tag that is there before the first write; None: that of the parent."""
        if self.content is not None:
            return self.content[cell]
        return 0 if self.parent is None else None


def overwritten(write, writes, before):
    """Some other write came wholly after this one and wholly before that time."""
    return any(other.inv > write.ret and other.ret < before for other in writes)


def may_read(image, cell, tag, inv, ret):
    """Whether a read between those times may have found the tag."""
    writes = image.writes[cell]
    if any(write.tag == tag and write.inv < ret and not overwritten(write, writes, inv) for write in writes):
        return True
    if overwritten(START, writes, inv):
        return False
    start = image.start(cell)
    return start == tag if start is not None else may_read(image.parent, cell, tag, inv, ret)


# ---- the order of reads among each other


def zones(image, cell):
    """For each tag that one write has: the time by which it was there, and the last at which it was."""
    by_tag = defaultdict(list)
    for write in image.writes[cell]:
        by_tag[write.tag].append(write)
    start = image.start(cell)
    reads = defaultdict(list)
    own = {write.tag for write in image.writes[cell]}
    for read in image.reads[cell]:
        reads[read.tag if read.tag in own else None].append(read)
    if start not in own and (start or 0 not in own):
        by_tag[None] = [START]
    for tag, writes in by_tag.items():
        if tag == 0 or len(writes) > 1:
            continue
        first = min([writes[0].ret] + [read.ret for read in reads[tag]])
        last = max([writes[0].inv] + [read.inv for read in reads[tag]])
        if writes[0].ret != LOST or reads[tag]:
            yield first, last, tag


def check_order(image, cell):
    """Gibbons and Korach: values that were there for sure at a time exclude each other."""
    found = list(zones(image, cell))
    forward = sorted(zone for zone in found if zone[0] < zone[1])
    for (_, last, tag), (first, _, other) in zip(forward, forward[1:]):
        if first < last:
            return f"both {tag} and {other} were there from {first} to {last}"
    for last, first, tag in (zone for zone in found if zone[0] >= zone[1]):
        for begin, end, other in forward:
            if begin < first and last < end:
                return f"{tag} came and went while {other} was there from {begin} to {end}"
    return None


def shown(image, cell):
    lines = [f"    {write.op or write}" for write in image.writes[cell]]
    return "\n".join(lines + [f"    {read.op or ''} read {read.tag}" for read in image.reads[cell]])


def check_reads(name, image):
    for cell, reads in image.reads.items():
        for read in reads:
            if read.tag is None:
                raise Wrong(f"{name} at {cell}: torn in {read.op}")
            if not may_read(image, cell, read.tag, read.inv, read.ret):
                raise Wrong(f"{name} at {cell}: {read.op} found {read.tag}; starts with {image.start(cell)}\n" +
                            shown(image, cell))
        why = check_order(image, cell)
        if why:
            raise Wrong(f"{name} at {cell}: {why}\n" + shown(image, cell))


# ---- the end of an era


def may_be_left(image, cell, tag, above):
    """Whether the tag may be there when the daemon starts again: the last durable value, or one that came later.
    `above`: what the parent has."""
    durable = [write for write in image.writes[cell] if write.durable]
    if any(write.tag == tag and not overwritten(write, durable, LOST) for write in image.writes[cell]):
        return True
    if durable:
        return False
    start = image.start(cell)
    return tag == (above if start is None else start)


def check_left(name, image, content, above):
    """The content that is there after the era."""
    for cell, tag in content.items():
        if tag is None:
            raise Wrong(f"{name} at {cell}: torn")
        if not may_be_left(image, cell, tag, above and above[cell]):
            raise Wrong(f"{name} at {cell}: {tag} is left; started with {image.start(cell)}\n" + shown(image, cell))


# ---- a write happens at once: within a block, up to 1 MiB

BLOCK, AT_ONCE = 2 << 20, 1 << 20


def one_block(op):
    offset, length = op.args["offset"], op.args["length"]
    return length <= AT_ONCE and offset // BLOCK == (offset + length - 1) // BLOCK


def check_at_once(image, read):
    """A read that found a write in one cell finds nothing that is surely older in another."""
    if not one_block(read):
        return
    writes = {write.tag: write.op for cell in read.cells for write in image.writes[cell] if write.op}
    for tag in set(read.cells.values()) & set(writes):
        if not tag or not one_block(writes[tag]):
            continue
        for cell, found in read.cells.items():
            mine = [write for write in image.writes[cell] if write.tag == tag]
            if mine and found != tag and not newer(image, cell, found, mine[0]):
                raise Wrong(f"{read} found {writes[tag]} in part: {found} at {cell}")


def newer(image, cell, tag, than):
    return any(write.tag == tag and write.ret > than.inv for write in image.writes[cell])
