"""What must have happened so that a crash point is met, and the crash there. Each scene leaves the daemon ended."""

import os
import shutil
import signal
import sqlite3
import uuid

from daemon import CRASHED, Client, Lost, Wrong
from oracle import SECTOR

HERE = os.path.dirname(os.path.abspath(__file__))
SCHEMA_1 = os.path.join(HERE, "..", "data", "catalog", "schema-1.sql")
NTH = (1, 2, 1, 3, 1, 7, 1, 20)


def nth(point, tries):
    return f"{point}:{NTH[(tries - 1) % len(NTH)]}"


def under_load(world, point, tries):
    """Met while clients are at work, or when it stops."""
    return hit_under_load(world, nth(point, tries))


def hit_under_load(world, armed):
    world.end(signal.SIGTERM)
    if world.restart(armed):
        world.load(1.5)
        if world.daemon.process.poll() is None:
            return world.end(signal.SIGTERM) == CRASHED
        return world.end(0) == CRASHED
    return True


def crash_first(world, points):
    """Leaves something interrupted."""
    for point in points:
        if hit_under_load(world, point):
            return
        world.restart()


def at_restart(*before):
    """Met at the start after such a crash."""
    def scene(world, point, tries):
        crash_first(world, [before[tries % len(before)]])
        return meet(world, point)
    return scene


def meet(world, armed):
    """Starts, and looks at everything."""
    if not world.restart(armed):
        return True
    try:
        client = Client(world.daemon.socket)
        for image in list(world.oracle.images.values()):
            client.ask("GET", f"/v1/images/{image.id}/data", None, {"Range": "bytes=0-511"})
        client.close()
    except Lost:
        pass
    return world.end(signal.SIGTERM) == CRASHED


def recovery(world, point, tries):
    """Images that were being written, some with a footer that a power cut took."""
    world.load(0.3 + 0.1 * (tries % 3))
    world.end(signal.SIGKILL)
    for ident in dirty_images(world):
        wipe(os.path.join(world.pool, ident + ".vhd"), "head" if "head" in point else "tail")
    return meet(world, point)


def dirty_images(world):
    """By a copy of the catalog, so that its journal is left to the daemon."""
    copy = os.path.join(world.daemon.folder, "copy.db")
    for end in ("", "-journal"):
        shutil.copyfile(world.catalog + end, copy + end)
    database = sqlite3.connect(copy)
    rows = database.execute("SELECT hex(id) FROM image WHERE state = 1 AND dirty AND kind <> 1").fetchall()
    database.close()
    return [str(uuid.UUID(row[0])) for row in rows]


def wipe(path, which):
    with open(path, "r+b") as file:
        file.seek(0 if which == "head" else -SECTOR, os.SEEK_SET if which == "head" else os.SEEK_END)
        file.write(bytes(SECTOR))


def backups(world):
    return [os.path.join(world.daemon.state, name) for name in os.listdir(world.daemon.state) if name.endswith(".bak")]


def backup(world, point, tries):
    """Due, for there is none of this day; and one too many."""
    world.end(signal.SIGTERM)
    for path in backups(world):
        os.unlink(path)
    for day in range(1, 8):
        path = f"{world.catalog}.2001010{day}T000000Z.bak"
        with open(path, "wb") as file:
            file.write(b"old")
        os.utime(path, (978307200 + day, 978307200 + day))
    return hit_under_load_now(world, point)


def hit_under_load_now(world, armed):
    if not world.restart(armed):
        return True
    world.load(1.5)
    return world.end(signal.SIGTERM) == CRASHED


def rebuild(world, point, tries):
    """The catalog made anew, with the crash; and again, to its end, if the crash was in it."""
    world.load(0.2)
    world.end(signal.SIGTERM if tries % 3 else signal.SIGKILL)
    world.rebuilt = True
    status = world.daemon.rebuild(point)
    if status not in (0, CRASHED):
        raise Wrong(f"--rebuild-catalog ended with status {status}")
    if tries % 2 == 0 and world.daemon.rebuild() != 0:
        raise Wrong("--rebuild-catalog fails after a crash in it")
    return status == CRASHED


def seal(world, point, tries):
    """Parents whose rows have no seal, as after a rebuild."""
    world.load(0.2)
    world.end(signal.SIGTERM)
    world.rebuilt = True
    if world.daemon.rebuild() != 0:
        raise Wrong("--rebuild-catalog fails")
    return meet(world, nth(point, tries) if tries % 2 else point)


# ---- a catalog of the first schema

OLD = (("base", None), ("middle", "base"), ("leaf", "middle"), ("flat", None))


def old_id(number):
    return f"ee000000-0000-0000-0000-{number:012}"


def make_old(world):
    """The files that schema-1.sql speaks of, then its catalog."""
    client = Client(world.daemon.socket)
    for number, (name, parent) in enumerate(OLD, 1):
        body = {"uuid": old_id(number), "name": name}
        kind = "fixed" if name == "flat" else "dynamic"
        body.update({"parent": parent} if parent else {"size": 1 << 20, "kind": kind})
        if client.ask("POST", "/v1/images", body)[0] != 201:
            raise Wrong(f"cannot make {name}")
        client.ask("PUT", f"/v1/images/{name}/data?offset={number * 4096}", name.encode() * 128)
    client.close()
    world.end(signal.SIGTERM)
    os.unlink(world.catalog)
    for path in backups(world) + [world.catalog + "-journal"]:
        if os.path.exists(path):
            os.unlink(path)
    database = sqlite3.connect(world.catalog)
    with open(SCHEMA_1, encoding="utf-8") as file:
        database.executescript(file.read())
    database.execute("UPDATE image SET block_size = 0 WHERE kind = 1")  # as every fixed image has
    database.commit()
    database.close()


def check_old(world):
    client = Client(world.daemon.socket)
    items = {item["name"]: item for item in client.ask("GET", "/v1/images?limit=1000")[2]["items"]}
    if sorted(items) != sorted(name for name, _ in OLD):
        raise Wrong(f"after a migration: {sorted(items)}")
    for number, (name, parent) in enumerate(OLD, 1):
        item = items[name]
        above = item["parent"]["name"] if item["parent"] else None
        found = (item["id"], above, item["state"], item["health"]["status"])
        if found != (old_id(number), parent, "ready", "ok"):
            raise Wrong(f"after a migration: {found}")
        there = {"Range": f"bytes={number * 4096}-{number * 4096 + 511}"}
        raw = client.ask("GET", f"/v1/images/{name}/data", None, there)[2]
        if raw != (name.encode() * 128)[:512]:
            raise Wrong(f"after a migration {name} holds {raw[:20]}")
    if items["base"]["labels"] != {"env": "prod", "role": "web"} or items["base"]["description"] != "before upgrade":
        raise Wrong(f"after a migration: {items['base']}")
    client.close()


def migration(world, point, tries):
    """A world beside the other one, of which nothing is kept."""
    daemon = type(world.daemon)(world.daemon.program, os.path.join(world.daemon.folder, "old"))
    beside = type(world)(daemon, world.random)
    try:
        beside.restart()
        make_old(beside)
        hit = not beside.restart(f"{point}:{1 + (tries - 1) % 16}" if point.endswith("statement") else point)
        beside.end(signal.SIGTERM)
        beside.restart()
        check_old(beside)
        beside.end(signal.SIGTERM)
        first = sorted(backups(beside))[0]
        if sqlite3.connect(f"file:{first}?mode=ro", uri=True).execute("PRAGMA user_version").fetchone() != (1,):
            raise Wrong("no backup of the catalog as it was")
    finally:
        beside.daemon.kill()
        world.daemon.starts += daemon.starts
    remove(daemon.folder)
    world.end(signal.SIGKILL)
    return hit


def remove(folder):
    for root, folders, files in os.walk(folder, topdown=False):
        for name in files:
            os.unlink(os.path.join(root, name))
        for name in folders:
            os.rmdir(os.path.join(root, name))
    os.rmdir(folder)


CREATED = ("pool.created", "create.written", "pool.linked", "create.published", "catalog.finish.commit")
DELETED = ("catalog.deleting.committed", "delete.removed")

# The longest beginning of a name decides.
SCENES = {
    "": under_load,
    "recover.": recovery,
    "restart.undone": at_restart(*CREATED),
    "restart.creations": at_restart(*CREATED),
    "pool.undo": at_restart(*CREATED),
    "restart.removed": at_restart(*DELETED),
    "restart.deletions": at_restart(*DELETED),
    "restart.settled": at_restart("create.settling"),
    "backup.": backup,
    "rebuild.": rebuild,
    "catalog.restore.": rebuild,
    "catalog.seal.": seal,
    "migrate.": migration,
}


def scene_of(point):
    return SCENES[max((name for name in SCENES if point.startswith(name)), key=len)]
