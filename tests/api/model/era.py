"""The judge of one era: from a moment when nothing was under way to the next one, or to the end of the daemon."""

import re

import catalog
import etags
import registers
from history import LOST
from registers import Image, Read, Write
from search import Wrong, search
from view import SLOTS

CLEAN, KILLED = "clean", "killed"


class Snapshot:
    """All that is there at a quiet moment: what is told of the images, and the tag of each cell."""

    def __init__(self, told, contents):
        self.told, self.contents = told, contents
        self.names = {item[0]: item[1] for item in told}
        self.parents = {item[0]: item[3] for item in told}
        self.states = {slot: [{}] for slot in SLOTS}  # what the catalog may be


def recovered(state):
    """What the next start makes of a catalog: creations that were interrupted are undone, removals are finished."""
    for image in sorted(state, key=lambda image: depth(state, image), reverse=True):
        if state[image].phase != catalog.READY:
            state = catalog.forgotten(state, image)
    return state


def depth(state, image):
    parent = state[image].parent
    return 1 + depth(state, parent) if parent in state else 0


def find_first_versions(ops, told):
    """For each creation, from the lowest version that anybody was told, and when."""
    lowest = {}
    for op in sorted(ops, key=lambda op: op.ret):
        for item in op.body if isinstance(op.body, list) else [op.body] if op.body else []:
            lowest[item[0]] = min(lowest.get(item[0], (item, op.ret)), (item, op.ret), key=lambda found: found[0][8])
    for item in told:
        lowest.setdefault(item[0], (item, LOST))
    for op in ops:
        if op.kind == "create" and op.args["uuid"] in lowest:
            item, until = lowest[op.args["uuid"]]
            op.args["first"] = catalog.first_versions(item, [other for other in ops if other.inv < until])


def check_slot(slot, states, told, ops, end):
    """Returns the states in which the slot may be now."""

    pictures = []

    def final(configuration):
        state, open_stages = configuration.state, configuration.under_way.values()
        if end == KILLED:
            state = recovered(state)
        elif any(stage and stage[0] for stage in open_stages):  # what nobody waited for has come to an end as well
            return None
        pictures.append(catalog.picture(state))
        return state if pictures[-1] == told else None

    mine = [op for op in ops if op.slot == slot and (op.kind in catalog.CHANGES or not op.lost)]
    find_first_versions(mine, told)
    try:
        return search(states, [op for op in mine if not busy(op, mine)], final)
    except Wrong as why:
        raise Wrong(f"{why}\n{difference(told, pictures, mine)}") from None


def difference(told, pictures, ops):
    """What is there now and is not in the most similar end that may be, and the other way round."""
    ends = min(pictures, key=lambda picture: len(picture ^ told), default=set())
    lines = [f"  there is {item}" for item in told - ends] + [f"  expected {item}" for item in ends - told]
    about = {item[0] for item in told ^ ends}
    return "\n".join(lines + [f"  {op!r}" for op in ops if op.kind in catalog.CHANGES and
                              about & {op.ref, op.args.get("uuid"), op.args.get("parent")}])


def check_catalog(before, after, ops, end):
    for slot in SLOTS:
        told = {item for item in after.told if item[1][0] == slot}
        after.states[slot] = check_slot(slot, before.states[slot], told, ops, end)


def overlaps(a, b):
    return a is not b and a.slot == b.slot and a.inv < b.ret and b.inv < a.ret


def busy(op, ops):
    """An answer that asks to come again: right when somebody else was at it."""
    if op.code != "image-busy":
        return False
    if not any(overlaps(op, other) and other.kind != "list" for other in ops):
        raise Wrong(f"nobody was in the way of {op}")
    return True


# ---- content


def elders_first(parents):
    def ancestors(image):
        return 1 + ancestors(parents[image]) if parents[image] else 0

    return sorted(parents, key=ancestors)


def images_of(before, ops):
    images = {}
    for image in elders_first(before.parents):
        images[image] = Image(images.get(before.parents[image]), before.contents[image])
    for op in sorted((op for op in ops if op.kind == "create" and op.status != 200), key=lambda op: op.inv):
        if (op.ok or op.lost) and op.args["uuid"] not in images:
            images[op.args["uuid"]] = Image(images.get(op.args["parent"]), None, op.inv)
    return images


def seals(ops):
    """When the content of a parent came to a stand, for sure, and until when: image -> [(from, to)]."""
    found = {}
    for op in ops:
        if op.kind == "create" and op.ok and op.status == 201 and op.args["parent"]:
            gone = [other.inv for other in ops if other.kind == "delete" and other.ref == op.args["uuid"]]
            found.setdefault(op.args["parent"], []).append((op.ret, min(gone, default=LOST)))
    return found


def written_by(op, seal, durable):
    """A write to a parent that was made a child in the meantime came before the child."""
    ret = min([op.ret] + [begin for begin, end in seal if op.inv < begin < op.ret <= end and not op.lost])
    return Write(op.args["tag"], op.inv, ret, durable, op)


def durable_epochs(ops):
    """The highest epoch of each image that an answer has called durable."""
    highest = {}
    for op in ops:
        if op.ok and op.args.get("durable_epoch") is not None:
            highest[op.ref] = max(highest.get(op.ref, 0), op.args["durable_epoch"])
    return highest


def is_durable(op, epochs, seal, ops, end):
    if op.lost or end == CLEAN:
        return not op.lost
    frozen = any(begin > op.ret for begin, _ in seal) or any(
        other.kind == "freeze" and other.ok and other.ref == op.ref and other.inv > op.ret for other in ops)
    return op.args["flush"] or frozen or op.args["write_epoch"] <= epochs.get(op.ref, 0)


def fill_registers(images, ops, end):
    sealed, epochs = seals(ops), durable_epochs(ops)
    for op in ops:
        if op.kind != "data" or not (op.ok or op.lost) or op.ref not in images:
            continue
        image, seal = images[op.ref], sealed.get(op.ref, [])
        if op.args["what"] == "write":
            write = written_by(op, seal, is_durable(op, epochs, seal, ops, end))
            for cell, _ in op.places():
                image.writes[cell].append(write)
        for cell, tag in op.cells.items():
            image.reads[cell].append(Read(tag, op.inv, op.ret, op))


def pass_on_reads(images):
    """What an image has not from itself is read from its parent."""
    for image in reversed(list(images.values())):
        if image.parent is None or image.content is not None:
            continue
        for cell, reads in image.reads.items():
            own = {write.tag for write in image.writes[cell]}
            image.parent.reads[cell] += [read for read in reads if read.tag and read.tag not in own]


def check_content(before, after, ops, end):
    images = images_of(before, ops)
    fill_registers(images, ops, end)
    for op in ops:
        if op.kind == "data" and op.ok and op.args["what"] == "read" and op.ref in images:
            registers.check_at_once(images[op.ref], op)
    pass_on_reads(images)
    for name, image in images.items():
        registers.check_reads(name, image)
    for name in elders_first(after.parents):
        registers.check_left(name, images[name], after.contents[name], after.contents.get(after.parents[name]))


def check_epochs(ops):
    """A flush makes durable all that was answered before it."""
    for op in ops:
        args = op.args
        if op.kind == "data" and op.ok and args["what"] == "write" and args["flush"] and \
                args["durable_epoch"] < args["write_epoch"]:
            raise Wrong(f"{op} was not durable")


def check_statuses(ops):
    for op in ops:
        if not op.lost and (op.status >= 500 or (op.code and not re.fullmatch("[a-z-]+", op.code))):
            raise Wrong(f"never right: {op}")


def check(before, after, ops, end):
    check_statuses(ops)
    check_catalog(before, after, ops, end)
    check_content(before, after, ops, end)
    check_epochs(ops)
    etags.check(ops)
