#!/usr/bin/env python3
"""The judge is given histories that cannot have been, and must say so; and the same ones set right, and must not."""

import sys

import era
from era import CLEAN, KILLED, Snapshot, check
from history import Op
from search import Wrong

ONE, TWO = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
M1, M2 = (f"m{version}-{era.catalog.hashed(0, ONE):016x}" for version in (1, 2))
NO_LABELS = frozenset()


def op(kind, inv, ret, status, ref=ONE, **args):
    one = Op(kind, "a", ref, **{key: value for key, value in args.items() if key not in ("code", "body", "etag")})
    one.inv, one.ret, one.status = inv, ret if status else one.ret, status
    one.code, one.body, one.etag = args.get("code"), args.get("body"), args.get("etag")
    if one.body:
        one.args["found"] = one.body[0]
    return one


def data(what, inv, ret, status=200, **args):
    args = {"writes": what == "write", "own_codes": (), "flush": False, "offset": 0, "length": 4096, "write_epoch": 1,
            "durable_epoch": 0} | args
    return op("data", inv, ret, status, what=what, **args)


def write(tag, inv, ret, status=200, **args):
    return data("write", inv, ret, status, tag=tag, **args)


def read(tag, inv, ret, **args):
    one = data("read", inv, ret, 206, **args)
    one.cells = {0: tag}
    return one


def told(image=ONE, name="a-1", frozen=False, count=0, version=2, parent=None):
    return (image, name, "ready", parent, frozen, count, NO_LABELS, "", version)


def snapshot(*images, tag=0):
    """Images with one cell each."""
    there = Snapshot(set(images), {image[0]: {0: tag} for image in images})
    there.states["a"] = [{image[0]: era.catalog.Row(image[1], parent=image[3], version=image[8]) for image in images}]
    return there


def patch(inv, ret, version, status=200, **args):
    return op("patch", inv, ret, status, labels={}, body=told(version=version) if status == 200 else None, **args)


def create(inv, ret, **args):
    return op("create", inv, ret, 201, ref="a-2", name="a-2", uuid=TWO, parent=ONE, labels={},
              body=told(TWO, "a-2", parent=ONE), **args)


HERE = snapshot(told())
CHILD = told(TWO, "a-2", parent=ONE)
BOTH = (told(frozen=True, count=1, version=4), CHILD)
DELETED = op("delete", 1, 2, 204)
NOT_FOUND = {"status": 404, "code": "image-not-found"}

# A name, the operations, what is there at the end and how it ended; the first list is right, the second is wrong.
CASES = [
    ("stale read", [write(5, 1, 2), read(5, 3, 4)], [write(5, 1, 2), read(0, 3, 4)], snapshot(told(), tag=5), CLEAN),
    ("value of nobody", [write(5, 1, 2), read(5, 3, 4)], [write(5, 1, 2), read(6, 3, 4)], snapshot(told(), tag=5), CLEAN),
    ("torn cell", [write(5, 1, 4), read(0, 2, 3)], [write(5, 1, 4), read(None, 2, 3)], snapshot(told(), tag=5), CLEAN),
    ("read from the future", [read(0, 1, 2), write(5, 3, 4)], [read(5, 1, 2), write(5, 3, 4)],
     snapshot(told(), tag=5), CLEAN),
    ("new value and then the old one", [write(5, 1, 9), read(0, 2, 3), read(5, 4, 5)],
     [write(5, 1, 9), read(5, 2, 3), read(0, 4, 5)], snapshot(told(), tag=5), CLEAN),
    ("lost write after flush", [write(5, 1, 2, flush=False)],
     [write(5, 1, 2, flush=True, durable_epoch=1)], snapshot(told(), tag=0), KILLED),
    ("lost write after a flush of its own", [write(5, 1, 2), data("flush", 3, 4, durable_epoch=0)],
     [write(5, 1, 2), data("flush", 3, 4, durable_epoch=1)], snapshot(told(), tag=0), KILLED),
    ("lost write at a clean end", [write(5, 1, 9, status=0)], [write(5, 1, 2)], snapshot(told(), tag=0), CLEAN),
    ("lost write under a child", [write(5, 3, 4, status=0), create(1, 2)], [write(5, 1, 2), create(3, 4)],
     Snapshot(set(BOTH), {ONE: {0: 0}, TWO: {0: 0}}), KILLED),
    ("write to a parent", [create(1, 3), write(5, 2, 4)],
     [create(1, 2), write(5, 3, 4)], Snapshot(set(BOTH), {ONE: {0: 5}, TWO: {0: 5}}), CLEAN),
    ("parent changes under its child", [create(1, 3), write(5, 2, 9), read(5, 4, 5, ref=TWO)],
     [create(1, 3), write(5, 2, 9), read(0, 4, 5, ref=TWO)], Snapshot(set(BOTH), {ONE: {0: 5}, TWO: {0: 5}}), CLEAN),
    ("answer before it is durable", [write(5, 1, 2, flush=True, durable_epoch=1)],
     [write(5, 1, 2, flush=True, durable_epoch=0)], snapshot(told(), tag=5), CLEAN),
    ("resurrected image", [DELETED], [DELETED], None, CLEAN),
    ("resurrected for a reader", [DELETED, op("get", 3, 4, **NOT_FOUND)], [DELETED, op("get", 3, 4, 200, body=told())],
     snapshot(), CLEAN),
    ("vanished image", [op("delete", 1, 2, 0)], [], snapshot(), CLEAN),
    ("old version told", [patch(1, 2, 3), op("get", 3, 4, 200, body=told(version=3))],
     [patch(1, 2, 3), op("get", 3, 4, 200, body=told(version=2))], snapshot(told(version=3)), CLEAN),
    ("two first ones", [patch(1, 3, 3, if_match=M2), patch(2, 4, 0, 412, code="precondition-failed", if_match=M2)],
     [patch(1, 3, 3, if_match=M2), patch(2, 4, 4, if_match=M2)], None, CLEAN),
    ("guard refused without reason", [patch(1, 2, 0, 412, code="precondition-failed", if_match=M1)],
     [patch(1, 2, 0, 412, code="precondition-failed", if_match=M2)], snapshot(told()), CLEAN),
    ("ETag of content stands still", [write(5, 1, 2, etag='"d1.1"'), write(6, 3, 4, etag='"d1.2"')],
     [write(5, 1, 2, etag='"d1.1"'), write(6, 3, 4, etag='"d1.1"')], snapshot(told(), tag=6), CLEAN),
    ("ETag of content goes back", [write(5, 1, 2, etag='"d2.1"'), read(5, 3, 4, etag='"d2.1"')],
     [write(5, 1, 2, etag='"d2.1"'), read(5, 3, 4, etag='"d1.9"')], snapshot(told(), tag=5), CLEAN),
    ("guarded write over another", [read(0, 1, 2, etag='"d1.1"'), write(6, 5, 6, etag='"d1.2"', if_match='"d1.1"')],
     [read(0, 1, 2, etag='"d1.1"'), write(5, 3, 4, etag='"d1.2"'), write(6, 5, 6, etag='"d1.3"', if_match='"d1.1"')],
     snapshot(told(), tag=6), CLEAN),
    ("busy with nobody there", [patch(1, 3, 3), patch(2, 4, 0, 409, code="image-busy")],
     [patch(2, 4, 0, 409, code="image-busy"), patch(5, 6, 3)], snapshot(told(version=3)), CLEAN),
    ("internal error", [patch(1, 2, 3)], [patch(1, 2, 3), op("get", 3, 4, 500, code="internal")],
     snapshot(told(version=3)), CLEAN),
]
# Those whose end differs from the right to the wrong one.
ENDS = {
    "resurrected image": (snapshot(), snapshot(told())),
    "two first ones": (snapshot(told(version=3)), snapshot(told(version=4))),
    "lost write at a clean end": (snapshot(told()), snapshot(told())),
}


def verdict(ops, after, end):
    try:
        check(HERE, after, sorted(ops, key=lambda one: one.inv), end)
    except Wrong as why:
        return str(why)
    return None


def many_at_once(images=7, changes=5):
    """Creations that are all under way at once, and images that change a lot afterwards."""
    ops, there = [], []
    for number in range(images):
        image, name = f"00000000-0000-4000-9000-{number:012}", f"a-s{number}"
        ops.append(op("create", number, 100 + number, 201, ref=name, name=name, uuid=image, parent=None, labels={},
                      body=told(image, name)))
        for change in range(changes):
            at = 1000 * number + 10 * change + 200
            ops.append(op("patch", at, at + 1, 200, ref=image, labels={}, body=told(image, name, version=3 + change)))
        there.append(told(image, name, version=2 + changes))
    after = Snapshot({told(), *there}, dict.fromkeys([ONE] + [item[0] for item in there], {0: 0}))
    return verdict(ops, after, CLEAN)


def main():
    failed = 0
    if why := many_at_once():
        print(f"FAILED: many at once: {why}")
        failed += 1
    for name, right, wrong, after, end in CASES:
        good, bad = ENDS.get(name, (after, after))
        why = verdict(right, good, end)
        if why:
            print(f"FAILED: {name}: refused what is right: {why}")
        caught = verdict(wrong, bad, end)
        if not caught:
            print(f"FAILED: {name}: not caught")
        failed += bool(why) + (not caught)
        print(f"{name}: {(caught or '').splitlines()[:1]}")
    print(f"{len(CASES)} mistakes, {failed} failures")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
