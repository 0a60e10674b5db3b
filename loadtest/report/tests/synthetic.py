"""A made-up run in the shape of a real one, to test the report with. Seeded; its figures mean nothing."""
import json
import math
import random

from loadtest.report.summary import summarize

OBJECTIVE = {"p99_ms": 10}

# name, label, requests/s on one CPU, its CPU (us/request), floor of latency (ms), heaviness of the tail, memory
CONTENDERS = [
    ("ringpost", "C++ (ringpost)", 26000, 31, 0.21, 1.0, 19),
    ("go-api", "Go (chi, pgx)", 15500, 57, 0.24, 1.6, 41),
    ("py-api", "Python (FastAPI, asyncpg)", 2900, 330, 0.71, 2.4, 88),
    ("rust-api", "Rust (axum, tokio-postgres)", 24900, 33, 0.19, 1.0, 12),
]
RULES = ["the same answers", "one statement a request, the same text", "rows per call", "connections in all",
         "the CPUs it may use", "not throttled", "the same memory limit", "no cache of results"]
PERCENTILES = [0, *range(5, 90, 5), *range(90, 99), 99, 99.25, 99.5, 99.75, 99.9, 99.95, 99.99, 100]


def tail(percentile, floor, heavy, load):
    """A latency that grows with how near `load` (0 to 1) is to what the contender can do."""
    rank = min(percentile / 100, 0.99999)
    queue = 1 / max(0.04, 1 - load)
    return floor * (1 + 0.12 * queue * heavy * (-math.log(1 - rank)) ** 1.35)


class Maker:
    def __init__(self, seed=7, repeats=6):
        self.rng, self.repeats, self.turns = random.Random(seed), repeats, []

    def turn(self, scenario, mode, contender, repeat, rate, loop, *, step=None, variant=None, seconds=5.0, fault=None,
             void=None, cpu=None):
        name, _, peak, own, floor, heavy, rss = contender
        peak *= 1 if mode == "single" else 1.35
        noise = self.rng.gauss(1, 0.025)
        rps = rate * noise if loop == "closed" else min(rate, peak)
        requests = int(rps * seconds)
        load = min(1.0, rps / peak)
        jitter = self.rng.gauss(1, 0.06)
        spread = [(p, round(tail(p, floor, heavy, load) * jitter, 4)) for p in PERCENTILES]
        at = dict(spread)
        errors = {"status 503": fault["errors"]} if fault and fault["errors"] else {}
        if loop == "open" and rate > peak:
            errors = {"timeout": int((rate - peak) * seconds * 0.01)}
            spread = [(p, ms * 60) for p, ms in spread]
            at = dict(spread)
        own = (cpu or own) * self.rng.gauss(1, 0.02)
        self.turns.append({
            "scenario": scenario, "mode": mode, "contender": name, "repeat": repeat, "step": step, "variant": variant,
            "started": "2026-11-24T15:00:00Z", "seconds": seconds, "loop": loop, "requests": requests, "rps": round(rps, 1),
            "latency_ms": {"p50": at[50], "p90": at[90], "p95": at[95], "p99": at[99], "p99.9": at[99.9],
                           "max": at[100]},
            "late_ms": 0.05, "distribution": spread, "errors": errors,
            "windows": [[requests // 10, round(at[99] * self.rng.gauss(1, 0.03), 4)] for _ in range(10)],
            "cpu_s": {"contender": own * requests / 1e6, "postgresql": self.rng.gauss(29, 1) * requests / 1e6,
                      "generator": self.rng.gauss(8, 0.4) * requests / 1e6},
            "cpu_budget": {"contender": 1.0 if mode == "single" else 2.0}, "memory_mib": rss * self.rng.gauss(1, .01),
            "context_switches": {"voluntary": int(requests * 0.3), "involuntary": int(requests * 0.05)},
            "control": {"rate": 2000, "p99_ms": round(self.rng.uniform(0.1, 0.9), 3), "errors": 0}, "steal": 0.001, "mhz": 2600,
            "limit": "contender" if load > 0.9 else "none", "void": void, "fault": fault})

    def all_turns(self):
        for mode in ("single", "multi"):
            for repeat in range(self.repeats):
                for contender in CONTENDERS:
                    self.one_of_each(mode, repeat, contender)

    def one_of_each(self, mode, repeat, contender):
        peak = contender[2] * (1 if mode == "single" else 1.35)
        self.turn("saturation", mode, contender, repeat, peak, "closed")
        if mode == "multi" and contender[0] == "ringpost" and repeat == 1:
            self.turn("saturation", mode, contender, repeat, peak, "closed", void="the generator used 97 % of its CPU")
        for clients, share in ((16, 0.8), (256, 0.95)):
            self.turn("clients", mode, contender, repeat, share * peak, "closed", step=clients)
        self.turn("light", mode, contender, repeat, 104, "closed")
        self.turn("heavy", mode, contender, repeat, 1040, "closed")
        self.turn("mixed", mode, contender, repeat, peak / 3, "closed")
        for step in (500, 1000, 2000, 4000, 8000, 16000, 24000):
            if step < peak * 1.6:
                self.turn("rate", mode, contender, repeat, step, "open", step=step)
        for share in (0.5, 0.66, 0.74, 1.1):  # two that keep the objective, one that may, one that does not
            step = round(peak * share * self.rng.gauss(1, 0.02))
            self.turn("capacity", mode, contender, repeat, step, "open", step=step)
        if mode == "multi":
            for kind, base in (("restart", 40), ("freeze", 0), ("terminate", 12), ("column", 0)):
                slow = 1.6 if contender[0] == "ringpost" and kind == "terminate" else 1
                fault = {"kind": kind, "errors": int(base * slow * self.rng.uniform(.8, 1.3)), "wrong": 0,
                         "recovered_s": round(self.rng.uniform(0.25, 0.3) * slow, 3),
                         "held_s": 5.0 if kind == "freeze" else 0.0}
                self.turn("faults", mode, contender, repeat, 1000, "open", fault=fault)
        if contender[0] == "ringpost":
            for variant, gain in (("pipelining=off", 0.7), ("connections=1", 0.86), ("connections=4", 1.04),
                                  ("connections=10", 1.02), ("shards=2", 0.9), ("socket=unix", 1.09)):
                self.turn("saturation", mode, contender, repeat, peak * gain, "closed", variant=variant, cpu=31 / gain)


def header(void=None):
    fairness = [{"rule": rule, "mode": mode, "contender": name, "held": True,
                 "expected": "30 connections" if rule == "connections in all" else "as ringpost",
                 "seen": "30 connections" if rule == "connections in all" else "240 of 240 alike"}
                for rule in RULES for mode in ("single", "multi") for name, *_ in CONTENDERS]
    if void:
        bad = next(f for f in fairness if f["rule"] == RULES[3] and f["contender"] == "go-api")
        bad.update(held=False, seen="40 connections")
    return {
        "schema": 2, "started": "2026-11-24T15:00:00Z", "finished": "2026-11-24T15:18:20Z", "seconds": 1100,
        "command": "make compare", "effort": "standard", "objective": OBJECTIVE, "generator_priority": "SCHED_FIFO", "commit": "abc1234",
        "machine": {"cpu_model": "SYNTHETIC CPU @ 2.60GHz", "cpus": 2, "memory_mib": 7000, "kernel": "6.18",
                    "os": "Debian GNU/Linux 12 (bookworm)", "virtualised": True},
        "versions": {"postgresql": "PostgreSQL 17.2", "python": "3.13.1"},
        "postgresql_settings": {"shared_buffers": "128MB", "max_connections": "100", "fsync": "on"},
        "modes": {"single": {"cpus": [0], "others_cpus": [1], "workers": 1, "connections": 30, "memory_mib": 512,
                             "note": None},
                  "multi": {"cpus": [0, 1], "others_cpus": [0, 1], "workers": 2, "connections": 40, "memory_mib": 512,
                            "note": "4 CPUs asked, this machine has 2"}},
        "contenders": [
            *({"name": name, "label": label, "note": "made up for a test: <b>not</b> a measurement",
               "subject": name == "ringpost", "versions": {"compiler": "1.2.3"},
               "settings": {"single": {"WORKERS": "1"}, "multi": {"WORKERS": "2"}},
               "left_out": None} for name, label, *_ in CONTENDERS),
            {"name": "zig-api", "label": "Zig", "note": "", "versions": {}, "settings": {},
             "left_out": "needs the command zig"}],
        "fairness": fairness, "void": void}


def write(folder, void=None, seed=7, keep=lambda turn: True):
    """Fills `folder` with a run of four contenders (a fifth is left out), both modes, every scenario; or what `keep` keeps."""
    folder.mkdir(parents=True, exist_ok=True)
    maker = Maker(seed)
    maker.all_turns()
    maker.turns = [turn for turn in maker.turns if keep(turn)]
    (folder / "run.json").write_text(json.dumps(header(void), indent=1))
    (folder / "turns.jsonl").write_text("".join(json.dumps(t) + "\n" for t in maker.turns))
    (folder / "summary.json").write_text(json.dumps(summarize(maker.turns, OBJECTIVE, "ringpost"), indent=1))
    return folder


if __name__ == "__main__":
    import pathlib
    import sys
    write(pathlib.Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
