"""As scenarios.py: files that were there already, and starts and ends of the daemon."""

import os
import re
import time

import vhdfile
from daemon import Failure
from world import A, B, C


# ---- files that were there already


def leave_files(world, images):
    """The catalog forgets the images, which have no other children; their files lie below a root then."""
    for path in sorted(world.root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    for image in reversed(images):
        path = image.path()
        world.strict(204, "DELETE", image.url("?keep_file=1"))
        path.rename(world.root / path.name)
        image.exists = False


def adopt(world, images, mode, apart=False):
    """`apart`: each file lies in another folder."""
    ids = {image: image.id() for image in images}
    leave_files(world, images)
    *others, leaf = images
    for image in others:
        image.name = f"img-{ids[image][:8]}"
    if apart:
        for image in others:
            (world.root / image.name).mkdir()
            (world.root / f"{ids[image]}.vhd").rename(world.root / image.name / f"{ids[image]}.vhd")
    yield
    source = {"path": str(world.root / f"{ids[leaf]}.vhd"), "mode": mode}
    if apart:
        source["search_path"] = [str(world.root), *(str(world.root / image.name) for image in others)]
    body = {"name": leaf.name, "source": source, "labels": {"a": "b", "c": "d"}, "description": "was found"}
    answer = world.ask("POST", "/v1/images", body)
    done = world.judge(answer, 201)
    for image in images:
        image.exists = True if done else False if answer.status and not world.lacks_memory else None
    if done:
        leaf.read()
    yield
    files = sorted(path.name for path in world.root.rglob("*.vhd"))
    if files != sorted(f"{id}.vhd" for id in ids.values()):
        raise Failure(f"below the root there is {files}")


def adopt_chain(world):
    yield from adopt(world, list(world.chain()), "adopt")


def adopt_from_folders(world):
    yield from adopt(world, list(world.chain()), "adopt", apart=True)


def linked(world):
    """An image whose file lies below a root, with all that its row can have."""
    image = world.create()
    image.write(0, A)
    for _ in adopt(world, [image], "link"):
        pass
    return image


def adopt_linked(world):
    image = world.create()
    image.write(0, A)
    yield from adopt(world, [image], "link")


def delete_adopted(world):
    image = world.create()
    for _ in adopt(world, [image], "adopt"):
        pass
    yield
    image.delete()
    yield
    left = list(world.root.rglob("*.vhd"))
    if left and image.exists is False:
        raise Failure(f"{left} is left of an image that is gone")


# ---- the life of the daemon


def for_a_moment(world, holds):
    """Waits until something is so; while calls fail it may never be."""
    end = time.monotonic() + (1 if world.armed else 60)
    while not holds() and time.monotonic() < end and world.daemon.alive():
        time.sleep(0.01)


def start_anew(world):
    world.stop()
    yield
    world.start()


def start_again(world):
    _, _, leaf = world.chain()
    world.create(labels={"env": "test"}, description="is read again")
    linked(world)
    world.stop()
    yield
    if world.start():
        leaf.read()


def start_on_tcp(world):
    world.stop()
    world.daemon.forget_log()
    yield
    if world.start(listen=["--listen", "127.0.0.1:0", "--listen", "[::1]:0"]):
        def ports():
            return re.findall(r"http://127\.0\.0\.1:(\d+)", world.daemon.log.read_text())

        for_a_moment(world, ports)
        if ports():
            world.expect(200, "GET", "/healthz", address=("127.0.0.1", int(ports()[0])))
        elif not world.armed:
            raise Failure("the address is not told")
    yield
    world.settle()
    world.restart()


def start_watched(world):
    """By a service manager that wants to hear of it all the time."""
    world.stop()
    yield
    if world.start(environment={"WATCHDOG_USEC": "30000"}):
        world.stop()


def start_without_ballast(world):
    """The keeper makes it in the background, soon after the start."""
    ballast = world.daemon.state / "catalog.db.ballast"
    world.stop()
    ballast.unlink(missing_ok=True)
    yield
    if world.start():
        for_a_moment(world, ballast.exists)


def start_inherited(world):
    world.stop()
    yield
    world.start(inherit=True)
    yield
    world.settle()
    world.restart()


def start_after_a_crash(world):
    base, _, leaf = world.chain()
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
    world.while_failing("fsync", image.create)
    world.crash()
    image.exists = None
    yield
    world.start()


def start_after_a_half_deletion(world):
    image = world.create()
    world.while_failing("unlinkat", image.delete)
    world.crash()
    image.exists = False
    yield
    world.start()


def start_with_two_names(world):
    """Of two files: one has its first name still, one has another name that nobody knows."""
    ours, other = world.create(), world.create()
    ours.write(0, A)
    other.write(0, B)
    world.restart()
    path, first, second = ours.path(), world.daemon.state / "images" / f".new-{ours.id()}", world.daemon.work / "second"
    os.link(path, first)
    os.link(other.path(), second)
    yield
    ours.read()
    world.expect(409, "GET", other.url("/data"), headers={"Range": "bytes=0-0"})
    yield
    first.unlink(missing_ok=True)
    second.unlink()
    world.settle()
    world.restart()


def start_with_a_stranger(world):
    """An image file that the catalog does not know."""
    image = world.create()
    path = image.path()
    world.strict(204, "DELETE", image.url("?keep_file=1"))
    image.exists = False
    world.stop()
    yield
    world.start()
    yield
    path.unlink()


def start_with_another_footer(world):
    """A change of it was cut off before the catalog knew."""
    image = world.create()
    image.write(0, A)
    path = image.path()
    world.stop()
    vhdfile.set_saved_state(path)
    yield
    world.start()
    yield
    world.settle()
    world.restart()
    if not world.strict(200, "GET", image.url()).json["vhd"]["saved_state"]:
        raise Failure("the row has not learnt from the footer")


def start_after_a_half_rebuild(world):
    """The catalog has a second name, and its journal only that."""
    _, _, leaf = world.chain()
    world.stop()
    catalog = world.daemon.state / "catalog.db"
    old = world.daemon.state / "catalog.db.20200101T000000Z.old"
    os.link(catalog, old)
    os.rename(f"{catalog}-journal", f"{old}-journal")
    yield
    if world.start():
        if old.exists() or not os.path.exists(f"{catalog}-journal"):
            raise Failure("the rebuild is not undone")
        leaf.read()


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
        for_a_moment(world, lambda: list(folder.glob("catalog.db.202[1-9]*.bak"))
                     or re.search("catalog: (backup|execute)", world.daemon.log.read_text()))


def stop(world):
    _, _, leaf = world.chain()
    leaf.write(0, A, flush="n")
    yield
    world.stop()


def rebuild(world):
    world.chain()
    world.create(labels={"env": "test"}, description="is kept")
    linked(world)
    yield from rebuild_all(world)


def rebuild_from_files(world):
    """The catalog is lost, and so are the names."""
    images = world.chain()
    for image in images:
        image.name = f"img-{image.id()[:8]}"
    world.stop()
    for path in world.daemon.state.glob("catalog.d*[!k]"):
        path.unlink()
    yield from rebuild_all(world)


def rebuild_a_damaged_one(world):
    """There is a backup, by which the name of a file that it does not know is another one's."""
    unknown = world.create()
    ident, path = unknown.id(), unknown.path()
    taken = world.plan()
    taken.name = f"img-{ident[:8]}"
    taken.create()
    world.strict(204, "DELETE", unknown.url("?keep_file=1"))
    world.stop()
    catalog = world.daemon.state / "catalog.db"
    for path in world.daemon.state.glob("catalog.db.*.bak"):
        path.unlink()
    backup = world.daemon.state / "catalog.db.20260101T000000Z.bak"
    backup.write_bytes(catalog.read_bytes())
    catalog.write_bytes(b"nobody can read this")
    unknown.name = f"img-{ident.replace('-', '')}"
    yield from rebuild_all(world)
    yield
    backup.unlink()


def rebuild_after_a_half_deletion(world):
    """Of an adopted image, whose file is not seen."""
    image = world.create()
    for _ in adopt(world, [image], "adopt"):
        pass
    world.while_failing("unlinkat", image.delete)
    world.crash()
    image.exists = False
    (file,) = world.root.rglob("*.vhd")
    file.unlink()
    yield from rebuild_all(world, gone=True)


def rebuild_all(world, gone=False):
    """The images that there are then have the names that they had, or new ones. `gone`: a file may be left out."""
    if world.daemon.alive():
        world.restart()
        world.stop()
    # Or each rebuild has more of them to look through, and there is always one more call that can fail.
    for path in world.daemon.state.glob("catalog.db.*.old*"):
        path.unlink()
    catalog = world.daemon.state / "catalog.db"
    before = catalog.read_bytes() if catalog.exists() else None
    world.daemon.forget_log()
    yield
    world.judge_end(world.daemon.run("--rebuild-catalog"), (0, 1, 64))
    world.disarm()
    # A file that ends too early is damaged; what only cannot be read keeps the catalog as it is.
    left_out = not gone and "left out" in world.daemon.log.read_text()
    if left_out and 422 not in world.also:
        raise Failure("an image was left out that may be sound")
    if left_out:
        catalog.unlink()
    if left_out and before is not None:
        catalog.write_bytes(before)
    status = world.daemon.run("--rebuild-catalog")
    if status != 0:
        raise Failure(f"a rebuild ended with status {status}; nothing fails now")


ALL = [adopt_chain, adopt_from_folders, adopt_linked, delete_adopted, start_anew, start_again, start_on_tcp, start_watched,
       start_without_ballast, start_inherited, start_with_two_names, start_with_a_stranger, start_with_another_footer,
       start_after_a_half_rebuild, start_after_a_crash, start_after_a_half_creation, start_after_a_half_deletion,
       back_up, stop, rebuild, rebuild_from_files, rebuild_a_damaged_one, rebuild_after_a_half_deletion]
