"""A control group (version 2) for a contender, where the harness may make one: its CPU time then counts whoever has ended, and the
kernel keeps its memory under the limit. Where there is none, /proc and the watch of a turn have to do."""
import os
import re
import subprocess
import time
from pathlib import Path

from . import processes

# Moves itself, then becomes the command: it has never run elsewhere.
ENTER = 'echo $$ >"$0/cgroup.procs" && exec "$@"'


def own():
    """The harness's own group and those above it, up to the root that is mounted."""
    mount = next((m for m in (processes.CGROUPS, processes.CGROUPS / "unified") if (m / "cgroup.controllers").exists()), None)
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        if mount and line.startswith("0::"):
            group = mount / line[3:].lstrip("/")
            return [group, *[parent for parent in group.parents if parent == mount or mount in parent.parents]]
    return []


def make(name, memory_mib):
    """The nearest place that may have groups with a memory limit, else the nearest at all; None where nothing can be made."""
    with_memory = lambda parent: "memory" in read(parent / "cgroup.subtree_control").split()
    for parent in sorted(own(), key=lambda parent: not with_memory(parent)):
        group = Group(parent / name)
        try:
            group.path.mkdir(exist_ok=True)
            if with_memory(parent):
                group.limit(memory_mib)
            subprocess.run(["sh", "-c", ENTER, group.path, "true"], check=True, stderr=subprocess.DEVNULL)
            return group
        except (OSError, subprocess.CalledProcessError):
            group.remove()
    return None


def read(path):
    try:
        return path.read_text()
    except OSError:
        return ""


class Group:
    def __init__(self, path):
        self.path, self.limits_memory = path, False

    def limit(self, memory_mib):
        (self.path / "memory.max").write_text(f"{memory_mib}M")
        if (swap := self.path / "memory.swap.max").exists():
            swap.write_text("0")
        self.limits_memory = True

    def entering(self, command):
        return ["sh", "-c", ENTER, str(self.path), *command]

    def number(self, file, field=None):
        """Of a file with one number, or of its line that begins with `field`."""
        try:
            text = (self.path / file).read_text()
            return int(text if field is None else dict(line.split() for line in text.splitlines())[field])
        except (OSError, KeyError, ValueError) as error:
            raise processes.Unreadable(f"{self.path / file}: {error!r}") from None

    def pids(self):
        try:
            return [int(line) for line in (self.path / "cgroup.procs").read_text().split()]
        except OSError as error:
            raise processes.Unreadable(f"{self.path / 'cgroup.procs'}: {error}") from None

    def holds(self, pid):
        """Also a process that has ended."""
        try:
            return re.search(rf"^0::.*/{self.path.name}(/|$)", Path(f"/proc/{pid}/cgroup").read_text(), re.M) is not None
        except processes.GONE:
            return True

    def cpu_s(self):
        return self.number("cpu.stat", "usage_usec") / 1e6

    def killed(self):
        """Processes that the kernel ended for want of memory."""
        return self.number("memory.events", "oom_kill") if self.limits_memory else 0

    def remove(self, limit_s=5):
        """With whatever is left in it: what has left its parent and its session is still here."""
        end = time.monotonic() + limit_s
        while self.path.exists():
            try:
                self.path.rmdir()
            except OSError:
                if time.monotonic() > end:
                    return
                for pid in read(self.path / "cgroup.procs").split():
                    try:
                        os.kill(int(pid), 9)
                    except ProcessLookupError:
                        pass
                time.sleep(0.01)
