"""The load: ../generator, in closed loops (a user waits for his answer) and open ones (requests are due by the clock). It runs on
CPUs of the harness's choice and before whatever else is ready there, so that it is not what a request waits for."""
import functools
import json
import os
import shutil
import subprocess
from pathlib import Path

from . import programs
from .contender import Problem

FOLDER = Path(__file__).parents[1] / "generator"
CONNECTIONS = 128  # of an open loop
PATIENCE_S = 40    # more than the generator's own, which it counts as errors
PAGE_ROWS = 50     # of every page that a load asks for
POINTS = ("p50", "p90", "p95", "p99", "p99.9", "max")


class Load:
    """What one stream measured. `requests` were answered with 200; `errors` by kind, none left out; `windows`: [requests, p99 in ms]
    of each half second; `late_ms`: how late its p99 left. `cpu_s` is the generator's, of all its streams."""

    def __init__(self, figures, cpu_s):
        refused = sum(count for kind, count in figures["errors"].items() if kind.startswith("status"))
        self.requests, self.errors = figures["answered"] - refused, figures["errors"]
        self.seconds, self.cpu_s = figures["seconds"], cpu_s
        self.latency_ms = {point: figures["latency_ms"][point] if self.requests else None for point in POINTS}
        self.distribution, self.windows = figures["distribution"], figures["windows"]
        self.late_ms = figures["late_ms"]["p99"]


@functools.cache
def priority():
    """The command that puts a program before all others, and what it is called."""
    for by, name in (["chrt", "-f", "1"], "SCHED_FIFO"), (["nice", "-n", "-20"], "nice -20"):
        if shutil.which(by[0]):
            tried = subprocess.run([*by, "true"], capture_output=True, text=True)
            if tried.returncode == 0 and not tried.stderr:  # nice says that it may not, and goes on
                return by, name
    return [], "none: that needs root"


def program():
    """Its path: LOAD_GENERATOR, else where the build puts it."""
    path = os.environ.get("LOAD_GENERATOR") or Path(__file__).parents[2] / "build/loadtest/generator/load_generator"
    if not Path(path).exists():
        raise Problem(f"there is no load generator at {path}: tools/build release loadtest/generator/load_generator")
    return str(Path(path).resolve())


def apply(port, cpus, seconds, **streams):
    """Streams at the same time, each (file of targets, requests/s or 0 for a closed loop, connections, think time in ms); the Load of
    each by its name."""
    words = [f"{name}={file},{rate:.3f},{connections}" + (f",{think_ms}" if think_ms else "")
             for name, (file, rate, connections, think_ms) in streams.items()]
    before = children_cpu_s()
    try:
        done = programs.run([*priority()[0], program(), str(port), str(seconds), *words], cpus, seconds + PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise Problem(f"the load generator did not end within {seconds + PATIENCE_S} s") from None
    if done.returncode != 0:
        raise Problem(f"the load generator failed (status {done.returncode}): {done.stderr.strip() or done.stdout.strip()}")
    cpu_s = children_cpu_s() - before
    return {name: Load(figures, cpu_s) for name, figures in json.loads(done.stdout).items()}


def closed_loop(port, targets, cpus, seconds, connections, think_ms=0):
    return apply(port, cpus, seconds, load=(targets, 0, connections, think_ms))["load"]


def open_loop(port, targets, cpus, seconds, rate, connections=CONNECTIONS):
    return apply(port, cpus, seconds, load=(targets, rate, connections, 0))["load"]


def children_cpu_s():
    times = os.times()
    return times.children_user + times.children_system


def write_targets(path, ids, pages=0.0):
    """What the generator draws from at random; `pages` is their share."""
    done = subprocess.run([FOLDER / "targets", str(pages)], input="\n".join(ids) + "\n", capture_output=True, text=True, check=True)
    Path(path).write_text(done.stdout)
    return Path(path)
