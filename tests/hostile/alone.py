#!/usr/bin/env python3
"""One daemon has the catalog, its descriptors are its own, and none is lost.

usage: alone.py VHDD
"""

import os
import pathlib
import socket
import sqlite3
import subprocess
import sys
import time
import uuid

import rig
import vhd

CLOEXEC = 0o2000000
ROUNDS = 40


def descriptors(pid):
    """{number: what it is open on}. One that has just been closed is none."""
    found = {}
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[int(entry.name)] = os.readlink(entry)
        except FileNotFoundError:
            pass
    return found


def inheritable(pid):
    """Those that another program would get; the first three are meant for that."""
    found = []
    for number, target in descriptors(pid).items():
        try:
            lines = pathlib.Path(f"/proc/{pid}/fdinfo/{number}").read_text().split("\n")
        except FileNotFoundError:
            continue
        flags = next(int(line.split()[1], 8) for line in lines if line.startswith("flags:"))
        if number > 2 and not flags & CLOEXEC:
            found.append(f"{number} -> {target}")
    return found


# ---- the catalog


def second(daemon, state, *options):
    """Another daemon on the same folder ends at once and says why."""
    listen = [] if options else ["--listen", f"unix:{daemon.work}/second"]
    done = subprocess.run(
        [daemon.program, "--state-dir", str(state), *listen, *options],
        capture_output=True, text=True, timeout=60, check=False,
    )
    words = done.stdout + done.stderr
    return (done.returncode == 0 or "another vhdd uses it" not in words) and f"{done.returncode}: {words}"


def sql(daemon, statement):
    """What another program hears that opens the catalog."""
    connection = sqlite3.connect(daemon.state / "catalog.db", timeout=0)
    try:
        connection.execute(statement).fetchall()
        return "nothing is in the way"
    except sqlite3.OperationalError as why:
        return str(why) != "database is locked" and str(why)
    finally:
        connection.close()


def catalog(rows, daemon):
    names = [name for name in descriptors(daemon.pid).values() if "catalog.db" in name]
    wanted = ["catalog.db", "catalog.db-journal"]
    rows.row("the catalog is open once", sorted(name.split("/")[-1] for name in names) != wanted and str(names))
    link = daemon.work / "link"
    link.symlink_to(daemon.state)
    rows.row("a second daemon", second(daemon, daemon.state))
    rows.row("a second daemon by a link", second(daemon, link))
    rows.row("a second daemon by another path", second(daemon, daemon.state / ".." / "state" / "."))
    rows.row("a rebuild beside it", second(daemon, daemon.state, "--rebuild-catalog"))
    for statement in ("SELECT * FROM image", "PRAGMA journal_mode=wal", "BEGIN IMMEDIATE", "DELETE FROM image"):
        rows.row(f"another program says {statement}", sql(daemon, statement))
    image = daemon.ask("GET", "/v1/images/one")
    rows.row("the first daemon has not noticed", image.status != 200 and str(image))
    open_to_all = [
        f"{path.name} {path.stat().st_mode & 0o777:o}" for path in [daemon.state, *daemon.state.rglob("*")]
        if path.stat().st_mode & 0o077 and not path.is_socket()
    ]
    rows.row("nobody else may read the state folder", open_to_all and str(open_to_all))


# ---- requests of all kinds


def cut(daemon, head, wait=False):
    """A client that goes in the middle."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(daemon.socket))
        peer.sendall(head)
        if wait:
            peer.recv(1)


def goes(daemon):
    put = b"PUT /v1/images/one/data HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
    cut(daemon, b"")
    cut(daemon, b"GET /v1/ima")
    cut(daemon, b"\0\1\2\r\n\r\n")
    cut(daemon, put)
    cut(daemon, put + bytes(300000))
    cut(daemon, b"POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
    cut(daemon, b"GET /v1/images/one/data HTTP/1.1\r\nHost: localhost\r\n\r\n", wait=True)


def asks(daemon, root):
    """Method, target, body and status of one round: what succeeds, and what fails at each of the floors."""
    yield "POST", "/v1/images", {"name": "new", "size": "1M"}, 201
    yield "POST", "/v1/images", {"name": "new", "size": "1M"}, 409
    yield "POST", "/v1/images/new/snapshots", {"name": "new-top"}, 201
    yield "PUT", "/v1/images/new-top/data?offset=0", b"x" * 4096, 200
    yield "PUT", "/v1/images/new-top/data?offset=8192&flush=n", b"y" * 4096, 200
    yield "PUT", "/v1/images/new/data", b"x" * 512, 409
    yield "GET", "/v1/images/new-top/data", b"", 200
    yield "GET", "/v1/images/new-top/sectors/0", b"", 200
    yield "GET", "/v1/images/new-top/extents", b"", 200
    yield "GET", "/v1/images/new-top/fields", b"", 200
    yield "GET", "/v1/images/new-top/layout", b"", 200
    yield "GET", "/v1/images/new-top/chain", b"", 200
    yield "GET", "/v1/images/broken/data", b"", 409
    yield "POST", "/v1/images/broken/snapshots", b"", 409
    yield "DELETE", "/v1/images/new", b"", 409
    yield "DELETE", "/v1/images/new-top", b"", 204
    yield "DELETE", "/v1/images/new", b"", 204
    yield "GET", "/v1/images/new/data", b"", 404
    yield "GET", "/v1/images", b"", 200
    yield "GET", "/v1/pools", b"", 200
    yield "POST", "/v1/images", b"{nonsense", 400
    yield "PUT", "/v1/images/one/data?offset=1048576", b"x" * 512, 416
    yield "POST", "/v1/images", {"source": {"path": str(root / "words.vhd")}}, 422
    yield "POST", "/v1/images", {"source": {"path": str(root / "child.vhd")}}, 409
    yield "POST", "/v1/images", {"source": {"path": str(root / "fifo")}}, 403
    yield "POST", "/v1/images", {"source": {"path": "/etc/shadow"}}, 403
    yield "POST", "/v1/images", {"name": "lent", "source": {"path": str(root / "good.vhd"), "mode": "link"}}, 201
    yield "GET", "/v1/images/lent/data", b"", 200
    yield "DELETE", "/v1/images/lent", b"", 204
    yield "PATCH", "/v1/images/one", {"description": "x"}, 200


def prepare(daemon, root):
    vhd.growing(root / "good.vhd", uuid.uuid4().bytes)
    ident = uuid.uuid4().bytes
    vhd.growing(root / "child.vhd", ident, parent=uuid.uuid4().bytes, locators=[vhd.mac("file://./no.vhd")])
    (root / "words.vhd").write_bytes(b"words" * 1000)
    os.mkfifo(root / "fifo")
    ident = daemon.ask("POST", "/v1/images", {"name": "broken", "size": "1M"}).json["id"]
    daemon.ask("POST", "/v1/images", {"name": "one", "size": "1M"})
    daemon.stop()
    os.truncate(daemon.state / "images" / f"{ident}.vhd", 100)
    daemon.start("--listen", "127.0.0.1:0")


def settled(daemon):
    """What is open once nobody asks any more: the counts of two looks in a row."""
    last = None
    for _ in range(200):
        now = sorted(target for target in descriptors(daemon.pid).values())
        if now == last and sum(target.startswith("socket:") for target in now) <= 2:
            return now
        last = now
        time.sleep(0.1)
    return last


def kinds(targets):
    """Without the numbers of inodes, which are others each time."""
    return sorted(target.split("[")[0] for target in targets)


def leaks(rows, daemon, root):
    sent, odd = 0, {}
    prepare(daemon, root)
    for number in range(ROUNDS):
        if number == 2:  # by now everything is open that stays so
            before = kinds(settled(daemon))
        for method, target, body, status in asks(daemon, root):
            answer = daemon.ask(method, target, body)
            sent += 1
            if answer.status != status:
                odd[f"{method} {target}"] = str(answer)
        goes(daemon)
        sent += 7
    rows.row("answers are what they should be", odd and str(odd))
    rows.row("no descriptor that another program gets", "; ".join(inheritable(daemon.pid)))
    after = kinds(settled(daemon))
    rows.row(f"no descriptor is lost in {sent} requests", after != before and f"before {before}, after {after}")
    rows.row("a thousand requests", sent < 1000 and f"only {sent}")
    print(f"figure: sec.requests ={sent}")


# ---- sockets that come from a service manager


def activated(rows, program, work):
    """They are inherited once, and not passed on."""
    path, state = work / "door", work / "state-2"
    script = 'export LISTEN_PID=$$ LISTEN_FDS=1; exec 3<&"$DOOR"; exec "$@"'
    with socket.socket(socket.AF_UNIX) as door, open(work / "log-2", "wb") as log:
        door.bind(str(path))
        door.listen()
        process = subprocess.Popen(
            ["/bin/bash", "-c", script, "-", program, "--state-dir", str(state)],
            pass_fds=[door.fileno()], env={**os.environ, "DOOR": str(door.fileno())}, stdout=log, stderr=log,
        )
        try:
            answer = rig.ask(path, "GET", "/readyz")
            others = [entry for entry in inheritable(process.pid) if not entry.startswith(f"{door.fileno()} ")]
        finally:
            process.terminate()
            process.wait(60)
    rows.row("a daemon on an inherited socket answers", answer.status != 200 and str(answer))
    rows.row("an inherited socket is not passed on", "; ".join(others))


def main(program):
    rows = rig.Rows()
    with rig.folder() as work:
        daemon = rig.Vhdd(program, work, f"[pool]\nroots = {work}/root\n")
        root = daemon.work / "root"
        root.mkdir()
        try:
            daemon.start("--listen", "127.0.0.1:0")
            leaks(rows, daemon, root)
            catalog(rows, daemon)
            daemon.stop()
            activated(rows, program, daemon.work)
        finally:
            daemon.kill()
    return rows.end(17)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
