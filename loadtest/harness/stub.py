"""make compare-stub: each contender against a stand-in for PostgreSQL that costs next to nothing (../stub), so that the contender
is the limit, beside the same loads against PostgreSQL. What it measures is the contender's own and no service's: its figures stand
beside the real database's, never instead of them, and are labelled STUB wherever they are shown."""
import argparse
import datetime
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from . import contender as contenders
from . import fairness, generators, interrupts, machine, processes, programs
from .comparison import SATURATION_CONNECTIONS, rotated
from .contender import Problem, Running, fill
from .database import Database, programs_folder
from .results import Results

ROOT = Path(__file__).resolve().parents[2]
COPY = ("copy (select id, email, full_name, age, country_code, is_active, created_at from users order by id)"
        " to stdout (format binary)")
PAGES = {"lookups": 0.0, "mixed": 0.2}  # the share of pages in each load
POSTGRESQL, STUB = "PostgreSQL", "STUB"
AT_ITS_LIMIT = 0.9  # of its CPUs: below it, something else was the limit, and it can do more
WARM_UP_S = 1


class Stub:
    """postgres-stub, with the users that the database has now."""

    def __init__(self, program, database, folder):
        self.program, self.process, self.users = program, None, Path(folder) / "users.copy"
        with open(self.users, "wb") as file:
            done = programs.run([database.psql, "-Xq", "-v", "ON_ERROR_STOP=1", "-c", COPY, database.url], stdout=file)
        if done.returncode != 0:
            raise Problem(f"psql: {done.stderr.strip()}")

    def start(self, cpus=None, threads=1):
        self.port = contenders.free_port()
        with interrupts.held():
            self.process = programs.start([self.program, "--port", str(self.port), "--threads", str(threads), self.users], cpus,
                                          stdout=subprocess.PIPE)
        if not self.process.stdout.readline():
            raise Problem(f"{self.program} ended at its start")

    @property
    def url(self):
        return f"postgresql://ringpost@127.0.0.1:{self.port}/ringpost"

    def pids(self):
        return [self.process.pid]

    def stop(self):
        if self.process:
            programs.end(self.process)
            self.process = None


def environment(contender, mode, url):
    values = mode.values()
    return {**{name: fill(str(value), values) for name, value in contender.settings.items()}, "DATABASE_URL": url}


def measure(running, backing, targets, seconds):
    """One load; `backing` is what answers the contender's queries."""
    begin = time.monotonic()
    before = processes.cpu_s(running.pids()), processes.cpu_s(backing.pids())
    load = generators.closed_loop(running.port, targets, running.mode.others_cpus, seconds, SATURATION_CONNECTIONS)
    contender_s, backing_s = processes.cpu_s(running.pids()) - before[0], processes.cpu_s(backing.pids()) - before[1]
    if load.errors:
        raise Problem(f"{running.contender.name} answered with errors, so no figure counts: {load.errors}")
    return {"requests": load.requests, "rps": round(load.requests / load.seconds, 1), "latency_ms": load.latency_ms,
            "cpu_us": {"contender": contender_s / load.requests * 1e6, "backing": backing_s / load.requests * 1e6,
                       "generator": load.cpu_s / load.requests * 1e6},
            "busy": contender_s / (time.monotonic() - begin) / len(running.mode.cpus)}


def session(contender, mode, places, against, backing, users, targets, seconds, repeat, log):
    """Starts it, checks its answers, loads it, drains it; a record for each load."""
    running = Running(contender, places, mode, environment(contender, mode, backing.url), log)
    try:
        running.start()
        running.wait_ready()
        if not (rule := fairness.same_answers(running, users)).held:
            raise Problem(f"against {against}: {rule}")
        generators.closed_loop(running.port, targets["mixed"], mode.others_cpus, WARM_UP_S, SATURATION_CONNECTIONS)
        return [{"mode": mode.name, "contender": contender.name, "against": against, "load": load, "repeat": repeat,
                 **measure(running, backing, file, seconds)} for load, file in targets.items()]
    finally:
        running.stop()


def spread(values, digits=0):
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def table(records, modes, labels):
    """The figures as Markdown: medians of the turns, least to most. `modes`: what is to be noted of each, by its name."""
    lines = ["# Each contender against PostgreSQL, and against a STUB in its place", "",
             "The STUB answers the same statements from memory for next to no CPU: what it shows is the contender's own cost, and is no",
             f"figure of a service. {SATURATION_CONNECTIONS} clients, closed loop; medians of turns, least to most; CPU of the contender alone, in us a request.",
             f"≥: it used less than {AT_ITS_LIMIT:.0%} of its CPUs, so the generator or what shares a CPU with it was the limit."]
    for mode, note in modes.items():
        for load in PAGES:
            lines += ["", f"**{mode}, {load}**" + (f" ({note})" if note else ""), "", f"| | {POSTGRESQL}: requests/s | CPU | {STUB}: requests/s | CPU |", "|---|---:|---:|---:|---:|"]
            for name, label in labels.items():
                cells = [label]
                for against in (POSTGRESQL, STUB):
                    turns = [r for r in records if (r["mode"], r["load"], r["contender"], r["against"]) == (mode, load, name, against)]
                    if not turns:
                        cells += ["-", "-"]
                        continue
                    bound = "" if statistics.median(turn["busy"] for turn in turns) >= AT_ITS_LIMIT else "≥ "
                    cells += [bound + spread([turn["rps"] for turn in turns]), spread([turn["cpu_us"]["contender"] for turn in turns], 1)]
                lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def arguments(words):
    parser = argparse.ArgumentParser(prog="make compare-stub ARGS=", description=__doc__.split(": ", 1)[1])
    parser.add_argument("--only", metavar="NAMES", help="contenders, separated by commas (default: all)")
    parser.add_argument("--mode", choices=["single", "multi"], help="one mode alone")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="turns of each (default: 5)")
    parser.add_argument("--seconds", type=int, default=4, metavar="N", help="how long each load takes (default: 4)")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="where to write (default: loadtest/results/<time>-stub)")
    return parser.parse_args(words)


def build(names, scratch):
    found = contenders.find_all(ROOT / "loadtest/twins")
    if unknown := set(names or []) - {one.name for one in found}:
        raise Problem(f"no contender is called {', '.join(sorted(unknown))}; there are {', '.join(one.name for one in found)}")
    built = {}
    for one in found:
        if names and one.name not in names:
            continue
        if missing := one.missing():
            print(f"LEFT OUT: {one.name}: {' and '.join(missing)} not found", flush=True)
            continue
        print(f"building {one.name}", flush=True)
        places = {"build": scratch / "build" / one.name, "root": ROOT}
        with open(scratch / f"{one.name}.build.log", "w") as log:
            contenders.build(one, places, log)
        built[one.name] = (one, places)
    if not built:
        raise Problem("no contender can be run")
    return built


def main():
    options = arguments(sys.argv[1:])
    interrupts.listen()
    scratch = ROOT / ".private/compare"
    scratch.mkdir(parents=True, exist_ok=True)
    built = build(options.only.split(",") if options.only else None, scratch)
    modes = [mode for name, mode in machine.modes().items() if options.mode in (None, name)]
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H-%M-%S")
    results = Results(options.out or ROOT / "loadtest/results" / f"{stamp}-stub")
    database = Database(ROOT, scratch / "pg", bindir=programs_folder(ROOT))
    program = os.environ.get("STUB", ROOT / "build/loadtest/stub/postgres-stub")
    stub = None
    try:
        database.renew()
        stub, users = Stub(program, database, scratch), database.users()
        ids = [user["id"] for user in users]
        targets = {load: generators.write_targets(scratch / f"stub-{load}", ids, pages) for load, pages in PAGES.items()}
        for mode in modes:
            database.move_to(mode.others_cpus)
            stub.start(mode.others_cpus, min(len(mode.cpus), len(mode.others_cpus)))
            for repeat in range(options.repeats):
                for name in rotated(list(built), repeat):
                    one, places = built[name]
                    for against, backing in rotated([(POSTGRESQL, database), (STUB, stub)], repeat):
                        interrupts.check()
                        with open(scratch / f"{name}.log", "a") as log:
                            for record in session(one, mode, places, against, backing, users, targets, options.seconds, repeat, log):
                                results.add(record)
                                print(f"{mode.name:>6} {repeat + 1}/{options.repeats} {name:<10} {against:<10} {record['load']:<7} "
                                      f"{record['rps']:>8,.0f} requests/s, {record['cpu_us']['contender']:>6.1f} us, "
                                      f"{record['busy']:.0%} of its CPUs", flush=True)
            stub.stop()
        text = table(results.turns, {mode.name: mode.note for mode in modes}, {name: one.label for name, (one, _) in built.items()})
        (results.folder / "stub.md").write_text(text)
        results.write("run.json", {"machine": machine.describe(), "postgresql": database.version(), "load": PAGES,
                                   "seconds": options.seconds, "repeats": options.repeats,
                                   "modes": {mode.name: mode.as_json() for mode in modes},
                                   "versions": {name: contenders.versions(*entry) for name, entry in built.items()}})
        print(f"\n{text}\nin {os.path.relpath(results.folder)}", flush=True)
    finally:
        if stub:
            stub.stop()
        database.stop()


if __name__ == "__main__":
    try:
        main()
    except Problem as problem:
        sys.exit(f"compare-stub: {problem}")
    except KeyboardInterrupt:
        sys.exit("compare-stub: interrupted")
