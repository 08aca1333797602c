"""The model of the catalog, as steps.

A state maps ids to rows. An operation goes through one step or a few, each of which happens at one moment: a creation
takes the name before the image is ready, a removal takes the image away before its parent may be changed. `steps` tells all
that an operation may do next in a state so that its answer is right in the end.
"""

import re
from typing import NamedTuple, Optional

DONE = -1
CREATING, READY, DELETING = "creating", "ready", "deleting"


class Row(NamedTuple):
    name: str
    phase: str = READY
    parent: Optional[str] = None
    frozen: bool = False
    labels: frozenset = frozenset()
    description: str = ""
    version: int = 1


def children(state, image, phases=(CREATING, READY)):
    """Those that clients see."""
    return sum(row.parent == image and row.phase in phases for row in state.values())


def is_parent(state, image):
    """A child that is being made may come to nothing."""
    return children(state, image, (READY,)) > 0


def find(state, ref):
    """The id that a name or an id means. None: nothing, for what is being removed is not found."""
    if ref in state:
        return ref if state[ref].phase != DELETING else None
    return next((image for image, row in state.items() if row.name == ref and row.phase != DELETING), None)


def with_row(state, image, **changes):
    return {**state, image: state[image]._replace(**changes)}


def told(state, image):
    """What an answer says of an image, as far as it is modelled."""
    row, count = state[image], children(state, image)
    return (image, row.name, row.phase, row.parent, row.frozen or is_parent(state, image), count, row.labels, row.description,
            row.version)


def hashed(number, text):
    """As api/hash.c does it."""
    data = text.encode()
    words = [data[at : at + 8] for at in range(0, len(data) // 8 * 8 + 1, 8)]
    for word in (*(int.from_bytes(word, "little") for word in words), len(data)):
        number = (number ^ word) * 0x9E3779B97F4A7C15 % (1 << 64)
        number ^= number >> 32
    return number


def tag(state, image):
    """The ETag: of the row and its id, and of the names of its parent and its root."""
    row, root, number = state[image], image, hashed(0, image)
    while state[root].parent in state:
        root = state[root].parent
    if row.parent in state:
        number = hashed(hashed(number, state[row.parent].name), state[root].name)
    return f"m{row.version}-{number:016x}"


def first_versions(item, ops):
    """What an image may have begun with that is first told of like this: each change makes it one more, and a child
    that begins, is ready, and goes."""
    changes = sum(op.kind in CHANGES and op.ref == item[0] for op in ops)
    changes += 3 * sum(op.kind == "create" and op.args["parent"] == item[0] for op in ops)
    return (item[8],) if item[2] == CREATING else range(item[8] - 1, item[8] - 2 - changes, -1)


def heard(body):
    """The same from an answer."""
    return (body["id"], body["name"], body["state"], body["parent"] and body["parent"]["id"], body["frozen"],
            body["children_count"], frozenset(body["labels"].items()), body["description"], int(re.split("[-.]", body["etag"][1:])[0]))


def picture(state):
    """All that can be seen of a state: not whether a parent was frozen by request as well."""
    return {told(state, image) for image in state}


# ---- what changes the catalog: the reasons to refuse it, and the state after each step


def refusals(state, op):
    """Codes that the first moment of a change may be refused with."""
    codes, args = set(), op.args
    image = find(state, op.ref) if op.kind != "create" else find(state, args["parent"]) if args["parent"] else ""
    if image is None:
        return {"parent-missing" if op.args.get("named") else "image-not-found"}
    row = state.get(image)
    if row and row.phase == CREATING:
        codes.add("image-busy")
    if row and args.get("if_match") not in (None, tag(state, image)):
        codes.add("precondition-failed")
    if (op.kind == "delete" and children(state, image)) or (op.kind == "thaw" and is_parent(state, image)):
        codes.add("image-has-children")
    if op.kind in ("delete", "thaw") and row and children(state, image, (DELETING,)):
        codes.add("image-busy")
    name = args.get("name")
    owner = find(state, name) if name else None
    if owner is not None and (op.kind == "create" or owner != image):
        codes.add("name-exists")
    if op.kind == "create" and args["uuid"] in state:
        codes.add("duplicate-uuid")
    return codes


def merged(labels, changes):
    after = {**dict(labels), **changes}
    return frozenset((key, value) for key, value in after.items() if value is not None)


def touched(state, image):
    """A parent got or lost a child."""
    return with_row(state, image, version=state[image].version + 1) if image else state


def begun(state, op):
    """A creation: one state for each version that the daemon may have begun with."""
    for version in op.args.get("first") or (1,):
        row = Row(op.args["name"], CREATING, op.args["parent"], labels=merged((), op.args["labels"]), version=version)
        yield touched({**state, op.args["uuid"]: row}, row.parent)


def created(state, op):
    image = op.args["uuid"]
    return touched(with_row(state, image, phase=READY, version=state[image].version + 1), state[image].parent)


def deleted(state, op):
    image = find(state, op.ref)
    return touched(with_row(state, image, phase=DELETING, version=state[image].version + 1), state[image].parent), image


def forgotten(state, image):
    """The second step of a removal, of which its parent knows, or the undoing of a creation."""
    above = state[image].parent if state[image].phase == CREATING else None
    return touched({key: row for key, row in state.items() if key != image}, above)


def patched(state, op):
    image = find(state, op.ref)
    row, args = state[image], op.args
    frozen = {"freeze": True, "thaw": False}.get(op.kind, row.frozen or bool(args.get("frozen")))
    description = args.get("description")
    return with_row(state, image, name=args.get("name") or row.name, frozen=frozen, version=row.version + 1,
                    description=row.description if description is None else description,
                    labels=merged(row.labels, args.get("labels") or {})), image


# ---- what only looks


def data_refusals(state, op):
    image = find(state, op.ref)
    if image is None:
        return {"image-not-found"}
    if state[image].phase == CREATING:
        return {"image-busy"}
    if not op.args.get("writes"):
        return set()
    if is_parent(state, image):
        return {"image-has-children"}
    return {"image-frozen"} if state[image].frozen else set()


def looks(state, op):
    """Whether the answer of an operation that changes nothing in the catalog is right now."""
    if op.kind == "list":
        every = [image for image, row in state.items() if row.phase != DELETING]
        return sorted(every) == sorted(item[0] for item in op.body) and all(told(state, i[0]) == i for i in op.body)
    if op.kind == "data":
        return op.code in data_refusals(state, op) if op.code and op.code not in op.args["own_codes"] else \
            not data_refusals(state, op)
    image = find(state, op.ref)
    if found(op):
        return image is not None and told(state, image) == op.body
    return op.code == "image-not-found" and image is None if not op.ok else tells(state, op)


def tells(state, op):
    """Whether one image is told of as it is now."""
    image = op.args["found"]
    if image not in state:
        return False
    if op.kind == "get":
        return told(state, image) == op.body
    if op.kind == "children":
        return sorted(op.body) == sorted(told(state, i) for i, row in state.items()
                                         if row.parent == image and row.phase != DELETING)
    chain = [image]  # op.kind == "chain"
    while state[chain[-1]].parent:
        chain.append(state[chain[-1]].parent)
    return [told(state, i) for i in chain] == op.body


def names(state, op):
    """What a name or an id means is found first, and what the image is a moment later."""
    return not op.ok or op.kind in ("list", "data", "create") or find(state, op.ref) == op.args["found"]


def found(op):
    """PUT of an image that is there already."""
    return op.kind == "create" and op.status == 200


CHANGES = {"create", "delete", "patch", "freeze", "thaw"}


def steps(state, op, stage):
    """(state, stage) pairs after the next moment of the operation; none when it cannot go on to its answer here."""
    if op.kind not in CHANGES or found(op):
        if not stage:
            return [(state, (0, None))] if names(state, op) else []
        return [(state, DONE)] if looks(state, op) else []
    image = stage[1] if stage else None
    stage = stage[0] if stage else 0
    if stage == 0:
        codes = refusals(state, op)
        if not op.ok and not op.lost:
            return [(state, DONE)] if op.code in codes else []
        if codes:
            return []
        if op.kind == "create":
            return [(after, (1, op.args["uuid"])) for after in begun(state, op)]
        after, image = deleted(state, op) if op.kind == "delete" else patched(state, op)
        return [(after, DONE if op.lost and op.kind != "delete" else (1, image))]
    if op.kind == "delete":
        return [(forgotten(state, image), DONE)]
    if op.kind == "create" and stage == 1:
        return [(created(state, op), DONE if op.lost else (2, image))]
    # The answer tells what the image is when all is done; others may have changed it since.
    return [(state, DONE)] if image in state and told(state, image) == op.body else []
