"""One turn: a contender under one load, with what it cost it, PostgreSQL and the generator."""
import datetime
import time

from . import processes
from .watch import Watch


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def limit(mode, cpu_s, seconds):
    """Who was at the end of its CPUs (90 % of them): the contender, or the greater of those that share with it or beside it."""
    full = 0.9 * seconds
    if cpu_s["contender"] >= full * len(mode.cpus):
        return "contender"
    others = {name: cpu_s[name] for name in ("postgresql", "generator")}
    if mode.cpus & mode.others_cpus:
        busy, room = cpu_s, len(mode.cpus | mode.others_cpus)
    else:
        busy, room = others, len(mode.others_cpus)
    return max(busy, key=busy.get) if sum(busy.values()) >= full * room else "none"


def measure(running, database, apply, *, scenario, repeat, loop, seconds, step=None, variant=None):
    """Applies the load (a function that returns generators.Load) and returns the turn's record and the rules it was checked by."""
    mode = running.mode
    database.reset_statements()
    watch = Watch(running, database)
    switches = processes.context_switches(running.pids())
    started, begin = now(), time.monotonic()
    contender, postgresql = running.cpu_s(), processes.cpu_s(database.pids())
    load = apply()
    elapsed = time.monotonic() - begin
    cpu_s = {"contender": running.cpu_s() - contender,
             "postgresql": processes.cpu_s(database.pids()) - postgresql, "generator": load.cpu_s}
    after = processes.context_switches(running.pids())
    rules = watch.end(load)
    own = load.requests / max(1, load.requests + watch.answers.asked)  # what the watch asked for cost the same, and is no figure
    record = {
        "scenario": scenario, "mode": mode.name, "contender": running.contender.name, "repeat": repeat, "step": step, "variant": variant,
        "started": started, "seconds": round(load.seconds, 3), "generator": load.name, "loop": loop, "requests": load.requests,
        "rps": round(load.requests / load.seconds, 2), "latency_ms": load.latency_ms, "distribution": load.distribution,
        "errors": load.errors, "cpu_s": {name: round(value * (1 if name == "generator" else own), 6) for name, value in cpu_s.items()},
        "cpu_budget": {"contender": len(mode.cpus), "others": len(mode.others_cpus)}, "rss_peak_mib": round(watch.peak_mib, 2),
        "context_switches": {kind: after[kind] - switches[kind] for kind in after},
        "compared": watch.answers.compared, "limit": limit(mode, cpu_s, elapsed), "void": None, "fault": None}
    if record["limit"] == "generator":
        record["void"] = "the load generator was the bottleneck"
    return record, rules
