#!/usr/bin/env python3
"""What the daemon does about failures by itself, or says of them, case by case.

usage: heals.py VHDD LIBRARY [CASE...]
"""

import errno
import fcntl
import os
import pathlib
import struct
import sys
import tempfile
import time
import traceback

from daemon import FOR_EVER, OTHERS, OURS, SQLITE, ZERO, Daemon, Failure, connection, without_backup

SIZE = 1 << 20
DAY = 24 * 3600
UNCERTAIN = 70  # the exit status when a commit may be on the disk or not


def expect(answer, status):
    if answer.status != status:
        raise Failure(f"{answer}, not {status}")
    return answer


def same(got, wanted, what):
    if got != wanted:
        raise Failure(f"{what} is {got!r}, not {wanted!r}")


def wait_for(what, holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise Failure(f"after {seconds} s still not: {what}")
        time.sleep(0.02)


def arm(daemon, parts, calls, error=errno.EIO, burst=FOR_EVER, number=0):
    daemon.page.arm(parts, calls, error, number, burst)


def create(daemon, name, **more):
    return daemon.ask("POST", "/v1/images", {"name": name, "size": SIZE, **more})


def child(daemon, name, parent):
    return daemon.ask("POST", "/v1/images", {"name": name, "parent": parent})


def said(daemon, text):
    return daemon.log.read_text(errors="replace").count(text)


def waits_for_the_child(daemon, child, why):
    """Whoever wants to change the parent is told of the child that is being deleted, and its name is that of another."""
    expect(create(daemon, "kid"), 201)
    row = expect(daemon.ask("GET", "/v1/images/base"), 200).json
    same((row["children_count"], row["frozen_reason"]), (0, None), "what is told of the parent")
    same(expect(daemon.ask("GET", "/v1/images/base/children"), 200).json["items"], [], "its children")
    begun = time.monotonic()
    for method, path, body in (("PUT", "/data?offset=0", b"x"), ("PATCH", "", {"saved_state": True}), ("DELETE", "", b""),
                               ("POST", "/actions/thaw", b"")):
        problem = {}

        def is_told():  # but while it is tried again
            problem.update(expect(daemon.ask(method, "/v1/images/base" + path, body), 409).json)
            return problem["detail"] == f"A child of it, {child}, is being deleted{why}"
        wait_for(f"{method} {path}: {why}", is_told)
        same((problem["code"], problem["retryable"], problem["image"]["name"], "children" in problem, "related" in problem),
             ("image-busy", True, "base", False, False), f"the problem of {method} {path}")
    same(time.monotonic() - begun < 4, True, "nobody waits for what nobody does, that it")


def pool(daemon):
    return sorted(path.name for path in (daemon.state / "images").iterdir())


# ---- what could not be finished is tried again


def a_creation_that_cannot_be_undone_frees_its_name_and_its_parent(daemon):
    expect(create(daemon, "base"), 201)
    arm(daemon, OURS, ("fsync",))  # of the folder: neither published nor undone
    expect(child(daemon, "kid", "base"), 500)
    same(expect(child(daemon, "kid", "base"), 409).json["code"], "name-exists", "the code")
    same(expect(daemon.ask("DELETE", "/v1/images/base"), 409).json["code"], "image-busy", "the code")
    tried = said(daemon, "it is tried again")
    wait_for("a second try", lambda: daemon.page.failed > 4)
    same(said(daemon, "it is tried again"), tried, "the number of complaints")
    daemon.page.disarm()
    wait_for("the parent has no child", lambda: daemon.ask("GET", "/v1/images/base").json["children_count"] == 0)
    same(said(daemon, "its creation was interrupted, and is undone"), 1, "the number of ends")
    expect(child(daemon, "kid", "base"), 201)
    expect(daemon.ask("DELETE", "/v1/images/kid"), 204)
    expect(daemon.ask("DELETE", "/v1/images/base"), 204)
    same(pool(daemon), [], "the pool")


def a_deletion_that_cannot_be_finished_is_finished_later(daemon):
    """Also where the daemon may not remove it now: that does not make it the file of somebody else."""
    for number, error in enumerate((errno.EIO, errno.EACCES, errno.EPERM)):
        expect(create(daemon, "base"), 201)
        kid = expect(child(daemon, "kid", "base"), 201).json["id"]
        arm(daemon, OURS, ("unlinkat",), error)
        problem = expect(daemon.ask("DELETE", "/v1/images/kid"), 500).json
        same(problem["correction"].split(",")[0], "It was done all the same", "the correction")
        same(problem["image"]["name"], "kid", "the image")
        expect(daemon.ask("GET", "/v1/images/kid"), 404)
        wait_for("a second and a third try", lambda: daemon.page.failed > 2)
        waits_for_the_child(daemon, kid, ", but its file could not be removed, which is tried again: the log says why")
        daemon.page.disarm()
        expect(daemon.ask("DELETE", "/v1/images/kid"), 204)
        wait_for("the parent can go", lambda: daemon.ask("DELETE", "/v1/images/base").status == 204)
        same(said(daemon, "its deletion was interrupted, and is finished"), number + 1, "the number of ends")
        same(pool(daemon), [], "the pool")


def a_hundred_deletions_that_cannot_be_finished_are_finished_later(daemon):
    """Without memory to remember all of them, some only by the next start."""
    for calls, first in ((("unlinkat",), 100), (("unlinkat", "reallocarray"), 64)):
        daemon.stop()
        daemon.start()  # one that has no more room yet
        daemon.forget_log()
        expect(create(daemon, "base"), 201)
        for number in range(100):
            expect(child(daemon, f"kid-{number}", "base"), 201)
        arm(daemon, OURS, calls)
        for number in range(100):
            expect(daemon.ask("DELETE", f"/v1/images/kid-{number}"), 500)
        daemon.page.disarm()
        wait_for("they are finished", lambda: said(daemon, "its deletion was interrupted, and is finished") >= first)
        if first < 100:
            same(expect(daemon.ask("DELETE", "/v1/images/base"), 409).json["code"], "image-busy", "the code")
            daemon.stop()
            daemon.start()
        expect(daemon.ask("DELETE", "/v1/images/base"), 204)
        same(said(daemon, "its deletion was interrupted, and is finished"), 100, "the number of ends")
        same(pool(daemon), [], "the pool")


def a_deletion_waits_for_its_folder(daemon):
    expect(create(daemon, "base"), 201)
    path = daemon.state / "images" / expect(child(daemon, "kid", "base"), 201).json["file"]
    expect(daemon.ask("DELETE", "/v1/images/kid?keep_file=1"), 204)
    folder = daemon.state / "images" / "sub"
    folder.mkdir()
    path = path.rename(folder / "kid.vhd")
    expect(daemon.ask("POST", "/v1/images", {"name": "kid", "source": {"path": str(path)}}), 201)
    kid = expect(daemon.ask("GET", "/v1/images/kid"), 200).json["id"]
    arm(daemon, OURS, ("unlinkat",))
    expect(daemon.ask("DELETE", "/v1/images/kid"), 500)
    away = folder.rename(daemon.state / "away")  # as if it had been unmounted
    for error in (errno.ENOENT, errno.ENOTDIR):
        arm(daemon, OURS, ("syscall",), error)
        wait_for("it is tried again", lambda: daemon.page.failed > 0)
        daemon.page.disarm()
    waits_for_the_child(daemon, kid, f", which waits for the folder of {path} (cannot open the folder of sub/{path.name}: "
                        "No such file or directory): bring it back, or make an empty one there")
    expect(daemon.ask("DELETE", "/v1/images/kid"), 204)
    away.rename(folder)
    wait_for("it is finished", lambda: said(daemon, "its deletion was interrupted, and is finished") == 1)
    same(list(folder.iterdir()), [], "the folder")
    expect(daemon.ask("DELETE", "/v1/images/base"), 204)


def what_the_start_cannot_finish_is_finished_while_it_runs(daemon):
    expect(create(daemon, "half"), 201)
    arm(daemon, OURS, ("unlinkat",))
    expect(daemon.ask("DELETE", "/v1/images/half"), 500)
    daemon.kill()
    daemon.start()
    same(len(pool(daemon)), 1, "the number of files")
    daemon.page.disarm()
    wait_for("the file is gone", lambda: pool(daemon) == [])


def adopt_anew(daemon):
    """Its file is looked at once more before it is removed, for it lies under a name that others may have used."""
    path = daemon.state / "images" / expect(create(daemon, "found"), 201).json["file"]
    expect(daemon.ask("DELETE", "/v1/images/found?keep_file=1"), 204)
    path = path.rename(path.with_name("found.vhd"))
    expect(daemon.ask("POST", "/v1/images", {"name": "found", "source": {"path": str(path)}}), 201)


def a_deletion_that_is_refused_has_not_begun(daemon):
    refused, begun, number, failed = 0, 0, 0, True
    while failed:
        adopt_anew(daemon)
        arm(daemon, OURS, ("pread64",), ZERO, number=number)  # as if the file had been cut
        answer, failed = daemon.ask("DELETE", "/v1/images/found"), daemon.page.failed
        daemon.page.disarm()
        there = daemon.ask("GET", "/v1/images/found").status
        same((answer.status, there), (answer.status, 200 if answer.status in (409, 422) else 404), f"{number}: {answer}, then")
        refused, begun, number = refused + (there == 200), begun + (answer.status == 500), number + 1
        if there == 404:
            wait_for("it is finished", lambda: daemon.ask("GET", "/readyz").status == 200 and said(daemon, "is finished") >= begun)
        for path in (daemon.state / "images").iterdir():
            expect(daemon.ask("DELETE", "/v1/images/found"), 204) if there == 200 else path.unlink()
    same((refused > 0, begun > 0), (True, True), f"refusals and failures of {number} deletions, that there are some")


# ---- an image whose sync has failed


def fail_sync(daemon, name, number=0):
    expect(daemon.ask("PUT", f"/v1/images/{name}/data?offset=0&flush=n", b"x" * 4096), 200)
    arm(daemon, OURS, ("fdatasync",), burst=1, number=number)
    expect(daemon.ask("POST", f"/v1/images/{name}/data?op=flush"), 500)
    daemon.page.disarm()


def state_of(daemon, name):
    row = expect(daemon.ask("GET", f"/v1/images/{name}"), 200).json
    return row["state"], row["health"]["problems"]


def refused_as_failed(daemon, way_out):
    problem = expect(daemon.ask("DELETE", "/v1/images/disk?keep_file=1"), 409).json
    detail = f"A sync of 'disk' failed, so its file may not hold what it seems to: recover it before it is forgotten{way_out}"
    same((problem["code"], problem["detail"]), ("image-failed", detail), "the refusal")
    same(problem["image"]["name"], "disk", "the image")


def a_failed_image_is_not_forgotten_before_it_is_recovered(daemon):
    """Whoever adopted its file next was told of writes as durable that only the page cache had."""
    for number in (0, 1):  # the second barrier: what it is for stays in the page cache
        row = expect(create(daemon, "disk"), 201).json
        fail_sync(daemon, "disk", number)
        refused_as_failed(daemon, ", or delete it with its file")
        same(state_of(daemon, "disk"), ("failed", ["failed"]), "the state")
        expect(daemon.ask("POST", "/v1/images/disk/actions/recover"), 200)
        usage = expect(daemon.ask("GET", "/v1/images/disk"), 200).json["usage"]
        same(usage["file"], (daemon.state / "images" / row["file"]).stat().st_size, "the length that is told")
        expect(daemon.ask("DELETE", "/v1/images/disk?keep_file=1"), 204)
        link = {"path": str(daemon.state / "images" / row["file"]), "mode": "link"}
        expect(daemon.ask("POST", "/v1/images", {"name": "disk", "source": link}), 201)
        fail_sync(daemon, "disk")
        for path in ("/v1/images/disk", "/v1/images/disk?keep_file=1"):  # it is never removed
            same(expect(daemon.ask("DELETE", path), 409).json["code"], "image-failed", "the code")
        refused_as_failed(daemon, "")
        expect(daemon.ask("POST", "/v1/images/disk/actions/recover"), 200)
        expect(daemon.ask("DELETE", "/v1/images/disk"), 204)
        (daemon.state / "images" / row["file"]).unlink()
    expect(create(daemon, "disk"), 201)
    fail_sync(daemon, "disk")
    expect(daemon.ask("DELETE", "/v1/images/disk"), 204)
    same(pool(daemon), [], "the pool")


def a_recovery_that_fails_leaves_the_image_failed(daemon):
    for mend in (("GET", "/v1/images/disk/data"), ("POST", "/v1/images/disk/actions/recover")):
        expect(create(daemon, "disk"), 201)
        fail_sync(daemon, "disk")
        arm(daemon, OURS, ("fdatasync",))
        for _ in range(2):
            same(expect(daemon.ask("POST", "/v1/images/disk/actions/recover"), 500).json["code"], "io-error", "the code")
            same(state_of(daemon, "disk"), ("failed", ["failed"]), "the state")
        listed = expect(daemon.ask("GET", "/v1/images"), 200)
        same([row["state"] for row in listed.json["items"]], ["failed"], "the states of the list")
        daemon.page.disarm()
        expect(daemon.ask(*mend), 200)
        same(state_of(daemon, "disk"), ("ready", []), "the state")
        expect(daemon.ask("GET", "/v1/images", headers={"If-None-Match": listed.headers["etag"]}), 200)
        expect(daemon.ask("DELETE", "/v1/images/disk"), 204)
        same(pool(daemon), [], "the pool")


def a_file_that_cannot_be_repaired_now_is_not_forgotten_unrepaired(daemon):
    expect(create(daemon, "disk"), 201)
    expect(daemon.ask("PUT", "/v1/images/disk/data?offset=0&flush=n", b"x" * 4096), 200)
    daemon.kill()
    daemon.start()
    for error, status, code in ((errno.EIO, 500, "io-error"), (errno.ENOSPC, 507, "no-space")):
        arm(daemon, OURS, ("fdatasync",), error)
        same(expect(daemon.ask("DELETE", "/v1/images/disk?keep_file=1"), status).json["code"], code, "the code")
        daemon.page.disarm()
        same(state_of(daemon, "disk")[0], "ready", "the state")
    expect(daemon.ask("DELETE", "/v1/images/disk?keep_file=1"), 204)
    same(len(pool(daemon)), 1, "the number of files")


def a_failed_image_is_not_forgotten_where_nobody_can_write(daemon):
    """One that only a crash has left may be."""
    row = expect(create(daemon, "disk"), 201).json
    fail_sync(daemon, "disk")
    arm(daemon, OURS, ("fdatasync",))
    expect(daemon.ask("POST", "/v1/images/disk/actions/recover"), 500)
    for status, opens in ((503, FOR_EVER), (204, 1)):  # what a crash has left is looked at before it is forgotten
        arm(daemon, OURS, ("openat64", "syscall"), errno.EROFS, opens)
        answer = expect(daemon.ask("DELETE", "/v1/images/disk?keep_file=1"), status)
        daemon.page.disarm()
        if status == 503:
            same(answer.json["code"], "pool-offline", "the code")
            same(state_of(daemon, "disk"), ("failed", ["failed"]), "the state")
            expect(daemon.ask("POST", "/v1/images/disk/actions/recover"), 200)
            expect(daemon.ask("PUT", "/v1/images/disk/data?offset=0&flush=n", b"x" * 4096), 200)
            daemon.kill()
            daemon.start()
    same(pool(daemon), [row["file"]], "the pool")


def a_file_that_cannot_be_read_now_is_not_forgotten(daemon):
    """Nobody knows what is in it: neither that it is lost, nor that it needs no repair."""
    for failed in (False, True):
        row = expect(create(daemon, "disk"), 201).json
        if failed:
            fail_sync(daemon, "disk")
        else:
            expect(daemon.ask("PUT", "/v1/images/disk/data?offset=0&flush=n", b"x" * 4096), 200)
            daemon.kill()
            daemon.start()
        arm(daemon, OURS, ("pread64",))
        if failed:
            expect(daemon.ask("POST", "/v1/images/disk/actions/recover"), 409)
        same(expect(daemon.ask("DELETE", "/v1/images/disk?keep_file=1"), 500).json["code"], "io-error", "the code")
        same(state_of(daemon, "disk"), ("corrupt", ["corrupt"]), "the state")
        daemon.page.disarm()
        expect(daemon.ask("DELETE", "/v1/images/disk?keep_file=1"), 204)
        source = {"path": str(daemon.state / "images" / row["file"])}
        expect(daemon.ask("POST", "/v1/images", {"name": "disk", "source": source}), 201)
        expect(daemon.ask("DELETE", "/v1/images/disk"), 204)


def kept(daemon, code, detail, correction=None):
    """The file may hold the image, or what only the page cache has: it is not forgotten."""
    problem = expect(daemon.ask("DELETE", "/v1/images/disk?keep_file=1"), 409).json
    same((problem["code"], problem["detail"]), (code, detail), "the refusal")
    same(correction in (None, problem["correction"]), True, f"{problem['correction']!r}, that it is the correction")


MEND = (
    "It is the image's own file, 'file' of GET /v1/images/disk, and may hold all that it should: let the daemon read and "
    "write it, and remove its other names, as 'detail' says, then POST /v1/images/disk/actions/recover"
)


def left_by(daemon, how):
    """An image whose sync has failed, as the daemon knows, or only the row says; or that a crash has left. And its file."""
    path = daemon.state / "images" / expect(create(daemon, "disk"), 201).json["file"]
    if how == "crashed":
        expect(daemon.ask("PUT", "/v1/images/disk/data?offset=0&flush=n", b"x" * 4096), 200)
        daemon.kill()
        daemon.start()
        return path
    fail_sync(daemon, "disk")
    if how == "restarted":
        daemon.stop()
        daemon.start()
    return path


def forgotten_at_last(daemon):
    expect(daemon.ask("POST", "/v1/images/disk/actions/recover"), 200)
    expect(daemon.ask("DELETE", "/v1/images/disk?keep_file=1"), 204)


def an_image_is_not_forgotten_while_its_file_has_another_name(daemon):
    for how in ("failed", "restarted", "crashed"):
        path = left_by(daemon, how)
        other = daemon.state / "backup.vhd"
        other.hardlink_to(path)
        found = f"hard-link: 'disk': default/{path.name} has 2 names"
        problem = expect(daemon.ask("POST", "/v1/images/disk/actions/recover"), 409).json
        same((problem["detail"], problem["correction"]), (found, MEND), "what recovery says")
        kept(daemon, "chain-unhealthy", found, MEND)
        other.unlink()
        forgotten_at_last(daemon)
        path.unlink()


def believes_only_the_disk(daemon, source):
    for call in ("fdatasync", "posix_fadvise64"):
        arm(daemon, OURS, (call,))
        answer = expect(daemon.ask("POST", "/v1/images", {"name": "disk", "source": source}), 500)
        same((answer.json["code"], daemon.page.failed > 0), ("io-error", True), "the code")
        daemon.page.disarm()
    expect(daemon.ask("POST", "/v1/images", {"name": "disk", "source": source}), 201)


def failed_in_a_folder(daemon, mode):
    folder = daemon.state / "images" / "disk"
    path = daemon.state / "images" / expect(create(daemon, "disk"), 201).json["file"]
    expect(daemon.ask("DELETE", "/v1/images/disk?keep_file=1"), 204)
    folder.mkdir()
    path = path.rename(folder / "disk.vhd")
    source = {"path": str(path), "mode": mode}
    expect(daemon.ask("POST", "/v1/images", {"name": "disk", "source": source}), 201)
    fail_sync(daemon, "disk")
    return folder, source


def a_failed_image_is_forgotten_when_recovery_finds_no_file(daemon):
    """Its file may come back: then whoever adopts it reads it anew."""
    for mode, step, answer in (
        ("adopt", "", (503, "pool-offline", "keep_file=1 forgets the image alone")),
        ("adopt", "?keep_file=1", (409, "image-failed", "recover it before it is forgotten, or delete it with its file")),
        ("link", "", (409, "image-failed", "recover it before it is forgotten")),
    ):
        folder, source = failed_in_a_folder(daemon, mode)
        away = folder.rename(daemon.state / "away")  # its disk has died
        problem = expect(daemon.ask("DELETE", f"/v1/images/disk{step}"), answer[0]).json
        same((problem["code"], answer[2] in problem["detail"]), (answer[1], True), problem["detail"])
        expect(daemon.ask("POST", "/v1/images/disk/actions/recover"), 409)
        problem = expect(daemon.ask("POST", "/v1/images/disk/actions/recover"), 409).json
        same(problem["detail"], f"missing-file: 'disk': {source['path']} is not there", "what recovery says")
        same(problem["correction"].endswith("DELETE /v1/images/disk?keep_file=1"), True, problem["correction"])
        expect(daemon.ask("DELETE", "/v1/images/disk?keep_file=1"), 204)
        away.rename(folder)
        believes_only_the_disk(daemon, source)
        expect(daemon.ask("DELETE", "/v1/images/disk"), 204)
        if mode == "link":
            (folder / "disk.vhd").unlink()
        folder.rmdir()


def a_failed_image_is_forgotten_when_recovery_finds_another_file(daemon):
    """What the file of the image is now is of no use to it; where that is, it is read anew."""
    path = left_by(daemon, "failed")
    aside = path.rename(path.with_name("aside.vhd"))
    path.write_bytes(b"another" * 999)
    detail = "A sync of 'disk' failed, so its file may not hold what it seems to: recover it before it is forgotten"
    kept(daemon, "image-failed", f"{detail}, or delete it with its file")
    expect(daemon.ask("POST", "/v1/images/disk/actions/recover"), 422)
    expect(daemon.ask("DELETE", "/v1/images/disk?keep_file=1"), 204)
    believes_only_the_disk(daemon, {"path": str(aside)})


def an_image_is_not_forgotten_while_nobody_may_read_its_file(daemon):
    for how in ("failed", "restarted", "crashed"):
        path = left_by(daemon, how)
        arm(daemon, OURS, ("openat64", "syscall"), errno.EACCES)
        if how == "failed":
            expect(daemon.ask("POST", "/v1/images/disk/actions/recover"), 409)
        found = f"unreadable: 'disk': default/{path.name} cannot open {path.name}: Permission denied"
        kept(daemon, "chain-unhealthy", found, MEND)
        daemon.page.disarm()
        forgotten_at_last(daemon)
        path.unlink()


def an_image_is_not_forgotten_while_another_program_writes_its_file(daemon):
    """Not even where it could not be repaired: nobody has read it anew."""
    uses_write = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 101, 1, 0)  # as QEMU does
    for how in ("restarted", "crashed"):
        path = left_by(daemon, how)
        with open(path, "r+b") as other:
            fcntl.fcntl(other, fcntl.F_OFD_SETLK, uses_write)
            arm(daemon, OURS, ("openat64", "syscall"), errno.EACCES, burst=1)  # for writing
            kept(daemon, "image-busy", "another program has this image open for writing")
            daemon.page.disarm()
        forgotten_at_last(daemon)
        path.unlink()


def an_adoption_believes_only_what_is_on_the_disk(daemon):
    row = expect(create(daemon, "disk"), 201).json
    expect(daemon.ask("DELETE", "/v1/images/disk?keep_file=1"), 204)
    believes_only_the_disk(daemon, {"path": str(daemon.state / "images" / row["file"])})


# ---- a file with its first name


def an_image_whose_first_name_stays_is_served_and_settled(daemon):
    arm(daemon, OURS, ("unlinkat",))
    row = expect(create(daemon, "two"), 201).json
    same(len(pool(daemon)), 2, "the number of names")
    # Few images may be open: this one is closed by the next.
    expect(daemon.ask("PUT", "/v1/images/two/data?offset=0", b"x" * 4096), 200)
    for number in range(10):
        expect(create(daemon, f"other-{number}"), 201)
        expect(daemon.ask("PUT", f"/v1/images/other-{number}/data?offset=0", b"y"), 200)
    wait_for("it is closed", lambda: expect(daemon.ask("GET", "/v1/images/two/data"), 200).body[:1] == b"x")
    for _ in range(3):
        for number in range(10):
            expect(daemon.ask("GET", f"/v1/images/other-{number}/data", headers={"Range": "bytes=0-0"}), 206)
        same(expect(daemon.ask("GET", "/v1/images/two/data"), 200).body[:2], b"xx", "the content")
    same(daemon.ask("GET", "/v1/images/two").json["state"], "ready", "the state")
    daemon.page.disarm()
    wait_for("the first names are gone", lambda: not any(name.startswith(".new-") for name in pool(daemon)))
    same((daemon.state / "images" / row["file"]).stat().st_nlink, 1, "the number of names")


def a_second_name_by_somebody_else_is_still_refused(daemon):
    row = expect(create(daemon, "two"), 201).json
    path = daemon.state / "images" / row["file"]
    daemon.stop()
    os.link(path, daemon.work / "second")
    daemon.start()
    same(expect(daemon.ask("GET", "/v1/images/two/data"), 409).json["code"], "chain-unhealthy", "the code")


# ---- the catalog cannot be read


def a_catalog_that_cannot_be_read_is_no_damaged_one(daemon):
    for number in range(40):
        expect(create(daemon, f"image-{number}", labels={"text": "x" * 200}), 201)
    daemon.stop()
    for number in range(200):
        daemon.forget_log()
        arm(daemon, SQLITE, ("pread64", "read"), burst=FOR_EVER, number=number)
        daemon.launch()
        ready, failed = daemon.wait_ready(), daemon.page.failed
        daemon.page.disarm()
        if ready:
            daemon.stop()
        else:
            same(daemon.ended(), 70, f"the status when read {number} and all others fail ({daemon.log.read_text()[-400:]})")
            if said(daemon, "Input/output error") != 1:
                raise Failure(f"another reason is said: {daemon.log.read_text()}")
            same(said(daemon, "rebuild"), 0, "the number of advices to lose names")
        if not failed:
            same(ready, True, "ready")
            break
    else:
        raise Failure("there is always another read")
    catalog = daemon.state / "catalog.db"
    data = bytearray(catalog.read_bytes())
    data[8192:12288] = bytes(4096)
    catalog.write_bytes(data)
    daemon.launch()
    same(daemon.wait_ready(), False, "ready")
    same(daemon.ended(), 65, "the status with a lost page")
    same(said(daemon, "vhdd --rebuild-catalog makes a new one"), 1, "the number of advices")


# ---- the journal of the catalog, which is opened for the first change


def a_journal_that_could_not_be_opened_is_opened_for_the_next_change(daemon):
    without_backup(daemon.state)
    expect(create(daemon, "one"), 201)
    # The first file that SQLite opens is one of random numbers.
    for parts, calls, number in ((SQLITE, ("open64",), 1), (OURS, ("open64",), 0), (OURS, ("fsync",), 0)):
        daemon.stop()
        daemon.start()
        arm(daemon, parts, calls, burst=1, number=number)
        expect(daemon.ask("POST", "/v1/images/one/actions/freeze"), 500)
        same(daemon.page.failed, 1, f"the number of {calls} that failed")
        daemon.page.disarm()
        expect(daemon.ask("POST", "/v1/images/one/actions/freeze"), 200)
        expect(daemon.ask("POST", "/v1/images/one/actions/thaw"), 200)


def a_change_is_not_acknowledged_when_a_sync_of_it_failed(daemon):
    without_backup(daemon.state)
    expect(create(daemon, "one"), 201)
    for number in range(10):
        if daemon.alive():
            daemon.stop()
        (daemon.state / "catalog.db-journal").unlink(missing_ok=True)
        daemon.start()
        arm(daemon, OURS | SQLITE, ("fsync", "fdatasync"), burst=1, number=number)
        answer, failed = daemon.ask("POST", "/v1/images/one/actions/freeze"), daemon.page.failed
        daemon.page.disarm()
        if not failed:
            break
        same(answer.status in (500, 0), True, f"{answer} when sync {number} failed, that it is a failure")
        if answer.status == 0:  # on the disk or not: only a new start can tell
            same(daemon.ended(), UNCERTAIN, "the status")
    same(number > 2, True, f"{number} syncs, that they are some")
    expect(answer, 200)


# ---- rebuild


def rebuild_while(daemon, parts, calls, error):
    """Lets each of the calls fail; whatever the outcome, no name is lost without a word."""
    catalog = daemon.state / "catalog.db"
    before, refused = catalog.read_bytes(), 0
    for number in range(400):
        daemon.forget_log()
        arm(daemon, parts, calls, error, 1, number)
        status, failed = daemon.run("--rebuild-catalog"), daemon.page.failed
        daemon.page.disarm()
        what = f"call {number} of {calls}"
        if status != 0:
            refused += 1
            same(status in (1, UNCERTAIN), True, f"when {what} fails, that {status} is a status for it")
            if not any(said(daemon, word) for word in ("failed: ", "vhdd: ", '"error"')):
                raise Failure(f"no reason is said when {what} fails")
        # The old one, or a new one that was complete.
        if status == 0 or catalog.read_bytes() != before:
            daemon.start()
            names = {row["name"] for row in daemon.ask("GET", "/v1/images?limit=1000").json["items"]}
            same(names, {"base", "kid", "other"}, f"when {what} fails, the names")
            daemon.stop()
        for path in daemon.state.glob("catalog.db*"):
            path.unlink()
        catalog.write_bytes(before)
        if not failed:
            break
    same(refused > 0, True, "something was refused")


def prepare_rebuild(daemon):
    expect(create(daemon, "base"), 201)
    expect(child(daemon, "kid", "base"), 201)
    expect(create(daemon, "other", kind="fixed"), 201)
    daemon.stop()


def a_rebuild_that_cannot_open_a_file_keeps_the_catalog(daemon):
    prepare_rebuild(daemon)
    rebuild_while(daemon, OURS, ("open64", "openat64", "syscall", "fstat64", "fstatat64"), errno.EMFILE)


def a_rebuild_that_cannot_read_a_file_keeps_the_catalog(daemon):
    prepare_rebuild(daemon)
    rebuild_while(daemon, OURS, ("pread64", "preadv64v2", "fcntl64", "readdir64"), errno.EIO)


def a_rebuild_without_memory_keeps_the_catalog(daemon):
    prepare_rebuild(daemon)
    rebuild_while(daemon, OURS, ("malloc", "calloc", "realloc", "reallocarray", "strdup"), errno.ENOMEM)


def a_rebuild_that_cannot_read_the_old_catalog_keeps_it(daemon):
    prepare_rebuild(daemon)
    rebuild_while(daemon, SQLITE, ("open64", "pread64", "read"), errno.EIO)


# ---- a clock that jumps back


def dates(daemon, name):
    row = expect(daemon.ask("GET", f"/v1/images/{name}"), 200).json
    return row["updated_at"], row["version"] if "version" in row else 0


def changes_after_the_clock_jumped_back_are_not_older(daemon):
    expect(create(daemon, "base"), 201)
    expect(create(daemon, "other"), 201)
    etags = {name: [daemon.ask("GET", f"/v1/images/{name}").headers["etag"]] for name in ("base", "other")}
    latest = {name: dates(daemon, name)[0] for name in etags}

    def look(name):
        answer = expect(daemon.ask("GET", f"/v1/images/{name}"), 200)
        if answer.json["updated_at"] < latest[name]:
            raise Failure(f"{name} was updated at {answer.json['updated_at']}, and at {latest[name]} before")
        if answer.headers["etag"] in etags[name]:
            raise Failure(f"the ETag {answer.headers['etag']} of {name} comes back")
        latest[name] = answer.json["updated_at"]
        etags[name].append(answer.headers["etag"])

    daemon.page.shift_clock(-DAY)
    for text in ("one", "two"):
        expect(daemon.ask("PATCH", "/v1/images/base", {"description": text}), 200)
        look("base")
    expect(child(daemon, "kid", "base"), 201)
    look("base")
    expect(daemon.ask("POST", "/v1/images/other/actions/freeze"), 200)
    look("other")
    expect(daemon.ask("DELETE", "/v1/images/kid"), 204)
    look("base")
    daemon.stop()
    daemon.start()
    expect(daemon.ask("PATCH", "/v1/images/base", {"description": "three"}), 200)
    look("base")
    expect(child(daemon, "kid", "base"), 201)
    look("base")
    daemon.page.shift_clock(0)


def a_content_that_changed_has_another_date_whatever_the_clock_says(daemon):
    """A cache that asks by the date was told that the old content is still there."""
    frozen = ("POST", "/v1/images/dated/actions/freeze"), ("POST", "/v1/images/dated/actions/thaw")
    parent = ("POST", "/v1/images", {"name": "kid", "parent": "dated"}), ("DELETE", "/v1/images/kid")
    expect(create(daemon, "dated"), 201)
    dates = []
    for text, (begin, end) in ((b"AAAA", frozen), (b"BBBB", parent), (b"CCCC", frozen)):
        expect(daemon.ask("PUT", "/v1/images/dated/data?offset=0", text), 200)
        expect(daemon.ask(*begin), 201 if begin is parent[0] else 200)
        daemon.page.shift_clock(DAY)  # the date is told when its second is over
        answer = daemon.ask("GET", "/v1/images/dated/data", headers={"Range": "bytes=0-3"})
        dates.append(expect(answer, 206).headers["last-modified"])
        daemon.page.shift_clock(0)
        expect(daemon.ask(*end), 204 if end is parent[1] else 200)
    if len(set(dates)) != len(dates):
        raise Failure(f"contents have the dates {dates}")


def a_new_image_of_an_old_id_has_new_etags_whatever_the_clock_says(daemon):
    more = {"uuid": "11111111-2222-4333-8444-555555555555"}
    seen = set()
    for shift in (0, -DAY, -2 * DAY):
        daemon.page.shift_clock(shift)
        answer = expect(create(daemon, "again", **more), 201)
        for _ in range(2):
            row = daemon.ask("GET", "/v1/images/again")
            data = daemon.ask("HEAD", "/v1/images/again/data")
            both = {row.headers["etag"], data.headers["etag"]}
            if seen & both:
                raise Failure(f"{seen & both} come back; {answer}")
            expect(daemon.ask("PATCH", "/v1/images/again", {"description": str(_)}), 200)
            expect(daemon.ask("PUT", "/v1/images/again/data?offset=0", b"z"), 200)
            seen |= both
        expect(daemon.ask("DELETE", "/v1/images/again"), 204)
    daemon.page.shift_clock(0)


# ---- the library that serves stops while an answer is given to it


def ask_on(peer):
    """The answer on a connection that is open, for a daemon that stops takes no other."""
    peer.sendall(b"GET /v1/images/disk HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return peer.recv(1 << 16)


def status_on(peer):
    return ask_on(peer)[9:12]


def an_answer_that_nobody_takes_while_it_stops_ends_its_connection(daemon):
    expect(create(daemon, "disk"), 201)
    path = str(daemon.socket)
    with connection(path, 60) as under_way, connection(path, 60) as late, connection(path, 60) as asking:
        for peer in (under_way, late, asking):
            peer.connect(path)
        under_way.sendall(b"PUT /v1/images/disk/data HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        same(under_way.recv(1 << 16)[9:12], b"100", "the status when the body may come")
        same(status_on(late), b"200", "the status before the stop")
        daemon.process.terminate()
        wait_for("it stops", lambda: b"\r\nConnection: close\r\n" in ask_on(asking))
        arm(daemon, OURS, ("MHD_queue_response",))
        late.sendall(b"PUT /v1/images/disk/data HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nxy")
        same(late.recv(1 << 16), b"", "the answer while it stops")
        daemon.page.disarm()
        under_way.sendall(b"xy")
        same(under_way.recv(1 << 16)[:12], b"HTTP/1.1 200", "the answer to what was under way")
    same(daemon.ended(), 0, "the status at the end")


def an_upload_whose_connection_is_not_polled_any_more_has_ended(daemon):
    """The library takes a connection that waits for a worker out of epoll, and puts it back later."""
    expect(create(daemon, "disk", size=64 << 20), 201)
    path = str(daemon.socket)
    with connection(path, 60) as peer:
        peer.connect(path)
        same(status_on(peer), b"200", "the status on a connection that is polled")
        arm(daemon, OTHERS, ("epoll_ctl",), errno.ENOMEM)
        peer.sendall(b"PUT /v1/images/disk/data HTTP/1.1\r\nHost: localhost\r\nContent-Length: 67108864\r\n\r\n")
        try:
            peer.sendall(bytes(8 << 20))
            same(peer.recv(1 << 16), b"", "the answer")
        except ConnectionError:
            pass  # it was closed before all had been sent
    same(daemon.page.failed > 0, True, "that it was not put back")
    daemon.page.disarm()
    wait_for("nobody has the image", lambda: daemon.ask("DELETE", "/v1/images/disk").status == 204, 10)


CASES = [value for name, value in list(globals().items())
         if callable(value) and value.__module__ == __name__ and name.startswith(("a_", "an_", "what_", "changes_"))]
CONFIG = "[limits]\nimages_open = 8\nworkers = 2\n[flush]\nms = 600000\n"


def run(case, program, library, work):
    work.mkdir()
    daemon = Daemon(program, library, work, CONFIG)
    try:
        daemon.start()
        case(daemon)
        if daemon.alive():
            same(daemon.stop(), 0, "the status at the end")
        daemon.check_log()
    except Exception as why:
        return str(why) if isinstance(why, Failure) else traceback.format_exc()
    finally:
        daemon.kill()
    return None


def main():
    program, library, *names = sys.argv[1:]
    failed = 0
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="vhdd-heals-", dir=shm) as folder:
        for number, case in enumerate(case for case in CASES if not names or case.__name__ in names):
            why = run(case, program, library, pathlib.Path(folder) / str(number))
            print(f"{'FAILED' if why else 'ok'}: {case.__name__.replace('_', ' ')}{': ' + why if why else ''}", flush=True)
            failed += why is not None
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
