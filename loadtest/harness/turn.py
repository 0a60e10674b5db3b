"""One turn: a contender under one load, with what it cost it, PostgreSQL and the generator, and who was at an end."""
import datetime
import time

from . import generators, machine, processes
from .watch import Watch

FULL = 0.9  # of a thread's or a CPU's time
CONTROL_S, CONTROL_P99_MS = 0.5, 2.0
CONTROL_RATE, CONTROL_MOST = 2000, 10_000  # the least of which half a second has a p99; the most that is no load by itself


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def limit(mode, busiest, contender, busy):
    """Who was at an end. By thread: of `busiest` each one's busiest, and a thread has one CPU at most. Then the contender, by its share
    of its CPUs, and the others' CPUs, by `busy`, each one's share."""
    if busiest["generator"] >= FULL:
        return "generator"
    if busiest["contender"] >= FULL or contender >= FULL:
        return "contender"
    if busiest["postgresql"] >= FULL:
        return "postgresql"
    if min(busy[cpu] for cpu in mode.others_cpus) >= FULL:
        return "shared CPUs" if mode.cpus & mode.others_cpus else "postgresql"
    return "none"


def control(running, targets, rate):
    """About the same rate, of what costs next to nothing and asks no database: what the machine adds by itself."""
    rate = min(max(rate, CONTROL_RATE), CONTROL_MOST)
    load = generators.open_loop(running.port, targets, running.mode.others_cpus, CONTROL_S, rate)
    return {"rate": rate, "p99_ms": load.latency_ms["p99"], "errors": sum(load.errors.values())}


class Meter:
    """What each has used since it was made."""

    def __init__(self, running, database):
        self.running, self.database = running, database
        self.begin, self.machine = time.monotonic(), machine.Clocks()
        self.switches = processes.context_switches(running.pids())
        self.threads = self.by_thread()
        self.contender_s, self.postgresql_s = running.cpu_s(), processes.cpu_s(database.pids())

    def by_thread(self):
        return {"contender": processes.threads_cpu_s(self.running.pids()), "postgresql": processes.threads_cpu_s(self.database.pids())}

    def read(self, load):
        elapsed = time.monotonic() - self.begin
        cpu_s = {"contender": self.running.cpu_s() - self.contender_s,
                 "postgresql": processes.cpu_s(self.database.pids()) - self.postgresql_s, "generator": load.cpu_s}
        busiest = {name: max((seconds - self.threads[name].get(thread, 0) for thread, seconds in threads.items()), default=0) / elapsed
                   for name, threads in self.by_thread().items()}
        busiest["generator"] = load.cpu_s / elapsed  # it has one thread
        switches = processes.context_switches(self.running.pids())
        return elapsed, cpu_s, busiest, {kind: switches[kind] - self.switches[kind] for kind in switches}, self.machine.read()


def measure(running, database, apply, *, scenario, repeat, loop, step=None, variant=None, controlled=None):
    """Applies the load (a function that returns generators.Load) and returns the turn's record and the rules it was checked by.
    `controlled`: what control() found just before."""
    mode = running.mode
    database.reset_statements()
    watch = Watch(running, database)
    started, meter = now(), Meter(running, database)
    load = apply()
    elapsed, cpu_s, busiest, switches, clocks = meter.read(load)
    rules = watch.end(load)
    own = load.requests / max(1, load.requests + watch.answers.asked)  # what the watch asked for cost the same, and is no figure
    record = {
        "scenario": scenario, "mode": mode.name, "contender": running.contender.name, "repeat": repeat, "step": step, "variant": variant,
        "started": started, "seconds": round(load.seconds, 3), "loop": loop, "requests": load.requests,
        "rps": round(load.requests / load.seconds, 2), "latency_ms": load.latency_ms, "late_ms": load.late_ms,
        "distribution": load.distribution, "windows": load.windows, "errors": load.errors,
        "cpu_s": {name: round(value * (1 if name == "generator" else own), 6) for name, value in cpu_s.items()},
        "busiest_thread": {name: round(share, 3) for name, share in busiest.items()}, **clocks,
        "cpu_budget": {"contender": len(mode.cpus), "others": len(mode.others_cpus)}, "memory_mib": round(watch.memory_mib, 2),
        "context_switches": switches, "compared": watch.answers.compared, "control": controlled,
        "limit": limit(mode, busiest, cpu_s["contender"] / elapsed / len(mode.cpus), clocks["cpus_busy"]), "void": None, "fault": None}
    if record["limit"] == "generator":
        record["void"] = "the load generator was the bottleneck"
    elif controlled and (controlled["errors"] or controlled["p99_ms"] > CONTROL_P99_MS):
        record["void"] = f"the control before it (/healthz) had a p99 of {controlled['p99_ms']:.1f} ms: the machine was busy otherwise"
    # As JSON has it: keys are text.
    record["cpus_busy"] = {str(cpu): share for cpu, share in record["cpus_busy"].items()}
    return record, rules
