"""make scale: measures ringpost along each axis and draws it. `--help` lists the options; README.md says what is measured."""
import argparse
import hashlib
import os
import sys
import time
from pathlib import Path

from loadtest.harness import contender as contenders
from loadtest.harness import interrupts, machine, programs
from loadtest.harness.contender import Problem

from . import page, results
from .measure import Stage
from .rows import FULL, QUICK, rows

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent


def arguments(words):
    parser = argparse.ArgumentParser(prog="make scale ARGS=", description="Measures ringpost along each axis of bench/scale/README.md, in "
                                     "rounds, and draws what was measured. What is measured already is not measured again.")
    parser.add_argument("--quick", action="store_true", help="a look at each axis, under a minute, in .private/scale/quick")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="where data, plots and page go (default: bench/scale)")
    parser.add_argument("--only", metavar="AXES",
                        help="axes, separated by commas: load, mixed, clients, users, deep, page, connections, shards, idle")
    parser.add_argument("--users", metavar="N", type=int, default=FULL.users[-1], help="the largest table (default: 10 million)")
    parser.add_argument("--rounds", metavar="N", type=int, help=f"how often each row is measured (default: {FULL.rounds})")
    parser.add_argument("--minutes", metavar="N", type=float, help="begin no measurement after so many; a later run goes on")
    parser.add_argument("--anew", action="store_true", help="forget what was measured")
    parser.add_argument("--draw", action="store_true", help="measure nothing, draw what is there")
    return parser.parse_args(words)


def subject(program):
    """What the data is of. Data of another program, machine or way of measuring is not gone on with."""
    where = Path(program)
    if not where.exists():
        raise Problem(f"{program} is not there: tools/build release")
    commit = programs.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]).stdout.strip() or None
    return {"program": hashlib.sha256(where.read_bytes()).hexdigest()[:16], "machine": machine.describe()}, commit


def about_s(row, effort):
    """How long a measurement takes, with the server's start and end."""
    loads = 2 if row.load == "mixed" else 1
    return 1.5 + (effort.idle_s + row.clients / 2000 if row.load == "idle" else loads * (effort.seconds + effort.warm_up_s))


def axis_of(row):
    return {"capacity": "load", "mixed capacity": "mixed"}.get(row.axis, row.axis)


def rate_of(row, data):
    """Requests a second of a load that is due by the clock: the same in each round, by the first one's capacity."""
    if row.load not in ("open", "mixed"):
        return None
    for record in data.of("capacity" if row.load == "open" else "mixed capacity", 1):
        if record["round"] == 0:
            return row.value * record["rps"]
    raise Problem("the capacity that it is a share of was not measured")


def measure_all(stage, wanted, effort, data, end):
    """In rounds over the rows, and the order turns, so that what changes on the machine meanwhile meets all of them alike. A row that
    can't be measured here is said once and left out."""
    left_out, left_s = set(), sum(about_s(row, effort) for n in range(effort.rounds) for row in wanted if not data.has(row, n))
    print(f"about {left_s / 60:.0f} minutes, and the time to fill new tables; data in {os.path.relpath(data.path)}", flush=True)
    for users in sorted({row.users for row in wanted}):
        try:
            stage.database(users)  # all of them first: what filling leaves to be written would disturb the rows after it
        except Problem as problem:
            left_out |= {row for row in wanted if row.users == users}
            print(f"LEFT OUT: a table of {users:,} users: {problem}", flush=True)
    for number in range(effort.rounds):
        turn = number * 7 % len(wanted)
        for row in wanted[turn:] + wanted[:turn]:
            if row in left_out or data.has(row, number):
                continue
            interrupts.check()
            if time.monotonic() > end:
                print("scale: --minutes is over; the same command goes on", flush=True)
                return
            try:
                seen = stage.measure(row, rate_of(row, data))
            except Problem as problem:
                left_out.add(row)
                print(f"LEFT OUT: {row.axis} {row.value:g}: {problem}", flush=True)
                continue
            data.add(row, number, seen)
            left_s -= about_s(row, effort)
            print(f"{number + 1}/{effort.rounds} {row.axis:<11} {row.value:>10g}  {page.in_short(seen)}"
                  f"  (about {max(0, left_s) / 60:.0f} min left)", flush=True)


def main():
    options = arguments(sys.argv[1:])
    interrupts.listen()
    effort = QUICK if options.quick else FULL
    changes = {"rounds": options.rounds or effort.rounds, "users": tuple(n for n in effort.users if n <= options.users)}
    effort = type(effort)(**{**vars(effort), **changes})
    scratch = ROOT / ".private/scale"
    out = options.out or (scratch / "quick" if options.quick else HERE)
    data = results.Data(out / "data")
    if options.draw:
        page.write(data, out)
        return 0
    program = os.environ["RINGPOST"]
    named, commit = subject(program)
    scratch.mkdir(parents=True, exist_ok=True)
    data.begin({**named, "effort": "quick" if options.quick else "full"}, commit, anew=options.anew or options.quick and not options.out)
    wanted = rows(effort)
    if options.only:
        names = options.only.split(",")
        if unknown := set(names) - {axis_of(row) for row in wanted}:
            raise Problem(f"no axis is called {', '.join(sorted(unknown))}")
        wanted = [row for row in wanted if axis_of(row) in names]
    contender = contenders.read(ROOT / "loadtest/twins/ringpost")
    contender.start = [str(Path(program).resolve())]
    stage = Stage(ROOT, scratch, effort, contender)
    try:
        end = time.monotonic() + 60 * options.minutes if options.minutes is not None else float("inf")
        measure_all(stage, wanted, effort, data, end)
    finally:
        stage.close()
        page.write(data, out)
    print(f"page: {os.path.relpath(out / 'README.md')}", flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Problem as problem:
        sys.exit(f"scale: {problem}")
    except KeyboardInterrupt:
        sys.exit("scale: interrupted; what was measured is kept, the same command goes on")
