"""The machine that a run was made on, and how its CPUs are shared out in each mode."""
import dataclasses
import os
import platform
import re
from pathlib import Path


@dataclasses.dataclass
class Mode:
    """`others_cpus`: those of PostgreSQL and of the generators."""
    name: str
    cpus: set
    others_cpus: set
    workers: int
    connections: int
    memory_mib: int = 512
    note: str | None = None

    def values(self):
        """What a manifest's settings may name."""
        return {"cpus": len(self.cpus), "workers": self.workers, "connections": self.connections,
                "connections_per_worker": self.connections // self.workers}

    def as_json(self):
        return {**dataclasses.asdict(self), "cpus": sorted(self.cpus), "others_cpus": sorted(self.others_cpus)}


def modes(allowed=None):
    """The contract's two: 1 CPU and 30 connections, 4 CPUs and 40. The contender has its CPUs to itself where there are
    enough; else PostgreSQL and the generator work on them too, and the mode says so."""
    cpus = sorted(allowed or os.sched_getaffinity(0))
    one, four = cpus[:1], cpus[:4]
    notes = []
    if len(four) < 4:
        notes.append(f"the contract's mode has 4 CPUs, this machine {len(cpus)}")
    rest = cpus[4:]
    if len(rest) < 2:
        rest = cpus
        notes.append("PostgreSQL and the load generator share the contender's CPUs")
    single_note = None if len(cpus) > 1 else "PostgreSQL and the load generator share the contender's CPU"
    return {"single": Mode("single", set(one), set(cpus[1:] or cpus), 1, 30, note=single_note),
            "multi": Mode("multi", set(four), set(rest), len(four), 40, note="; ".join(notes) or None)}


class Clocks:
    """What the machine's CPUs did since it was made: each one's busy share, what a hypervisor took away (steal), and how fast they
    run now, where that can be read."""

    def __init__(self):
        self.before = self.times()

    @staticmethod
    def times():
        """By CPU: clock ticks in the order of proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal."""
        lines = re.findall(r"^cpu(\d+) (.+)$", Path("/proc/stat").read_text(), re.M)
        return {int(cpu): [int(ticks) for ticks in rest.split()[:8]] for cpu, rest in lines}

    def read(self):
        busy, stolen, every = {}, 0, 0
        for cpu, after in self.times().items():
            used = [b - a for a, b in zip(self.before.get(cpu, after), after)]
            busy[cpu] = round(1 - (used[3] + used[4]) / max(1, sum(used)), 3)
            stolen, every = stolen + used[7], every + sum(used)
        return {"cpus_busy": busy, "steal": round(stolen / max(1, every), 4), "mhz": megahertz()}


def megahertz():
    """The mean over the CPUs; None where the kernel does not say it."""
    files = list(Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))
    if files:
        return round(sum(int(file.read_text()) for file in files) / len(files) / 1000)
    found = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", Path("/proc/cpuinfo").read_text(), re.M)
    return round(sum(map(float, found)) / len(found)) if found else None


def describe():
    cpuinfo, meminfo = Path("/proc/cpuinfo").read_text(), Path("/proc/meminfo").read_text()
    model = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", cpuinfo, re.M)
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        system = platform.system()
    return {"cpu_model": model.group(1) if model else platform.machine(), "cpus": len(os.sched_getaffinity(0)),
            "memory_mib": int(re.search(r"^MemTotal:\s+(\d+)", meminfo, re.M).group(1)) // 1024, "kernel": platform.release(),
            "os": system, "virtualised": " hypervisor" in cpuinfo}
