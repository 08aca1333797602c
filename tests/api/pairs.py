#!/usr/bin/env python3
"""Two operations that meet: the table of api/openapi.yaml ("Operations that meet"), line by line.

usage: pairs.py VHDD

One of the two is held half-way by its client: an upload that stops sending, or a download that stops reading. Those
that cannot be held are sent at once, many times, and every pair of answers must be one that the table allows.
"""

import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "model"))

import wire  # noqa: E402
from daemon import Daemon  # noqa: E402

MIB = 1 << 20
SIZE = 64 * MIB  # more than sockets buffer
TIMES = 12
PATIENCE = 2  # seconds that the daemon lets one operation wait for another
failures = []


def check(right, what):
    if not right:
        failures.append(what)
        print(f"FAILED: {what}", flush=True)


class World:
    """Images for one line of the table."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.n = 0

    def peer(self):
        return wire.Peer(self.daemon.socket)

    def ask(self, method, path, body=None, headers=None):
        return self.peer().ask(method, "/v1/images" + path, body, headers)

    def image(self, size=SIZE):
        self.n += 1
        name = f"image-{self.n}"
        check(self.ask("POST", "", {"name": name, "size": size}).status == 201, f"{name} is created")
        return name

    def written(self, octets=b"0", size=SIZE):
        name = self.image(size)
        check(self.put(name, 0, octets * size).status == 200, f"{name} is filled")
        return name

    def put(self, name, offset, octets, **headers):
        return self.ask("PUT", f"/{name}/data?offset={offset}", octets, headers)

    def get(self, name, first, length):
        return self.ask("GET", f"/{name}/data", None, {"Range": f"bytes={first}-{first + length - 1}"}).body

    def etag(self, name, data=False):
        return self.ask("HEAD", f"/{name}" + "/data" * data).headers["ETag"]


class Upload:
    """A PUT of `length` bytes of A whose first half has arrived, and been written."""

    def __init__(self, world, name, length=4 * MIB, headers=()):
        self.world, self.half, self.id = world, length // 2, f"upload-{world.n}"
        connection = self.connection = world.peer().connection
        connection.putrequest("PUT", f"/v1/images/{name}/data")
        for header, value in (("Content-Length", length), ("X-Request-Id", self.id), *headers):
            connection.putheader(header, str(value))
        connection.endheaders()
        connection.send(b"A" * self.half)
        while not headers and world.get(name, self.half - 1, 1) != b"A":
            time.sleep(0.01)  # until a reader sees it; a guarded write is not seen before its end

    def end(self):
        self.connection.send(b"A" * self.half)
        return wire.Answer(self.connection.getresponse(), "PUT")

    def leave(self):
        self.connection.close()


class Download:
    """A GET of a whole disk whose reader has stopped after the status."""

    def __init__(self, world, name):
        self.connection = world.peer().connection
        self.connection.request("GET", f"/v1/images/{name}/data")
        self.response = self.connection.getresponse()
        self.id = self.response.headers["X-Request-Id"]

    def end(self):
        return self.response.read()


class Background:
    """A request that waits for another one."""

    def __init__(self, work):
        self.work, self.answer, self.begun, self.took = work, None, time.monotonic(), 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        self.answer = self.work()
        self.took = time.monotonic() - self.begun

    def in_time(self):
        """It cannot have given up yet."""
        return time.monotonic() - self.begun < PATIENCE

    def end(self):
        self.thread.join()
        return self.answer


def until_in_time(scene):
    """A scene that tells whether it was in time is played again where this machine was too slow for it."""
    def play(world):
        check(any(scene(world) for _ in range(20)), f"{scene.__name__} is in time once in 20 times")
    play.__name__ = scene.__name__
    return play


def refused(answer, status, code, what, retry=None):
    check((answer.status, answer.code, answer.headers["Retry-After"]) == (status, code, retry),
          f"{what}: {answer.status} {answer.code}, Retry-After {answer.headers['Retry-After']}, not {status} {code}")
    check(answer.json()["retryable"] == (retry is not None), f"{what}: retryable is {answer.json()['retryable']}")


def busy(answer, what, holder):
    """`holder`: the upload or download that is in the way."""
    refused(answer, 409, "image-busy", what, "1")
    check(answer.json().get("holder") == holder.id, f"{what}: the holder is {answer.json().get('holder')}, not {holder.id}")


def is_ok(answer, what, status=200):
    check(answer.status == status, f"{what}: {answer.status} {answer.code}, not {status}")


# ---- an upload is under way


def upload_and_readers(world):
    name = world.image()
    upload = Upload(world, name)
    check(world.get(name, 0, MIB) == b"A" * MIB, "a reader sees the front of an upload")
    check(world.get(name, 3 * MIB, MIB) == bytes(MIB), "and not yet its back")
    for path in ("", "/chain", "/children", "/sectors?count=8", "/extents", "/sectors/0"):
        is_ok(world.ask("GET", f"/{name}{path}"), f"GET {path} beside an upload")
    is_ok(world.ask("POST", f"/{name}/data?op=flush"), "a flush beside an upload")
    is_ok(upload.end(), "the upload")
    check(world.get(name, 3 * MIB, MIB) == b"A" * MIB, "the back of the upload")


def upload_and_writers(world):
    name = world.image()
    upload = Upload(world, name)
    is_ok(world.put(name, 8 * MIB, b"B" * MIB), "PUT of another range")
    is_ok(world.put(name, 0, b"C" * 4 * MIB), "PUT of the same range")
    is_ok(world.ask("PATCH", f"/{name}/data", {"op": "zero", "offset": 0, "length": 4096}), "PATCH of the same range")
    is_ok(upload.end(), "the upload")
    check(world.get(name, 0, 4096) == bytes(4096), "zeroes that came after the front of the upload stay")
    check(world.get(name, 4096, 2 * MIB - 4096) == b"C" * (2 * MIB - 4096), "the later of two writes stays")
    check(world.get(name, 2 * MIB, 2 * MIB) == b"A" * 2 * MIB, "and the back of the upload was the later one there")
    check(world.get(name, 8 * MIB, MIB) == b"B" * MIB, "the other range")


def upload_and_guarded_write(world):
    name = world.image()
    upload = Upload(world, name)
    etag = world.etag(name, data=True)
    is_ok(world.put(name, 8 * MIB, b"B" * 512, **{"If-Match": etag}), "a guarded write between two pieces")
    refused(world.put(name, 8 * MIB, b"C" * 512, **{"If-Match": etag}), 412, "precondition-failed", "the second one")
    etag = world.etag(name, data=True)
    is_ok(upload.end(), "the upload")
    refused(world.put(name, 8 * MIB, b"C" * 512, **{"If-Match": etag}), 412, "precondition-failed", "after the upload")
    check(world.get(name, 8 * MIB, 512) == b"B" * 512, "what was refused is not written")


def guarded_upload_and_write(world):
    name = world.image()
    upload = Upload(world, name, 8192, [("If-Match", world.etag(name, data=True))])
    check(world.get(name, 0, 4096) == bytes(4096), "a guarded upload is not seen before its end")
    is_ok(world.put(name, MIB, b"B" * 512), "a write beside a guarded upload")
    refused(upload.end(), 412, "precondition-failed", "the guarded upload")
    check(world.get(name, 0, 8192) == bytes(8192), "nothing of it is written")


def upload_and_names(world):
    name = world.image()
    upload = Upload(world, name)
    is_ok(world.ask("PATCH", f"/{name}", {"name": name + "-new", "labels": {"a": "b"}}), "PATCH beside an upload")
    is_ok(world.ask("POST", "", {"name": name, "size": MIB}), "the old name is free", 201)
    refused(world.ask("POST", "", {"name": name + "-new", "size": MIB}), 409, "name-exists", "the new one is taken")
    is_ok(world.ask("PUT", f"/{name}-new", {"size": SIZE}), "PUT of an image that is being written")
    is_ok(world.ask("POST", f"/{name}-new/actions/thaw"), "thaw beside an upload")
    is_ok(world.ask("POST", f"/{name}-new/actions/recover"), "recover beside an upload")
    is_ok(upload.end(), "the upload to the image that was renamed")
    check(world.get(name + "-new", 0, 4 * MIB) == b"A" * 4 * MIB, "it has arrived where it was going")
    check(world.get(name, 0, 512) == bytes(512), "and not in the image that has the name now")


def upload_and_seals(world):
    """What needs the writers gone waits two seconds, and says so."""
    for what, method, path, body in (("snapshot", "POST", "/snapshots", {}), ("freeze", "POST", "/actions/freeze", None),
                                     ("PATCH frozen", "PATCH", "", {"frozen": True}), ("DELETE", "DELETE", "", None)):
        name = world.image()
        upload = Upload(world, name)
        begin = time.monotonic()
        busy(world.ask(method, f"/{name}{path}", body), f"{what} beside an upload", upload)
        check(time.monotonic() - begin > PATIENCE - 0.1, f"{what} waits for two seconds")
        is_ok(upload.end(), f"the upload that {what} met")
        check(world.get(name, 0, 4 * MIB) == b"A" * 4 * MIB, f"all of the upload that {what} met")
        check(world.ask("GET", f"/{name}").json()["writable"], f"{what} that was refused leaves no trace")
        answer = world.ask(method, f"/{name}{path}", body)
        check(answer.status < 300, f"{what} afterwards: {answer.status}")


@until_in_time
def upload_ends_in_time(world):
    name = world.image()
    upload = Upload(world, name)
    snapshot = Background(lambda: world.ask("POST", f"/{name}/snapshots", {"name": name + "-kid"}))
    time.sleep(0.2)  # it may not have begun to wait yet; then it finds the upload gone, which is as well
    is_ok(upload.end(), "the upload")
    in_time, made = snapshot.in_time(), snapshot.end()
    if not in_time:
        return False
    is_ok(made, "a snapshot that waited for an upload", 201)
    check(world.get(name + "-kid", 0, 4 * MIB) == b"A" * 4 * MIB, "the snapshot has all of the upload")
    refused(world.put(name, 0, b"B"), 409, "image-has-children", "a write after the snapshot")
    check(world.get(name, 0, 1) == b"A", "the parent stands still")
    return True


@until_in_time
def write_behind_a_snapshot(world):
    """Who comes to write while a snapshot waits for another writer waits as well."""
    name = world.image()
    upload = Upload(world, name)
    snapshot = Background(lambda: world.ask("POST", f"/{name}/snapshots", {"name": name + "-kid"}))
    time.sleep(0.5)
    write = Background(lambda: world.put(name, 8 * MIB, b"B" * 512))
    time.sleep(0.2)
    is_ok(upload.end(), "the upload")
    in_time, made, answer = snapshot.in_time(), snapshot.end(), write.end()
    if not in_time or write.took > PATIENCE:
        return False
    is_ok(made, "the snapshot", 201)
    # Under load the write may come first: then the snapshot has it.
    check(answer.status == 200 or answer.code == "image-has-children", f"the write: {answer.status} {answer.code}")
    want = b"B" if answer.status == 200 else b"\0"
    check(world.get(name + "-kid", 8 * MIB, 512) == want * 512, "the snapshot has what was answered 200, no more")
    return True


def upload_that_is_left(world):
    """A client that goes away is in nobody's way."""
    name = world.image()
    upload = Upload(world, name)
    upload.leave()
    is_ok(world.ask("DELETE", f"/{name}"), "DELETE after the client of an upload has left", 204)
    refused(world.ask("GET", f"/{name}/data"), 404, "image-not-found", "the image")


# ---- a download is under way


def download_and_changes(world):
    name = world.written()
    download = Download(world, name)
    is_ok(world.put(name, 0, b"B" * 512), "a write beside a download")
    is_ok(world.ask("PATCH", f"/{name}", {"description": "x"}), "PATCH beside a download")
    busy(world.ask("DELETE", f"/{name}"), "DELETE beside a download", download)
    is_ok(world.ask("POST", f"/{name}/snapshots", {"name": name + "-kid"}), "a snapshot beside a download", 201)
    refused(world.ask("DELETE", f"/{name}"), 409, "image-has-children", "DELETE of a parent beside a download")
    refused(world.put(name, 0, b"C"), 409, "image-has-children", "a write to the parent")
    octets = download.end()
    check(len(octets) == SIZE and not octets.strip(b"0B"), "a download has old or new content, and all of it")
    is_ok(world.ask("DELETE", f"/{name}-kid"), "DELETE of the child", 204)
    is_ok(world.ask("DELETE", f"/{name}"), "DELETE after the download", 204)


def download_and_freeze(world):
    name = world.written()
    download = Download(world, name)
    is_ok(world.ask("POST", f"/{name}/actions/freeze"), "freeze beside a download")
    refused(world.put(name, 0, b"B"), 409, "image-frozen", "a write to what is frozen")
    is_ok(world.ask("POST", f"/{name}/actions/thaw"), "thaw beside a download")
    check(download.end() == b"0" * SIZE, "a download of what was frozen")
    is_ok(world.put(name, 0, b"B"), "a write after thaw")


def download_and_thaw_by_delete(world):
    """An image that has lost its last child is written again only when nobody reads it any more."""
    name = world.written()
    is_ok(world.ask("POST", f"/{name}/snapshots", {"name": name + "-kid"}), "the child", 201)
    download = Download(world, name)
    is_ok(world.ask("DELETE", f"/{name}-kid"), "DELETE of the only child", 204)
    busy(world.put(name, 0, b"B"), "the first write beside a download of what was a parent", download)
    check(download.end() == b"0" * SIZE, "the download")
    is_ok(world.put(name, 0, b"B"), "the first write afterwards")


def download_of_a_child(world):
    base = world.written()
    kid = base + "-kid"
    is_ok(world.ask("POST", f"/{base}/snapshots", {"name": kid}), "the child", 201)
    download = Download(world, kid)
    refused(world.put(base, 0, b"B"), 409, "image-has-children", "a write to a parent")
    refused(world.ask("POST", f"/{base}/actions/thaw"), 409, "image-has-children", "thaw of a parent")
    refused(world.ask("DELETE", f"/{base}"), 409, "image-has-children", "DELETE of a parent")
    busy(world.ask("DELETE", f"/{kid}"), "DELETE of a child that is read", download)
    check(download.end() == b"0" * SIZE, "the download of a child")


# ---- both at once


def at_once(world, what, allowed, *requests):
    """Sends them together, TIMES times; `requests` make a request of a fresh image."""
    seen = set()
    for _ in range(TIMES):
        name = world.image(MIB)
        etag = world.etag(name)
        pending = [(world.peer(), request(name, etag)) for request in requests]
        for peer, request in pending:
            peer.connection.connect()
        for peer, (method, path, *rest) in pending:
            peer.send(method, "/v1/images" + path, *rest)
        answers = [peer.receive(request[0]) for peer, request in pending]
        seen.add(tuple(answer.code or answer.status for answer in answers))
    check(seen <= allowed, f"{what}: {sorted(seen - allowed, key=str)} beside {sorted(allowed, key=str)}")


def delete(name, _):
    return "DELETE", f"/{name}"


def snapshot_of(name, _):
    return "POST", f"/{name}/snapshots", {}


def thaw(name, _):
    return "POST", f"/{name}/actions/thaw"


def freeze(name, _):
    return "POST", f"/{name}/actions/freeze"


def patch(name, _):
    return "PATCH", f"/{name}", {"description": "x"}


def write(name, _):
    return "PUT", f"/{name}/data", b"B" * 512


def read(name, _):
    return "GET", f"/{name}/data?sector=0"


def guarded(request):
    def with_guard(name, etag):
        method, path, *body = request(name, etag)
        return method, path, body[0] if body else None, {"If-Match": etag}

    return with_guard


def create(name, _):
    return "POST", "", {"name": name + "-same", "size": MIB}


def put_create(name, _):
    return "PUT", f"/{name}-same", {"size": MIB}


def both_orders(*pairs):
    return set(pairs) | {pair[::-1] for pair in pairs}


def all_at_once(world):
    gone, parent = "image-not-found", "image-has-children"
    first = both_orders((200, "precondition-failed"))
    at_once(world, "create, create", both_orders((201, "name-exists")), create, create)
    at_once(world, "PUT, PUT", both_orders((201, 200)) | both_orders((201, "image-busy")), put_create, put_create)
    at_once(world, "DELETE, DELETE", both_orders((204, gone)), delete, delete)
    at_once(world, "DELETE, snapshot", {(204, gone), (parent, 201), ("image-busy", 201)}, delete, snapshot_of)
    at_once(world, "DELETE, write", {(204, gone), (204, 200)}, delete, write)
    at_once(world, "DELETE, read", {(204, gone), (204, 200)}, delete, read)
    at_once(world, "DELETE, PATCH", {(204, gone), (204, 200)}, delete, patch)
    at_once(world, "DELETE, freeze", {(204, gone), (204, 200)}, delete, freeze)
    at_once(world, "snapshot, snapshot", {(201, 201)}, snapshot_of, snapshot_of)
    at_once(world, "snapshot, write", {(201, 200), (201, parent)}, snapshot_of, write)
    at_once(world, "snapshot, freeze", {(201, 200)}, snapshot_of, freeze)
    at_once(world, "snapshot, thaw", {(201, 200), (201, parent)}, snapshot_of, thaw)
    at_once(world, "freeze, write", {(200, 200), (200, "image-frozen")}, freeze, write)
    at_once(world, "freeze, thaw", {(200, 200)}, freeze, thaw)
    at_once(world, "guarded PATCH, PATCH", first, guarded(patch), guarded(patch))
    at_once(world, "guarded PATCH, freeze", first, guarded(patch), guarded(freeze))
    at_once(world, "guarded snapshots", both_orders((201, "precondition-failed")), guarded(snapshot_of),
            guarded(snapshot_of))
    at_once(world, "guarded snapshot, PATCH", {(201, "precondition-failed"), ("precondition-failed", 200)},
            guarded(snapshot_of), guarded(patch))
    at_once(world, "guarded DELETE, PATCH", {(204, gone), ("precondition-failed", 200)}, guarded(delete), guarded(patch))


LINES = [upload_and_readers, upload_and_writers, upload_and_guarded_write, guarded_upload_and_write, upload_and_names,
         upload_and_seals, upload_ends_in_time, write_behind_a_snapshot, upload_that_is_left, download_and_changes,
         download_and_freeze, download_and_thaw_by_delete, download_of_a_child, all_at_once]


def main():
    daemon = Daemon(sys.argv[1])
    try:
        daemon.start()
        world = World(daemon)
        for line in LINES:
            print(line.__name__, flush=True)
            line(world)
        daemon.stop()
        if failures:
            print(daemon.tail())
    finally:
        daemon.remove()
    print(f"{len(LINES)} lines, {len(failures)} failures")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
