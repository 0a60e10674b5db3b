"""What /proc says of a process and its descendants: CPU seconds, peak memory, context switches, affinity, throttling."""
import os
import re
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
CGROUPS = Path("/sys/fs/cgroup")


def tree(pid):
    """The process and all its descendants."""
    found, todo = [], [pid]
    while todo:
        parent = todo.pop()
        found.append(parent)
        for task in tasks(parent):
            try:
                todo += map(int, (task / "children").read_text().split())
            except OSError:
                pass
    return found


def tasks(pid):
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def cpu_s(pids):
    """CPU seconds of the processes, all threads, and of children that have ended and were waited for."""
    total = 0.0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += (int(fields[13]) + int(fields[14])) / TICK
            for task in tasks(pid):
                total += task_cpu_s(task)
        except OSError:
            pass
    return total


def task_cpu_s(task):
    """Nanoseconds where the kernel counts them (schedstat), else clock ticks."""
    try:
        return int((task / "schedstat").read_text().split()[0]) / 1e9
    except OSError:
        fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK


def status_numbers(path, names):
    text = path.read_text()
    return [int(match.group(1)) if (match := re.search(rf"^{name}:\s+(\d+)", text, re.M)) else 0 for name in names]


def peak_memory_mib(pids):
    """The sum of each process's peak (VmHWM): pages that processes share are counted in each."""
    total = 0
    for pid in pids:
        try:
            total += status_numbers(Path(f"/proc/{pid}/status"), ["VmHWM"])[0]
        except OSError:
            pass
    return total / 1024


def context_switches(pids):
    voluntary = involuntary = 0
    for pid in pids:
        for task in tasks(pid):
            try:
                switches = status_numbers(task / "status", ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"])
            except OSError:
                continue
            voluntary, involuntary = voluntary + switches[0], involuntary + switches[1]
    return {"voluntary": voluntary, "involuntary": involuntary}


def affinity(pids):
    """Every CPU that one of the threads may run on."""
    cpus = set()
    for pid in pids:
        for task in tasks(pid):
            try:
                cpus |= os.sched_getaffinity(int(task.name))
            except OSError:
                pass
    return cpus


def throttled_s(pid):
    """Seconds that the CPU quota of its cgroup, or of one above, has held it back; None where nothing can be read."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return None
    found = None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mounts, field, unit = [CGROUPS, CGROUPS / "unified"], "throttled_usec", 1e6
        elif "cpu" in controllers.split(","):
            mounts, field, unit = [CGROUPS / "cpu", CGROUPS / "cpu,cpuacct"], "throttled_time", 1e9
        else:
            continue
        for mount in mounts:
            group = mount / path.lstrip("/")
            while group == mount or mount in group.parents:
                try:
                    text = (group / "cpu.stat").read_text()
                except OSError:
                    text = ""
                if match := re.search(rf"^{field} (\d+)", text, re.M):
                    found = (found or 0.0) + int(match.group(1)) / unit
                group = group.parent
    return found


def holds_io_uring(pids):
    for pid in pids:
        try:
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                if os.readlink(descriptor) == "anon_inode:[io_uring]":
                    return True
        except OSError:
            pass
    return False
