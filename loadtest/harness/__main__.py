"""make compare: runs the comparison and writes its results and its report. `--help` lists the options."""
import argparse
import dataclasses
import datetime
import os
import shlex
import sys
from pathlib import Path

from loadtest.report import summary

from . import contender as contenders
from . import effort, fairness, generators, interrupts, machine, programs, results
from .comparison import Comparison
from .contender import Problem
from .database import Database, programs_folder

ROOT = Path(__file__).resolve().parents[2]


def arguments(words):
    parser = argparse.ArgumentParser(prog="make compare ARGS=", description="Compares the contenders of loadtest/twins under the "
                                     "rules of the comparison; writes a folder of raw data with report.html and summary.md.")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--quick", action="store_true", help="a first look, under 8 minutes")
    length.add_argument("--full", action="store_true", help="as the original comparison and longer: hours")
    parser.add_argument("--only", metavar="NAMES", help="contenders, separated by commas (default: all)")
    parser.add_argument("--mode", choices=["single", "multi"], help="one mode alone")
    parser.add_argument("--resume", metavar="FOLDER", type=Path, help="go on with a run that was cut short")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="where to write (default: loadtest/results/<time>)")
    parser.add_argument("--twins", metavar="FOLDER", type=Path, default=ROOT / "loadtest/twins", help=argparse.SUPPRESS)
    parser.add_argument("--effort", metavar="FIELD=N,...", default="", help=argparse.SUPPRESS)  # for tests
    return parser.parse_args(words)


def chosen_effort(options):
    chosen = effort.QUICK if options.quick else effort.FULL if options.full else effort.STANDARD
    changes = {}
    for word in filter(None, options.effort.split(",")):
        name, value = word.split("=")
        changes[name] = tuple(int(n) for n in value.split("/") if n) if name in ("rates", "clients") else int(value)
    return dataclasses.replace(chosen, **changes)


def build_all(found, places, only):
    """Those that can be built; what is left out is said, and why."""
    built, left_out = [], {}
    for one in found:
        if only and one.name not in only:
            continue
        if missing := one.missing():
            left_out[one.name] = f"{' and '.join(missing)} not found"
            print(f"LEFT OUT: {one.name}: {left_out[one.name]}", flush=True)
            continue
        print(f"building {one.name}", flush=True)
        with open(places["scratch"] / f"{one.name}.build.log", "w") as log:
            contenders.build(one, {"build": places["scratch"] / "build" / one.name, "root": ROOT}, log)
        built.append(one)
    if not built:
        raise Problem("no contender can be run")
    return built, left_out


def describe(options, chosen, comparison, left_out, started):
    """run.json, as it stands."""
    entries = []
    for one in comparison.contenders:
        environments = {mode.name: {k: v for k, v in comparison.environment(one, mode).items() if k != "DATABASE_URL"}
                        for mode in comparison.modes.values()}
        entries.append({"name": one.name, "label": one.label, "note": one.note, "subject": one.subject,
                        "versions": contenders.versions(one, comparison.places(one)), "settings": environments, "left_out": None})
    entries += [{"name": name, "label": name, "note": "", "subject": False, "versions": {}, "settings": {}, "left_out": why}
                for name, why in left_out.items()]
    return {"schema": 2, "started": started, "finished": None, "seconds": None,
            "command": shlex.join(["make", "compare", *(["ARGS=" + shlex.join(sys.argv[1:])] if sys.argv[1:] else [])]),
            "effort": chosen.name, "objective": effort.OBJECTIVE, "plan": dataclasses.asdict(chosen), "commit": results.commit(ROOT),
            "machine": machine.describe(), "machine_id": results.machine_id(),
            "versions": {"postgresql": comparison.database.version(), "python": sys.version.split()[0]},
            "generator_priority": generators.priority()[1],
            "postgresql_settings": comparison.database.settings(),
            "modes": {name: mode.as_json() for name, mode in comparison.modes.items()},
            "contenders": entries, "fairness": [], "void": None}


def main():
    options = arguments(sys.argv[1:])
    chosen = chosen_effort(options)
    interrupts.listen()
    generators.program()
    begun = datetime.datetime.now(datetime.timezone.utc)
    stamp = begun.strftime("%Y-%m-%dT%H-%M-%S")
    folder = options.resume or options.out or ROOT / "loadtest/results" / stamp
    if options.resume and not (folder / "turns.jsonl").exists():
        raise Problem(f"{folder} holds no run to go on with")
    scratch = ROOT / ".private/compare"
    scratch.mkdir(parents=True, exist_ok=True)

    only = options.only.split(",") if options.only else None
    found = contenders.find_all(options.twins)
    if unknown := set(only or []) - {one.name for one in found}:
        raise Problem(f"no contender is called {', '.join(sorted(unknown))}; there are {', '.join(one.name for one in found)}")
    built, left_out = build_all(found, {"scratch": scratch}, only)
    modes = {name: mode for name, mode in machine.modes().items() if options.mode in (None, name)}
    for mode in modes.values():
        if mode.note:
            print(f"{mode.name}: {mode.note}", flush=True)

    database = Database(ROOT, scratch / "pg", bindir=programs_folder(ROOT))
    kept, status = results.Results(folder), 0
    try:
        database.renew()
        comparison = Comparison(ROOT, built, modes, database, kept, chosen, scratch)
        run = describe(options, chosen, comparison, left_out, begun.isoformat(timespec="seconds").replace("+00:00", "Z"))
        if options.resume:
            if not (earlier := kept.read("run.json")):
                raise Problem(f"{folder} does not say what it was measured with (run.json)")
            results.refuse_another(earlier, run)
            run["started"] = earlier["started"]
            comparison.rules = [fairness.Rule(**rule) for rule in earlier["fairness"]]
        kept.write("run.json", run)
        print(f"about {comparison.planned / 60:.0f} minutes; results in {os.path.relpath(folder)}", flush=True)
        try:
            comparison.run()
        except fairness.Broken as broken:
            run["void"], status = str(broken), 3
            print(f"\nVOID: a rule of the comparison is broken: {broken}\nNo figure of this run counts.", file=sys.stderr, flush=True)
        finally:
            run["fairness"] = [dataclasses.asdict(rule) for rule in comparison.rules]
            ended = datetime.datetime.now(datetime.timezone.utc)
            run["finished"], run["seconds"] = ended.isoformat(timespec="seconds").replace("+00:00", "Z"), round((ended - begun).total_seconds())
            kept.write("run.json", run)
        subject = comparison.subject.name if comparison.subject else None
        kept.write("summary.json", summary.summarize(kept.turns, effort.OBJECTIVE, subject))
    finally:
        database.stop()
    report = programs.run([ROOT / "loadtest/report/report", folder.resolve()], stdout=None, stderr=None)
    if report.returncode == 0:
        print(f"report: {os.path.relpath(folder / 'report.html')}", flush=True)
    return status or report.returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Problem as problem:
        sys.exit(f"compare: {problem}")
    except KeyboardInterrupt:
        sys.exit("compare: interrupted; what was measured is kept: make compare ARGS='--resume FOLDER' goes on")
