"""What a client asks next, drawn from its own seed."""

import base64
import re
from typing import NamedTuple

import catalog
from history import PAGE, SMALL, SPLIT, Op, cells, fill, read_tags
from view import SLOTS, Known, new_uuid

SIZES = (2 << 20, (2 << 20) + 5 * 512, 2560 << 10)
FAMILY = 9  # images of a slot


def of_content(etag):
    """What an answer about content adds for itself is left out."""
    return etag and re.sub(r'^("[df][^-]*)-[0-9a-f]{16}"$', r'\1"', etag)


class Request(NamedTuple):
    op: Op
    method: str
    path: str
    body: object = None
    headers: dict = {}


class Generator:
    def __init__(self, rng, view):
        self.rng, self.view = rng, view
        self.data_etags = {}  # image -> as this client has last seen it
        self.versions = {}
        self.kinds = {
            "create": 6, "snapshot": 8, "put": 2, "delete": 7, "get": 10, "list": 5, "chain": 4, "children": 4,
            "patch": 8, "freeze": 2, "thaw": 3, "write": 40, "cas": 6, "zero": 6, "base64": 3, "flush": 6, "read": 45,
            "extents": 6, "sectors": 3,
        }

    def next(self):
        while True:
            kind = self.rng.choices(list(self.kinds), self.kinds.values())[0]
            request = getattr(self, "ask_" + kind)()
            if request:
                return request

    # ---- images

    def create(self, parent, method, path, slot, parent_ref=None):
        if self.view.count(slot) >= FAMILY:
            return self.ask_delete()
        name, stable = self.view.new_name(self.rng, slot)
        size = parent.size if parent else self.rng.choice(SIZES)
        body = {"name": name, "uuid": new_uuid(self.rng), "labels": {"n": str(self.rng.randrange(3))}}
        if parent_ref:
            body["parent"] = parent_ref
        if not parent:
            body |= {"size": size, "kind": self.rng.choice(("dynamic", "dynamic", "fixed"))}
            body |= {"block_size": self.rng.choice((512 << 10, 2 << 20))} if body["kind"] == "dynamic" else {}
        image = body["uuid"]
        op = Op("create", slot, name, name=name, uuid=image, parent=parent and parent.image, labels=body["labels"])
        op.args["named"] = parent_ref  # it is in the body, not in the path
        op.known = Known(image, name, slot, size, parent and parent.image, stable)
        if method == "PUT":
            del body["name"]
        headers = self.guard(op, parent) if path.endswith("snapshots") else {}
        return Request(op, method, path.format(name=name), body, headers)

    def guard(self, op, known):
        """If-Match with what was seen last, now and then."""
        version = self.versions.get(known.image)
        if version is None or self.rng.random() < 0.5:
            return {}
        op.args["if_match"] = version
        return {"If-Match": f'"{version}"'}

    def ask_create(self):
        parent = self.view.pick(self.rng) if self.rng.random() < 0.3 else None
        slot = parent.slot if parent else self.rng.choice(SLOTS)
        return self.create(parent, "POST", "/v1/images", slot, parent and parent.image)

    def ask_snapshot(self):
        parent = self.view.pick(self.rng)
        return parent and self.create(parent, "POST", f"/v1/images/{self.ref(parent)}/snapshots", parent.slot)

    def ask_put(self):
        return self.create(None, "PUT", "/v1/images/{name}", self.rng.choice(SLOTS))

    def ref(self, known):
        return known.name if known.stable and self.rng.random() < 0.5 else known.image

    def ask_delete(self):
        known = self.view.pick(self.rng, wanted=self.view.leaf if self.rng.random() < 0.8 else lambda known: True)
        if not known:
            return None
        op = Op("delete", known.slot, known.image)
        return Request(op, "DELETE", "/v1/images/" + self.ref(known), None, self.guard(op, known))

    def ask_patch(self):
        known = self.view.pick(self.rng)
        if not known:
            return None
        body = {"labels": {self.rng.choice("kn"): self.rng.choice((None, "0", "1"))}}
        if self.rng.random() < 0.5:
            body["description"] = f"d{self.rng.randrange(100)}"
        if not known.stable and self.rng.random() < 0.5:
            body["name"] = f"{known.slot}-{self.rng.randrange(4)}"
        op = Op("patch", known.slot, known.image, **body)
        return Request(op, "PATCH", "/v1/images/" + self.ref(known), body, self.guard(op, known))

    def action(self, verb):
        known = self.view.pick(self.rng, wanted=self.view.leaf)
        op = known and Op(verb, known.slot, known.image)
        return known and Request(op, "POST", f"/v1/images/{self.ref(known)}/actions/{verb}", None,
                                 self.guard(op, known))

    def ask_freeze(self):
        return self.action("freeze")

    def ask_thaw(self):
        return self.action("thaw")

    def ask_get(self):
        known = self.view.pick(self.rng)
        # A name that moves is asked for too.
        ref = known and (known.name if self.rng.random() < 0.5 else known.image)
        return known and Request(Op("get", known.slot, ref), "GET", f"/v1/images/{ref}")

    def ask_list(self):
        """In pages, all of which are one question when nothing happens in between; so it is one page."""
        slot = self.rng.choice(SLOTS)
        return Request(Op("list", slot), "GET", f"/v1/images?name={slot}-*&limit=1000&sort=-depth,name")

    def ask_chain(self):
        known = self.view.pick(self.rng)
        return known and Request(Op("chain", known.slot, known.image), "GET", f"/v1/images/{self.ref(known)}/chain")

    def ask_children(self):
        known = self.view.pick(self.rng)
        return known and Request(Op("children", known.slot, known.image), "GET",
                                 f"/v1/images/{self.ref(known)}/children?limit=100")

    # ---- content

    def target(self, what, writes, **args):
        leaf = self.view.leaf if writes and self.rng.random() < 0.9 else lambda known: True
        known = self.view.pick(self.rng, wanted=leaf)
        if not known:
            return None, None, None
        op = Op("data", known.slot, known.image, what=what, writes=writes, own_codes=(), **args)
        return known, op, f"/v1/images/{self.ref(known)}/data"

    def span(self, known, longest):
        """Mostly the same few places: the first pages, the edge of a block, and the end."""
        rng = self.rng
        if rng.random() < 0.15:
            at = SPLIT * PAGE + SMALL * rng.randrange(PAGE // SMALL)
            return at, SMALL * rng.randint(1, (SPLIT + 1) * PAGE - at >> 8)
        pages = (known.size + PAGE - 1) // PAGE
        first = rng.choice((0, rng.randrange(8), 508 + rng.randrange(8), 124 + rng.randrange(8), pages - 1,
                            pages - 1 - rng.randrange(8), rng.randrange(pages)))
        length = rng.choice((1, 1, 1, 2, 4, 16, longest)) * PAGE
        first = min(first, pages - 1)
        return first * PAGE, min(length, known.size - first * PAGE)

    def ask_write(self, guarded=False):
        known, op, path = self.target("write", True, flush=self.rng.random() < 0.5)
        if not known:
            return None
        tag = self.view.new_tag()
        offset, length = self.span(known, 64 if guarded else 400)
        op.args |= {"tag": tag, "offset": offset, "length": length}
        path += f"?offset={offset}&flush=" + "ny"[op.args["flush"]]
        return Request(op, "PUT", path, fill(tag, offset, length), {})

    def ask_cas(self):
        request = self.ask_write(guarded=True)
        etag = request and self.data_etags.get(request.op.ref)
        if etag:
            request.op.args |= {"if_match": etag, "own_codes": ("precondition-failed",)}
        return request and request._replace(headers={"If-Match": etag} if etag else {})

    def ask_zero(self):
        known, op, path = self.target("write", True, tag=0, flush=self.rng.random() < 0.5)
        if not known:
            return None
        offset, length = self.span(known, 400)
        op.args |= {"offset": offset, "length": length}
        return Request(op, "PATCH", path + "?flush=" + "ny"[op.args["flush"]],
                       {"op": "zero", "offset": offset, "length": length})

    def ask_base64(self):
        known, op, path = self.target("write", True, tag=self.view.new_tag(), flush=True)
        if not known:
            return None
        offset, length = self.span(known, 8)
        octets = fill(op.args["tag"], offset, length)[:48 << 10]
        op.args |= {"offset": offset, "length": len(octets)}
        return Request(op, "PATCH", path, {"ops": [{"op": "write", "offset": offset,
                                                    "base64": base64.b64encode(octets).decode()}, {"op": "flush"}]})

    def ask_flush(self):
        known, op, path = self.target("flush", False)
        if not known:
            return None
        if self.rng.random() < 0.5:
            return Request(op, "POST", path + "?op=flush")
        return Request(op, "PATCH", path, {"op": "flush"})

    def ask_read(self):
        known, op, path = self.target("read", False)
        if not known:
            return None
        offset, length = self.span(known, 400)
        op.args |= {"offset": offset, "length": length}
        if length % 512 == 0 and offset % 512 == 0 and self.rng.random() < 0.3:
            return Request(op, "GET", f"{path}?sector={offset // 512}&count={length // 512}")
        return Request(op, "GET", path, None, {"Range": f"bytes={offset}-{offset + length - 1}"})

    def ask_extents(self):
        known, op, path = self.target("extents", False)
        if not known:
            return None
        offset, length = 0, min(known.size, 1 << 20)
        op.args |= {"offset": offset, "length": length}
        return Request(op, "GET", path[:-4] + f"extents?start={offset}&length={length}")

    def ask_sectors(self):
        known, op, path = self.target("sectors", False)
        if not known:
            return None
        op.args |= {"offset": 0, "length": 1 << 20}
        return Request(op, "GET", path[:-4] + "sectors?start=0&count=2048")

    # ---- answers

    def learn(self, op, answer):
        """What of an answer is checked later, and what this client remembers."""
        op.status, op.code, op.etag = answer.status, answer.code, of_content(answer.headers["ETag"])
        if not op.ok:
            return
        if op.kind == "data":
            self.data_etags[op.ref] = op.etag
            learn_data(op, answer)
        elif op.kind in ("list", "chain", "children"):
            op.body = [catalog.heard(item) for item in answer.json()["items"]]
            op.args["found"] = op.ref
        elif answer.body:
            op.body = catalog.heard(answer.json())
            op.args["found"] = op.body[0]
            self.versions[op.body[0]] = answer.json()["etag"]


def zero_cells(pieces, offset, length):
    """Cells that lie in pieces (start, length) of zeroes."""
    return {place: 0 for place, size in cells(offset, length)
            if any(start <= place and place + size <= start + many for start, many in pieces)}


def learn_data(op, answer):
    args = op.args
    if args["what"] == "read":
        op.cells = read_tags(answer.body, args["offset"])
        if len(answer.body) != args["length"]:
            op.cells = {args["offset"]: None}
        return
    body = answer.json()
    if args["what"] == "extents":
        op.cells = zero_cells([(e["start"], e["length"]) for e in body["extents"] if e["zero"]], 0, args["length"])
    elif args["what"] == "sectors":
        op.cells = zero_cells([(run["sector"] * 512, run["count"] * 512) for run in body["runs"]
                               if run["reads"] == "zero"], 0, args["length"])
    else:
        args |= {"write_epoch": body["write_epoch"], "durable_epoch": body["durable_epoch"]}
