"""One turn: a contender under one load, with what it cost it, PostgreSQL and the generator."""
import datetime
import threading
import time

from . import fairness, processes


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Watch:
    """Looks at PostgreSQL's connections once, in the middle of a load."""

    def __init__(self, database, name, after_s):
        self.seen = None
        self._thread = threading.Thread(target=self._look, args=(database, name, after_s), daemon=True)
        self._thread.start()

    def _look(self, database, name, after_s):
        time.sleep(after_s)
        self.seen = database.connections(name)

    def result(self):
        self._thread.join(30)
        return self.seen


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
    pids, mode = running.pids(), running.mode
    database.reset_statements()
    watch = Watch(database, running.contender.name, min(1.0, seconds / 2))
    throttled = processes.throttled_s(running.process.pid)
    switches = processes.context_switches(pids)
    started, begin = now(), time.monotonic()
    contender, postgresql = processes.cpu_s(pids), processes.cpu_s(database.pids())
    load = apply()
    elapsed = time.monotonic() - begin
    cpu_s = {"contender": processes.cpu_s(running.pids()) - contender,
             "postgresql": processes.cpu_s(database.pids()) - postgresql, "generator": load.cpu_s}
    after = processes.context_switches(running.pids())
    throttled_after = processes.throttled_s(running.process.pid)
    peak = processes.peak_memory_mib(running.pids())
    rules = [fairness.statements_under_load(running, database, load), fairness.connections(running, database, watch.result() or (0, 0)),
             fairness.affinity(running), fairness.throttling(running, throttled, throttled_after), fairness.memory(running, peak)]
    record = {
        "scenario": scenario, "mode": mode.name, "contender": running.contender.name, "repeat": repeat, "step": step, "variant": variant,
        "started": started, "seconds": round(load.seconds, 3), "generator": load.name, "loop": loop, "requests": load.requests,
        "rps": round(load.requests / load.seconds, 2), "latency_ms": load.latency_ms, "distribution": load.distribution,
        "errors": load.errors, "cpu_s": {name: round(value, 6) for name, value in cpu_s.items()},
        "cpu_budget": {"contender": len(mode.cpus), "others": len(mode.others_cpus)}, "rss_peak_mib": round(peak, 2),
        "context_switches": {kind: after[kind] - switches[kind] for kind in after},
        "throttled_s": round((throttled_after or 0) - (throttled or 0), 3), "limit": limit(mode, cpu_s, elapsed), "void": None, "fault": None}
    if record["limit"] == "generator":
        record["void"] = "the load generator was the bottleneck"
    return record, rules
