"""Eight clients that ask until their era ends, and the look at everything afterwards."""

import random
import threading

import catalog
import wire
from era import Snapshot
from generate import Generator
from history import read_tags
from search import Wrong

CLIENTS = 8
TWICE, LOSE = 0.04, 0.03
LINGER = 64 << 10  # of a refused body the daemon reads so much that the answer arrives
CONNECTION = (OSError, wire.http.client.HTTPException)


class Client:
    def __init__(self, seed, number, run):
        self.rng = random.Random(f"{seed}/{number}")
        self.run, self.number = run, number
        self.generator = Generator(self.rng, run.view)
        self.ops = []

    def connect(self):
        """Half of them come over TCP."""
        address = self.run.daemon.socket if self.number % 2 else self.run.daemon.port
        self.peers = [wire.Peer(address), wire.Peer(address)]

    def work(self):
        try:
            self.connect()
            while self.run.go_on():
                self.one()
            for peer in self.peers:
                peer.drop()
        except BaseException as why:  # told by the thread that waits for this one
            self.run.broken.append(why)
            raise

    def one(self):
        request = self.generator.next()
        chance = self.rng.random()
        changes = request.op.kind in catalog.CHANGES or request.op.args.get("writes")
        if chance < TWICE:
            self.send_all([request, request._replace(op=request.op.again())])
        elif chance < TWICE + LOSE and changes and self.run.view.may_lose(request.op.slot):
            self.send_and_leave(request)
        else:
            self.send_all([request])

    def send(self, peer, request):
        self.ops.append(request.op)
        request.op.inv = wire.clock()
        try:
            peer.send(request.method, request.path, request.body, request.headers)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return True  # what is refused early is answered without being read
        except CONNECTION as why:
            self.cut(peer, request, why)
            return False

    def cut(self, peer, request, why):
        peer.drop()
        # The end of a refused body may take the answer with it.
        refused = request.op.args.get("writes") and request.op.args["length"] > LINGER
        if not self.run.ending and not refused:
            raise SystemExit(f"{request.op}: {why!r}")

    def send_all(self, requests):
        """Each over its own connection, so that they are under way at once."""
        sent = [(peer, request) for peer, request in zip(self.peers, requests) if self.send(peer, request)]
        for peer, request in sent:
            try:
                answer = peer.receive(request.method)
            except CONNECTION as why:
                self.cut(peer, request, why)
                continue
            request.op.ret = wire.clock()
            self.generator.learn(request.op, answer)
        self.note([request.op for request in requests])

    def send_and_leave(self, request):
        self.send(self.peers[1], request)
        self.peers[1].drop()
        self.note([request.op])

    def note(self, ops):
        """What others may ask for from now on."""
        for op in ops:
            if op.kind == "create" and (op.status == 201 or op.lost):
                self.run.view.add(op.known)
            elif op.kind == "delete" and (op.ok or op.lost):
                self.run.view.remove(op.ref)


def run_clients(clients):
    threads = [threading.Thread(target=client.work) for client in clients]
    for thread in threads:
        thread.start()
    return threads


def look(daemon):
    """Everything, when nobody else is there."""
    peer = wire.Peer(daemon.socket)
    items, path = [], "/v1/images?limit=7"
    while path:  # a few pages
        body = peer.ask("GET", path).json()
        items += body["items"]
        path = body["next"] and f"/v1/images?limit=7&cursor={body['next']}"
    told = {item["id"]: catalog.heard(item) for item in items}
    for image in told:  # what comes later counts from here, and a crash does not go back beyond it
        if peer.ask("POST", f"/v1/images/{image}/data?op=flush").status != 200:
            raise Wrong(f"{image} cannot be flushed")
    contents = {image: read_tags(peer.ask("GET", f"/v1/images/{image}/data").body, 0) for image in told}
    for image in told:
        check_family(peer, image, told)
    peer.drop()
    return Snapshot(set(told.values()), contents)


def check_family(peer, image, told):
    """Chain and children of an image say the same as the list."""
    chain = [catalog.heard(item) for item in peer.ask("GET", f"/v1/images/{image}/chain").json()["items"]]
    if chain != [told[other] for other in ancestry(told, image)]:
        raise Wrong(f"the chain of {image} is {chain}")
    children = {catalog.heard(item) for item in peer.ask("GET", f"/v1/images/{image}/children").json()["items"]}
    if children != {item for item in told.values() if item[3] == image}:
        raise Wrong(f"the children of {image} are {children}")


def ancestry(told, image):
    while image:
        yield image
        image = told[image][3]
