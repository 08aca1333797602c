"""What the daemon is asked to do while calls fail. Each scenario prepares, yields, and is watched from there."""

import mmap
import time

import lives
from daemon import Failure, connection
from world import A, B, C


# ---- images come and go


def create(world):
    yield
    world.create(labels={"env": "test", "role": "db"}, description="made while calls fail")


def create_named(world):
    yield
    world.create(method="PUT")


def create_by_form(world):
    image = world.plan()
    yield
    image.create(form="&labels.env=test")


def create_fixed(world):
    yield
    world.create(kind="fixed", preallocation="falloc")


def snapshot(world):
    base = world.create()
    base.write(0, A)
    base.write(1, B, flush="n")
    yield
    kid = world.create(base)
    base.read()
    if kid.exists:
        kid.read()


def second_child(world):
    base = world.create()
    base.write(0, A)
    world.create(base)
    yield
    world.create(base)


def delete(world):
    image = world.create()
    image.write(0, A)
    yield
    image.delete()


def delete_keeping_the_file(world):
    image = world.create()
    image.write(0, A)
    path = image.path()
    yield
    image.delete("?keep_file=1")
    yield
    if not image.exists and not path.exists():
        raise Failure("the file is gone")
    if world.ask("GET", image.url()).status == 404:
        path.unlink()


def delete_last_child(world):
    base = world.create()
    kid = world.create(base)
    yield
    kid.delete()


# ---- content


def write_new_block(world):
    image = world.create()
    yield
    image.write(128, A)
    image.write(0, B)


def write_over(world):
    image = world.create()
    image.write(0, A)
    yield
    image.write(0, B)


def write_part_in_child(world):
    base = world.create()
    base.write(0, A)
    kid = world.create(base)
    yield
    kid.patch(0, 700, b"hello")


def write_late(world):
    image = world.create()
    image.write(0, A)
    yield
    image.write(0, B, flush="n")
    image.write(128, C, flush="n")
    image.flush()


def write_chunked(world):
    image = world.create()
    yield
    image.write(1, A, chunked=True)


def write_fixed(world):
    image = world.create(kind="fixed")
    yield
    image.write(0, A)
    image.zero(0)


def zero(world):
    base = world.create()
    base.write(0, A)
    base.write(128, A)
    kid = world.create(base)
    kid.write(1, B)
    other = world.create()
    other.write(0, C)
    yield
    kid.zero(0)
    kid.zero(1)
    other.zero(0)


def read_cold(world):
    _, _, leaf = world.chain()
    world.restart()
    yield
    leaf.read()


def read_warm(world):
    _, _, leaf = world.chain()
    leaf.read()
    yield
    leaf.read()
    world.expect(206, "GET", leaf.url("/data"), headers={"Range": "bytes=0-511,8192-9000,600000-"})


def read_all(world):
    """More than is sent at once."""
    _, _, leaf = world.chain()
    world.restart()
    yield
    leaf.read_all()
    world.expect(206, "GET", leaf.url("/data"), headers={"Range": "bytes=0-299999,400000-540671"})
    world.expect(206, "GET", leaf.url("/data"), headers={"Range": "bytes=0-199999"})


def write_cold(world):
    _, _, leaf = world.chain()
    world.restart()
    yield
    leaf.write(129, A)


def open_and_close(world):
    """Few files may be open: each use closes another image."""
    images = [world.create() for _ in range(11)]
    for image in images:
        image.write(0, A)
    world.restart()
    yield
    for image in images:
        image.read()
        image.write(0, B)


# ---- questions


def locate(world):
    _, _, leaf = world.chain()
    world.restart()
    yield
    world.expect(200, "GET", leaf.url("/sectors/8"))
    world.expect(200, "POST", leaf.url("/sectors"), {"sectors": [0, 9, 1024]})
    world.expect(200, "GET", leaf.url("/sectors?start=0&count=1056"))
    world.expect(200, "GET", leaf.url("/extents"))


def locate_far(world):
    """In more places than the index has room for at first."""
    kid = world.create(world.create(size=256 << 20))
    yield
    world.expect(200, "POST", kid.url("/sectors"), {"sectors": [number * 4096 for number in range(70)]})


def inside(world):
    _, _, leaf = world.chain()
    world.restart()
    yield
    world.expect(200, "GET", leaf.url("/fields"))
    world.expect(200, "GET", leaf.url("/fields/current_size"))
    world.expect(200, "GET", leaf.url("/layout"))


def lists(world):
    base, _, leaf = world.chain()
    yield
    for path in ("/v1/images", "/v1/images?limit=1", leaf.url(), leaf.url("/chain"), base.url("/children"), "/v1/pools", "/v1",
                 "/readyz?verbose=1"):
        answer = world.ask("GET", path)
        # Not ready is an answer too.
        if not (path.startswith("/readyz") and answer.status == 503):
            world.judge(answer, 200)


def tables(world):
    world.create(labels={"a": "b"}, description="text")
    yield
    for accept in ("text/plain", "text/csv", "application/x-ndjson"):
        world.expect(200, "GET", "/v1/images?fields=name,labels,description,parent", headers={"Accept": accept})
    world.expect(200, "GET", "/v1/images?embed=parent&fields=name")


def refusals(world):
    image = world.create()
    yield
    page = {"Origin": "http://b.example"}
    world.expect(404, "GET", "/v1/images/nobody", headers=page)
    world.expect(405, "DELETE", "/v1/images")
    world.expect(415, "PATCH", image.url("/data"), b"x", headers={"Content-Type": "text/plain"})
    world.expect(416, "GET", image.url("/data"), headers={"Range": f"bytes={1 << 30}-"})
    world.expect(412, "DELETE", image.url(), headers={"If-Match": '"m1"'})


def no_room(world):
    """For so much, which the client announces before it sends anything."""
    size = 256 << 30  # the block table of a larger one is long for those who get a byte at a time
    image = world.create(size=size, block_size=2 << 20)
    yield
    headers = {"Content-Length": size, "Expect": "100-continue"}
    world.expect(507, "PUT", image.url("/data"), headers=headers)


def sent_in_parts(world):
    image = world.create()
    page = image.pages[0]
    yield
    octets = b"Content-Range: bytes 0-9/*\r\n\r\n" + b"A" * 10
    image.pages[0] = page | {b"A" * 10 + bytes(4086)}
    world.expect(200, "PATCH", image.url("/data"), octets, headers={"Content-Type": "message/byterange"})
    lines = b'{"op":"write","offset":10,"base64":"QkI="}\n{"op":"flush"}\n'
    image.pages[0] = image.pages[0] | {bytes(10) + b"BB" + bytes(4084), b"A" * 10 + b"BB" + bytes(4084)}
    world.expect(200, "PATCH", image.url("/data"), lines, headers={"Content-Type": "application/vnd.vhdd.ops+ndjson"})


# ---- clients that are a burden


def idle(world):
    """A connection that is kept after an answer."""
    peer = connection(str(world.daemon.socket), 20)
    try:
        peer.connect(str(world.daemon.socket))
        peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        peer.recv(4096)
    except OSError:
        pass
    return peer


def too_many_connections(world):
    world.reconfigure("[limits]\nconnections = 2\n")
    yield
    with idle(world), idle(world):
        answer = world.ask("GET", "/v1")
        # What has failed may have been one of the others.
        if not (world.armed and answer.status == 200):
            world.judge(answer, 503)
    yield
    world.settle()
    world.reconfigure()


def sent_after_a_refusal(world):
    yield
    world.expect(404, "PUT", "/nowhere", bytes(100 << 10))
    world.stop()


def until_cut(world, request):
    """Sends it and waits for the end of the connection, 3 s at most; what has failed may keep that from coming."""
    with connection(str(world.daemon.socket), 3) as peer:
        try:
            peer.connect(str(world.daemon.socket))
            peer.sendall(request)
            peer.recv(1)
        except TimeoutError as why:
            if not world.armed:
                raise Failure("it is not cut") from why
        except OSError:
            pass


def late(world):
    """The time for a head is over."""
    world.reconfigure("[limits]\nheader_seconds = 1\n")
    yield
    until_cut(world, b"")
    yield
    world.settle()
    world.reconfigure()


def endless(world):
    """The first line of a chunk does not end."""
    head = b"POST /v1/images HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield
    until_cut(world, head + b"1;" + b"a" * (1 << 20))
    yield
    world.settle()


def late_at_the_end(world):
    """Its request is under way when the daemon stops, which waits for it some time."""
    image = world.create()
    yield
    with connection(str(world.daemon.socket), 20) as peer:
        head = f"PUT {image.url('/data')} HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        try:
            peer.connect(str(world.daemon.socket))
            peer.sendall(head.encode())
            peer.recv(4096)
        except OSError:
            pass
        world.stop()


# ---- changes


def update(world):
    image = world.create(labels={"a": "b"})
    yield
    old, name = image.name, image.name + "-new"
    answer = world.ask("PATCH", image.url(), {"name": name, "labels": {"a": None, "c": "d"}, "description": "text"})
    changed = world.judge(answer, 200)
    yield
    if not changed:
        found = world.ask("GET", f"/v1/images/{name}").status == 200
        if found and answer.status and not world.lacks_memory:
            raise Failure("a refused change was made")
        changed = found
    image.name = name if changed else old
    image.fields["name"] = image.name
    world.strict(200, "GET", image.url())


def freeze_and_thaw(world):
    image = world.create()
    image.write(0, A, flush="n")
    yield
    world.expect(200, "POST", image.url("/actions/freeze"))
    world.expect(200, "POST", image.url("/actions/thaw"))
    yield
    world.strict(200, "POST", image.url("/actions/thaw"))


def failed(world):
    """An image whose sync has failed."""
    image = world.create()
    image.write(0, A)
    world.while_failing("fdatasync", lambda: image.write(0, B))
    return image


def recover(world):
    image = failed(world)
    yield
    world.expect(200, "POST", image.url("/actions/recover"))
    image.read()


def recover_mapped(world):
    """Its pages stay in memory, for this program maps them, and are compared with the disk."""
    image = failed(world)
    with open(image.path(), "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as pages:
        pages.find(b"everything is read")
        yield
        world.expect(200, "POST", image.url("/actions/recover"))
        image.read()


def footer(world):
    image = world.create()
    image.write(0, A, flush="n")
    yield
    world.expect(200, "PATCH", image.url(), {"saved_state": True, "features": ["temporary"], "description": "asleep"})
    yield
    if world.strict(200, "GET", image.url()).json["state"] == "failed":
        world.strict(200, "POST", image.url("/actions/recover"))
    row = world.strict(200, "PATCH", image.url(), {"saved_state": True, "features": []}).json
    if not row["vhd"]["saved_state"] or row["vhd"]["features"]:
        raise Failure(f"the footer is {row['vhd']}")


SLOW = (late, late_at_the_end)  # for they wait for times to be over
# Each call of theirs fails, also those that have failed elsewhere: where it leads is here alone.
THOROUGH = (lives.delete_adopted, lives.adopt_from_folders, lives.start_with_a_stranger,
            lives.start_with_another_footer, lives.rebuild)
ALL = [create, create_named, create_by_form, create_fixed, snapshot, second_child, delete, delete_keeping_the_file,
       delete_last_child, write_new_block, write_over, write_part_in_child, write_late, write_chunked, write_fixed,
       zero, read_cold, read_warm, read_all, write_cold, open_and_close, locate, locate_far, inside, lists, refusals,
       no_room, too_many_connections, sent_after_a_refusal, late, endless, late_at_the_end, update, freeze_and_thaw,
       recover, recover_mapped, footer, tables, sent_in_parts] + lives.ALL
