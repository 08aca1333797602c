"""What the daemon is asked to do while calls fail. Each scenario prepares, yields, and is watched from there."""

import mmap
import os
import time

from daemon import FOR_EVER, OURS, Failure

A, B, C = 0xA1, 0xB2, 0xC3
EIO = 5


# ---- images come and go


def create(world):
    yield
    world.create(labels={"env": "test", "role": "db"}, description="made while calls fail")


def create_named(world):
    yield
    world.create(method="PUT")


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


def chain(world):
    base = world.create()
    base.write(0, A)
    base.write(128, A)
    middle = world.create(base)
    middle.write(1, B)
    leaf = world.create(middle)
    leaf.write(0, C)
    return base, middle, leaf


def read_cold(world):
    _, _, leaf = chain(world)
    world.restart()
    yield
    leaf.read()


def read_warm(world):
    _, _, leaf = chain(world)
    leaf.read()
    yield
    leaf.read()
    world.expect(206, "GET", leaf.url("/data"), headers={"Range": "bytes=0-511,8192-9000,600000-"})


def write_cold(world):
    _, _, leaf = chain(world)
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
    _, _, leaf = chain(world)
    world.restart()
    yield
    world.expect(200, "GET", leaf.url("/sectors/8"))
    world.expect(200, "POST", leaf.url("/sectors"), {"sectors": [0, 9, 1024]})
    world.expect(200, "GET", leaf.url("/sectors?start=0&count=1056"))
    world.expect(200, "GET", leaf.url("/extents"))


def inside(world):
    _, _, leaf = chain(world)
    world.restart()
    yield
    world.expect(200, "GET", leaf.url("/fields"))
    world.expect(200, "GET", leaf.url("/layout"))


def lists(world):
    base, _, leaf = chain(world)
    yield
    for path in ("/v1/images", leaf.url(), leaf.url("/chain"), base.url("/children"), "/v1/pools", "/v1",
                 "/readyz?verbose=1"):
        answer = world.ask("GET", path)
        # Not ready is an answer too.
        if not (path.startswith("/readyz") and answer.status == 503):
            world.judge(answer, 200)


def tables(world):
    world.create(labels={"a": "b"}, description="text")
    yield
    for accept in ("text/plain", "text/csv", "application/x-ndjson"):
        world.expect(200, "GET", "/v1/images?fields=name,labels,description", headers={"Accept": accept})
    world.expect(200, "GET", "/v1/images?embed=parent&fields=name")


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


def recover(world):
    image = world.create()
    image.write(0, A)
    world.arm(OURS, ("fdatasync",), EIO, 0, FOR_EVER)
    image.write(0, B)
    world.disarm()
    world.may_end = False
    yield
    world.expect(200, "POST", image.url("/actions/recover"))
    image.read()


def recover_mapped(world):
    """Its pages stay in memory, for this program maps them, and are compared with the disk."""
    image = world.create()
    image.write(0, A)
    world.arm(OURS, ("fdatasync",), EIO, 0, FOR_EVER)
    image.write(0, B)
    world.disarm()
    world.may_end = False
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


# ---- files that were there already


def leave_files(world, images):
    """The catalog forgets the images, which have no other children; their files lie below a root then."""
    for path in world.root.iterdir():
        path.unlink()
    for image in reversed(images):
        path = image.path()
        world.strict(204, "DELETE", image.url("?keep_file=1"))
        path.rename(world.root / path.name)
        image.exists = False


def adopt(world, images, mode):
    ids = {image: image.id() for image in images}
    leave_files(world, images)
    *others, leaf = images
    for image in others:
        image.name = f"img-{ids[image][:8]}"
    yield
    source = {"path": str(world.root / f"{ids[leaf]}.vhd"), "mode": mode}
    answer = world.ask("POST", "/v1/images", {"name": leaf.name, "source": source})
    done = world.judge(answer, 201)
    for image in images:
        image.exists = True if done else False if answer.status and not world.lacks_memory else None
    if done:
        leaf.read()
    yield
    files = sorted(path.name for path in world.root.iterdir())
    if files != sorted(f"{id}.vhd" for id in ids.values()):
        raise Failure(f"below the root there is {files}")


def adopt_chain(world):
    yield from adopt(world, list(chain(world)), "adopt")


def adopt_linked(world):
    image = world.create()
    image.write(0, A)
    yield from adopt(world, [image], "link")


# ---- the life of the daemon


def start_anew(world):
    world.stop()
    yield
    world.start()


def start_again(world):
    _, _, leaf = chain(world)
    world.create(labels={"env": "test"}, description="is read again")
    world.stop()
    yield
    if world.start():
        leaf.read()


def start_on_tcp(world):
    world.stop()
    yield
    world.start(listen=["--listen", "127.0.0.1:0", "--listen", "[::1]:0"])
    yield
    world.settle()
    world.restart()


def start_inherited(world):
    world.stop()
    yield
    world.start(inherit=True)
    yield
    world.settle()
    world.restart()


def start_after_a_crash(world):
    base, _, leaf = chain(world)
    other = world.create()
    other.write(0, A)
    other.write(0, B, flush="n")
    leaf.write(129, B, flush="n")
    world.crash()
    yield
    if world.start():
        leaf.read()
        other.read()
        leaf.write(1, C)


def start_after_a_half_creation(world):
    image = world.plan()
    world.arm(OURS, ("fsync",), EIO, 0, FOR_EVER)
    image.create()
    world.disarm()
    world.may_end = False
    world.crash()
    image.exists = None
    yield
    world.start()


def start_after_a_half_deletion(world):
    image = world.create()
    world.arm(OURS, ("unlinkat",), EIO, 0, FOR_EVER)
    image.delete()
    world.disarm()
    world.may_end = False
    world.crash()
    image.exists = False
    yield
    world.start()


def back_up(world):
    """The keeper does it in the background, soon after the start."""
    world.create().write(0, A)
    world.stop()
    folder = world.daemon.state
    for path in folder.glob("catalog.db.*.bak"):
        path.unlink()
    for day in range(1, 9):
        path = folder / f"catalog.db.2020010{day}T000000Z.bak"
        path.write_bytes(b"")
        os.utime(path, (0, 0))
    yield
    if world.start():
        end = time.monotonic() + 1
        while time.monotonic() < end and not list(folder.glob("catalog.db.202[1-9]*.bak")) and world.daemon.alive():
            if "catalog: backup" in world.daemon.log.read_text() or "catalog: execute" in world.daemon.log.read_text():
                break
            time.sleep(0.01)


def stop(world):
    _, _, leaf = chain(world)
    leaf.write(0, A, flush="n")
    yield
    world.stop()


def rebuild(world):
    _, _, leaf = chain(world)
    world.create(labels={"env": "test"}, description="is kept")
    world.restart()
    world.stop()
    catalog = world.daemon.state / "catalog.db"
    before = catalog.read_bytes()
    world.daemon.forget_log()
    yield
    world.judge_end(world.daemon.run("--rebuild-catalog"), (0, 1, 64))
    left_out = "left out" in world.daemon.log.read_text()
    yield
    world.stop()
    # A file that ends too early is damaged; what only cannot be read keeps the catalog as it is.
    if left_out and 422 not in world.also:
        raise Failure("an image was left out that may be sound")
    if left_out:
        catalog.write_bytes(before)
    status = world.daemon.run("--rebuild-catalog")
    if status != 0:
        raise Failure(f"a rebuild ended with status {status}; nothing fails now")
    world.settle()


ALL = [create, create_named, create_fixed, snapshot, second_child, delete, delete_keeping_the_file, delete_last_child,
       write_new_block, write_over, write_part_in_child, write_late, write_chunked, write_fixed, zero, read_cold,
       read_warm, write_cold, open_and_close, locate, inside, lists, update, freeze_and_thaw, recover, recover_mapped,
       footer, adopt_chain, adopt_linked, tables, sent_in_parts, start_anew, start_again, start_on_tcp, start_inherited,
       start_after_a_crash, start_after_a_half_creation, start_after_a_half_deletion, back_up, stop, rebuild]
