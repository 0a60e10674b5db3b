"""The load: wrk for closed loops (a user waits for its answer), oha for open ones (requests are due by the clock, and
latency counts from then). README.md says why these. Each runs as a process on CPUs of the harness's choice."""
import json
import os
import subprocess
from pathlib import Path

from . import programs
from .contender import Problem

HERE = Path(__file__).parent
CLOSED_TIMEOUT_S, OPEN_CONNECTIONS = 10, 128
POINTS = ("p50", "p90", "p95", "p99", "p99.9", "max")


class Load:
    """One generator's run: its figures, and what it cost. `errors` by kind, none left out."""

    def __init__(self, name, figures, cpu_s, seconds):
        self.name, self.cpu_s, self.seconds = name, cpu_s, seconds
        self.requests = figures["requests"]
        self.latency_ms = {point: figures[point] for point in POINTS}
        self.distribution = figures["distribution"]
        self.errors = {kind: count for kind, count in figures["errors"].items() if count}


def run(command, cpus, limit_s):
    """Its output."""
    try:
        done = programs.run(command, cpus, limit_s)
    except subprocess.TimeoutExpired:
        raise Problem(f"{command[0]} did not end within {limit_s:.0f} s") from None
    if done.returncode != 0:
        raise Problem(f"{command[0]} failed (status {done.returncode}): {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def children_cpu_s():
    times = os.times()
    return times.children_user + times.children_system


# `by` is a command that starts the generator, such as chrt.
def closed_loop(url, ids_file, cpus, seconds, connections, think_ms=0, pages=0.0, seed=1, by=()):
    command = [*by, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"--timeout={CLOSED_TIMEOUT_S}s", "-s", str(HERE / "wrk.lua"), url,
               "--", str(ids_file), str(pages), str(think_ms), str(seed)]
    before = children_cpu_s()
    out = run(command, cpus, seconds + 3 * CLOSED_TIMEOUT_S)
    figures = json.loads(out.rsplit("JSON ", 1)[1])
    return Load("wrk", figures, children_cpu_s() - before, figures["duration_s"])


def open_loop(oha, url_list, cpus, seconds, rate, connections=OPEN_CONNECTIONS, by=()):
    """Without a rate: the same generator as a closed loop."""
    due = ["--latency-correction", "-q", str(rate)] if rate else []
    command = [*by, oha, "--no-tui", "--output-format", "json", "-w", "-z", f"{seconds}s", *due,
               "-c", str(connections), "-t", f"{CLOSED_TIMEOUT_S}s", "--urls-from-file", str(url_list)]
    before = children_cpu_s()
    report = json.loads(run(command, cpus, seconds + 3 * CLOSED_TIMEOUT_S))
    return Load("oha", oha_figures(report), children_cpu_s() - before, report["summary"]["total"])


def oha_figures(report):
    statuses = {status: count for status, count in report["statusCodeDistribution"].items()}
    errors = {f"status {status}": count for status, count in statuses.items() if not status.startswith("2")}
    errors.update(report["errorDistribution"])
    at = {name: seconds * 1000 if seconds is not None else None for name, seconds in report["latencyPercentiles"].items()}
    figures = {"requests": sum(statuses.values()), "errors": errors, "p50": at["p50"], "p90": at["p90"], "p95": at["p95"],
               "p99": at["p99"], "p99.9": at["p99.9"], "max": report["summary"]["slowest"] * 1000}
    figures["distribution"] = [[float(name[1:]), ms] for name, ms in at.items() if ms is not None]
    return figures


def url_list(base, ids_file, path):
    """Writes what oha draws from at random."""
    ids = Path(ids_file).read_text().split()
    Path(path).write_text("".join(f"{base}/users/{id}\n" for id in ids[:4000]))
    return path
