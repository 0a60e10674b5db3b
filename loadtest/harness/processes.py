"""What /proc and the kernel's clocks say of a process and its descendants: CPU seconds, peak memory, context switches, affinity,
throttling. What ended meanwhile is left out; a counter that is there and can't be read is Unreadable: its figure would be a guess."""
import ctypes
import os
import re
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
CGROUPS = Path("/sys/fs/cgroup")
GONE = (FileNotFoundError, ProcessLookupError)  # as /proc says it, when a path is opened and when it is read
libc = ctypes.CDLL(None)


class Unreadable(Exception):
    """Names the counter and why."""


def tree(pid):
    """The process and all its descendants."""
    if not Path("/proc/thread-self/children").exists():
        raise Unreadable("descendants: this kernel has no /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN)")
    found, todo = [], [pid]
    while todo:
        parent = todo.pop()
        found.append(parent)
        for task in tasks(parent):
            try:
                todo += map(int, (task / "children").read_text().split())
            except GONE:
                pass
    return found


def tasks(pid):
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def each(pids, counter, read):
    """What `read` makes of each process, without those that have ended; one at least must be there."""
    found = []
    for pid in pids:
        try:
            found.append(read(pid))
        except GONE:
            pass
        except (OSError, ValueError, IndexError) as error:
            raise Unreadable(f"{counter} of process {pid}: {error}") from None
    if not found:
        raise Unreadable(f"{counter}: no process is left")
    return found


def cpu_s(pids):
    """CPU seconds of the processes, with threads that have ended, and of children that have ended and were waited for."""
    return sum(each(pids, "CPU time", lambda pid: clock_s(pid) + waited_for_s(pid)))


def clock_s(pid):
    """By the process's CPU clock, in nanoseconds (clock_getcpuclockid(3)): /proc/PID/task has only the threads that are there."""
    clock = ctypes.c_int()
    if error := libc.clock_getcpuclockid(pid, ctypes.byref(clock)):
        raise OSError(error, os.strerror(error))
    try:
        return time.clock_gettime(clock.value)
    except OSError:
        os.stat(f"/proc/{pid}")  # EINVAL also says that it ended
        raise


def waited_for_s(pid):
    """In clock ticks: cutime and cstime of proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) / TICK


def peak_memory_mib(pids):
    """The sum of each process's peak (VmHWM): pages that processes share are counted in each."""
    def peak(pid):
        text = Path(f"/proc/{pid}/status").read_text()
        if re.search(r"^State:\s+[ZX]", text, re.M):
            return 0  # it has ended: no memory is its own
        if not (match := re.search(r"^VmHWM:\s+(\d+)", text, re.M)):
            raise ValueError("no VmHWM in its status")
        return int(match[1])

    return sum(each(pids, "peak memory", peak)) / 1024


def memory_mib(pids):
    """Now: pages that processes share are divided among them (Pss of proc_pid_smaps(5))."""
    def share(pid):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return int(match[1]) if (match := re.search(r"^Pss:\s+(\d+)", text, re.M)) else 0  # it is ending, and has none left

    return sum(each(pids, "memory", share)) / 1024


def threads_cpu_s(pids):
    """CPU seconds of each thread that is there, by its id (proc_pid_schedstat(5), in nanoseconds)."""
    found = {}
    for task in (task for pid in pids for task in tasks(pid)):
        try:
            found[task.name] = int((task / "schedstat").read_text().split()[0]) / 1e9
        except GONE:
            continue
        except (OSError, ValueError, IndexError) as error:
            raise Unreadable(f"CPU time of thread {task.name}: {error}") from None
    return found


def context_switches(pids):
    """Of the threads that are there."""
    voluntary = involuntary = 0
    for task in (task for pid in pids for task in tasks(pid)):
        try:
            text = (task / "status").read_text()
        except GONE:
            continue
        except OSError as error:
            raise Unreadable(f"context switches: {error}") from None
        found = dict(re.findall(r"^(voluntary|nonvoluntary)_ctxt_switches:\s+(\d+)", text, re.M))
        voluntary, involuntary = voluntary + int(found["voluntary"]), involuntary + int(found["nonvoluntary"])
    return {"voluntary": voluntary, "involuntary": involuntary}


def titles(pids):
    """What each calls itself (proc_pid_cmdline(5)), as bytes."""
    return each(pids, "title", lambda pid: Path(f"/proc/{pid}/cmdline").read_bytes())


def affinity(pids):
    """Every CPU that one of the threads may run on."""
    cpus = set()
    for pid in pids:
        for task in tasks(pid):
            try:
                cpus |= os.sched_getaffinity(int(task.name))
            except ProcessLookupError:
                pass
    return cpus


def throttled_s(pid):
    """Seconds that the CPU quota of its cgroup, or of one above, has held it back. A group whose cpu.stat has no such line has no
    quota: the root of version 2, and those without the cpu controller."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError as error:
        raise Unreadable(f"throttling: {error}") from None
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
                    match = re.search(rf"^{field} (\d+)", text, re.M)
                    found = (found or 0.0) + (int(match[1]) / unit if match else 0.0)
                except OSError:
                    pass  # a mount of another version
                group = group.parent
    if found is None:
        raise Unreadable("throttling: no cpu.stat of its cgroups can be read")
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
