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
