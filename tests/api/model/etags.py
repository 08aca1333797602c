"""Versions of content: they only go up, a write makes a new one, and a guarded write hits the one it was made for."""

from search import Wrong

UNWRITTEN = float("inf")  # d7 is what d7.N was when the image was opened anew


def order(etag):
    generation, _, changes = etag.strip('"')[1:].partition("-")[0].partition(".")
    return int(generation), int(changes) if changes else UNWRITTEN


def told(ops):
    return [op for op in ops if op.kind == "data" and op.ok and op.etag and op.args["what"] != "options"]


def check_up(ops):
    """In the order of their answers: the highest version that was told before each request began."""
    done = sorted(ops, key=lambda op: op.ret)
    at, highest, op_of = 0, (-1, 0), None
    for op in sorted(ops, key=lambda op: op.inv):
        while done[at].ret < op.inv:
            if order(done[at].etag) > highest:
                highest, op_of = order(done[at].etag), done[at]
            at += 1
        mine = order(op.etag)
        if mine < highest or (mine == highest and op.args["what"] == "write"):
            raise Wrong(f"the version has not gone up from {op_of} to {op}")


def check_guard(op, ops):
    """Nobody wrote between the moment that the version was told and the guarded write."""
    tag = op.args["if_match"]
    first = min((other.ret for other in ops if other.etag == tag), default=None)
    if first is None:
        return
    for other in ops:
        if other is not op and other.args["what"] == "write" and first < other.inv and other.ret < op.inv:
            raise Wrong(f"{other} came between {tag} and {op}")
        if other is not op and other.args.get("if_match") == tag:
            raise Wrong(f"{other} and {op} both were the first after {tag}")


def check(ops):
    by_image = {}
    for op in told(ops):
        by_image.setdefault(op.ref, []).append(op)
    for image in by_image.values():
        check_up(image)
        for op in image:
            if op.args.get("if_match"):
                check_guard(op, image)
