#!/usr/bin/env python3
"""Makes a chain of images over HTTP, and prints its name: chain.py PORT NAME DEPTH SIZE HOW. The root is full. Each
layer above has some writes of 4 KiB: with HOW a number, so many at places drawn by chance (the same in each run); with
HOW every:BYTES, all layers together one write in that many bytes, taken in turns. With a folder as sixth argument the
same layers are made there as a chain of qcow2, whose last is DEPTH.qcow2."""
import base64
import http.client
import json
import random
import subprocess
import sys

PIECE = 4096
PER_REQUEST = 64


def places(how, layer, layers, size):
    if how.startswith("every:"):
        step = int(how[6:])
        return range((layer - 1) * step, size, layers * step)
    chance = random.Random(layer)
    return [chance.randrange(size // PIECE) * PIECE for _ in range(int(how))]


class Daemon:
    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port)

    def ask(self, method, path, body):
        self.connection.request(method, "/v1/images" + path, body)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            sys.exit(f"{method} {path}: {text.decode()}")

    def create(self, name, members):
        self.ask("POST", "", json.dumps({"name": name, **members}))

    def fill(self, name, size):
        piece = b"\xb5" * (4 << 20)
        for at in range(0, size, len(piece)):
            self.ask("PUT", f"/{name}/data?flush=n&offset={at}", piece[: size - at])

    def write(self, name, offsets):
        data = base64.b64encode(b"\xa7" * PIECE).decode()
        for first in range(0, len(offsets), PER_REQUEST):
            ops = [{"op": "write", "offset": at, "base64": data} for at in offsets[first : first + PER_REQUEST]]
            self.ask("PATCH", f"/{name}/data?flush=n", json.dumps({"ops": ops}))


def qemu(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def add_qcow2(folder, layer, size, writes):
    """Written without looking at the layers below: what an overlay of whole clusters has is the same."""
    path = f"{folder}/{layer}.qcow2"
    below = ["-u", "-b", f"{layer - 1}.qcow2", "-F", "qcow2"] if layer > 1 else []
    qemu("qemu-img", "create", "-q", "-f", "qcow2", *below, path, str(size))
    alone = json.dumps({"driver": "qcow2", "file": {"driver": "file", "filename": path}, "backing": None})
    words = [word for at, length in writes for word in ("-c", f"write -q {at} {length}")]
    qemu("qemu-io", *words, "json:" + alone)


def main():
    port, name, depth, size, how = sys.argv[1:6]
    folder = sys.argv[6] if len(sys.argv) > 6 else None
    depth, size, daemon = int(depth), int(size), Daemon(int(port))
    daemon.create(f"{name}-1", {"size": size})
    daemon.fill(f"{name}-1", size)
    if folder:
        add_qcow2(folder, 1, size, [(0, size)])
    for layer in range(1, depth):
        offsets = list(places(how, layer, depth - 1, size))
        daemon.create(f"{name}-{layer + 1}", {"parent": f"{name}-{layer}"})
        daemon.write(f"{name}-{layer + 1}", offsets)
        if folder:
            add_qcow2(folder, layer + 1, size, [(at, PIECE) for at in offsets])
    print(f"{name}-{depth}")


main()
