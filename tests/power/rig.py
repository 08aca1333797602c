"""A file system on a disk that can be cut off, fail and stall: nbdkit, nbdfuse, a loop device and a mount.

All of it lives in namespaces of its own, so that whatever way the test ends, no process, mount or loop device is left.
"""

import os
import shutil
import subprocess
import sys
import time

TOOLS = ("nbdkit", "nbdfuse", "mount", "umount", "losetup", "mkfs.ext4", "mkfs.xfs", "unshare")
EXT4 = ("-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0")
# mkfs, its options, the size of the disk, and options of mount. An XFS of less than 300 MB cannot be made.
KINDS = {
    "ext4": ("mkfs.ext4", EXT4, 128 << 20, "noatime"),
    "ext4-writeback": ("mkfs.ext4", EXT4, 128 << 20, "noatime,data=writeback"),
    "xfs": ("mkfs.xfs", ("-q", "-f"), 320 << 20, "noatime,nouuid"),
}
APART = "VHDD_POWER_APART"
WAIT = 30


class Broken(Exception):
    """The rig does not work; nothing is said about the daemon."""


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise Broken(f"{' '.join(map(str, command))}: {done.stdout.strip()}")


def lacking(plugin):
    """Why the test cannot run here, or None."""
    if os.geteuid() != 0:
        return "it needs root"
    if not os.path.exists(plugin):
        return "nbdkit-plugin-dev was not there when this was built"
    for tool in TOOLS:
        if not shutil.which(tool):
            return f"{tool} is not installed"
    for device in ("/dev/fuse", "/dev/loop-control"):
        if not os.path.exists(device):
            return f"there is no {device}"
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "--mount-proc", "true"], check=False).returncode:
        return "no namespaces"
    return None


def enter(plugin):
    """Goes on in namespaces of its own, or ends with 77. What is left in them ends with this process."""
    if os.environ.get(APART):
        return
    reason = lacking(plugin)
    if reason:
        print(f"skipped: {reason}", flush=True)
        sys.exit(77)
    os.environ[APART] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                          "--propagation", "private", sys.executable, *sys.argv])


def until(what, condition, going=lambda: True):
    deadline = time.monotonic() + WAIT
    while not condition():
        if not going() or time.monotonic() > deadline:
            raise Broken(f"{what}: {'not within ' + str(WAIT) + ' s' if going() else 'it has ended'}")
        time.sleep(0.01)


class Disk:
    """`before` is how it was when it was made; `disk` what it holds now; `log` all that came to it."""

    def __init__(self, folder, kind, plugin):
        self.kind, self.plugin = kind, plugin
        self.tool, self.options, self.size, self.flags = KINDS[kind]
        self.folder = folder
        self.file, self.before, self.log = (os.path.join(folder, name) for name in ("disk", "before", "log"))
        self.ill, self.stalled = os.path.join(folder, "ill"), os.path.join(folder, "stalled")
        self.top, self.fuse = os.path.join(folder, "mnt"), os.path.join(folder, "fuse")
        self.processes = []
        for path in (folder, self.top, self.fuse):
            os.makedirs(path)
        with open(self.file, "wb") as file:
            file.truncate(self.size)
        run(self.tool, *self.options, self.file)
        copy(self.file, self.before)

    def start(self, *flags, error="EIO"):
        """Serves and mounts it. `ill`: while that file is there, writes fail with this error."""
        socket = os.path.join(self.folder, "nbd")
        self.spawn("nbdkit", "--foreground", "--unix", socket, "--filter=error", self.plugin,
                   f"disk={self.file}", f"log={self.log}", f"stall={self.stalled}",
                   f"error-pwrite={error}", "error-pwrite-rate=100%", f"error-pwrite-file={self.ill}")
        self.appears(socket)
        self.spawn("nbdfuse", os.path.join(self.fuse, "disk"), f"nbd+unix:///?socket={socket}")
        self.appears(os.path.join(self.fuse, "disk"))
        self.mount(os.path.join(self.fuse, "disk"), *flags)

    def appears(self, path):
        until(path, lambda: os.path.exists(path), lambda: self.processes[-1].poll() is None)

    def spawn(self, *command):
        with open(os.path.join(self.folder, command[0] + ".log"), "ab") as log:
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log))

    def mount(self, source, *flags):
        run("mount", "-o", ",".join(("loop", self.flags, *flags)), source, self.top)

    def unmount(self):
        run("umount", self.top)

    def stop(self):
        self.unmount()
        run("umount", self.fuse)
        for process in reversed(self.processes):
            process.terminate()
            process.wait(WAIT)
        self.processes = []

    def abandon(self):
        """Whatever state it is in, nothing of it is left."""
        for path in (self.ill, self.stalled):
            if os.path.exists(path):
                os.unlink(path)
        subprocess.run(["umount", "--lazy", "--quiet", self.top], check=False)
        for process in reversed(self.processes):
            process.kill()
            process.wait(WAIT)
        subprocess.run(["umount", "--lazy", "--quiet", self.fuse], check=False)
        shutil.rmtree(self.folder)

    def position(self):
        """How much has come to it: a place in the log."""
        return os.stat(self.log).st_size


def copy(source, target):
    run("cp", "--sparse=always", source, target)
