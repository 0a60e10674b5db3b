"""make scale ARGS='beside CONTENDER ...': several servers, or one with several settings, on the same loads in turn. For each load and
contender the medians of the rounds, with their spread, and the ratios to the first contender's of the same round."""
import argparse
import dataclasses
import functools
import os
import statistics
import sys
from pathlib import Path

from loadtest.harness import contender as contenders
from loadtest.harness import generators, interrupts
from loadtest.harness.contender import Problem
from loadtest.harness.machine import Mode
from loadtest.report.figures import number

from .measure import Stage
from .rows import CPUS, FULL, PAGE, PAGES, Row

ROOT = Path(__file__).resolve().parents[2]
SCRATCH = ROOT / ".private/scale"
COLUMNS = {"rps": "requests/s", "p50_ms": "p50", "p99_ms": "p99", "alone_p50_ms": "p50 alone", "alone_p99_ms": "p99 alone",
           "pages_p50_ms": "p50 of pages", "pages_p99_ms": "p99 of pages", "server_us": "server, us", "postgresql_us": "PostgreSQL, us",
           "generator_us": "generator, us", "late_p99_ms": "sent late, p99"}


def arguments(words):
    parser = argparse.ArgumentParser(prog="make scale ARGS='beside", description=__doc__)
    parser.add_argument("contenders", nargs="+", metavar="CONTENDER",
                        help="a folder of loadtest/twins or the path of a ringpost, and settings: rust-api; build/ringpost,DB_MAX_CONNS=1")
    parser.add_argument("--clients", metavar="N,N", default="", help="closed loops of lookups by so many clients")
    parser.add_argument("--rates", metavar="N,N%", default="",
                        help="lookups due by the clock, so many a second or of what the first contender can do")
    parser.add_argument("--mixed-clients", metavar="N,N", default="", help=f"closed loops with {PAGES:.0%} pages of {PAGE}")
    parser.add_argument("--mixed-rates", metavar="N,N%", default="",
                        help=f"lookups by the clock: alone, and with pages beside them ({PAGES:.0%} of all)")
    parser.add_argument("--apart", action="store_true", help="the server on the first CPU, PostgreSQL and the generator on the second")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    return parser.parse_args(words)


def contender(word):
    """With one core and thirty connections, as the comparison's mode `single` has it, where the word says nothing else."""
    name, *settings = word.split(",")
    if wrong := [setting for setting in settings if "=" not in setting]:
        raise Problem(f"{wrong[0]} in {word} is no NAME=VALUE")
    path = ROOT / "loadtest/twins" / name
    built = SCRATCH / "built" / Path(name).name
    if (path / "contender.toml").exists():
        found = contenders.read(path)
        places = {"build": built, "root": ROOT}
        SCRATCH.mkdir(parents=True, exist_ok=True)
        with open(SCRATCH / f"{name}-build.log", "w") as log:
            contenders.build(found, places, log)
    else:
        found, places = contenders.read(ROOT / "loadtest/twins/ringpost"), {}
        found.start = [str(Path(name).resolve())]
        if not Path(name).exists():
            raise Problem(f"{name} is neither of loadtest/twins nor a program")
    found.settings.update(setting.split("=", 1) for setting in settings)
    return found, places


def loads(options, capacity):
    """(what it is called, row, rate); `capacity` finds the first contender's on a row."""
    usual = Row("beside", 0, shards=1, connections=30)
    mixed = dataclasses.replace(usual, limit=PAGE, pages=PAGES)
    for n in words(options.clients):
        yield f"{n} clients", dataclasses.replace(usual, clients=int(n)), None
    for n in words(options.mixed_clients):
        yield f"{n} clients, mixed", dataclasses.replace(mixed, clients=int(n)), None
    for row, load, texts in (usual, "open", options.rates), (mixed, "mixed", options.mixed_rates):
        for n in words(texts):
            if n.endswith("%"):
                most = capacity(dataclasses.replace(row, load="capacity"))
                rate, of = most * float(n[:-1]) / 100, f", {n} of {most:,.0f}"
            else:
                rate, of = float(n) / (1 - row.pages), ""
            title = f"{rate * (1 - row.pages):,.0f} lookups/s{' and pages' if row.pages else ''}{of}"
            yield title, dataclasses.replace(row, load=load), rate


def words(text):
    return [word for word in text.split(",") if word]


def figure(values):
    return number(statistics.median(values)) + (f" ({number(min(values))}-{number(max(values))})" if len(values) > 1 else "")


def show(title, names, seen):
    """`seen`: a list of records, one a round, for each contender."""
    columns = {name: title for name, title in COLUMNS.items() if name in seen[0][0]}
    print(f"\n{title}\n| contender | {' | '.join(columns.values())} | errors |\n{'|---' * (len(columns) + 2)}|")
    for word, records in zip(names, seen):
        cells = []
        for name in columns:
            values = [record[name] for record in records]
            first = [record[name] for record in seen[0]]
            ratio = statistics.median(a / b for a, b in zip(values, first)) if min(first) > 0 else None
            cells.append(figure(values) + (f" x{ratio:.2f}" if records is not seen[0] and ratio is not None else ""))
        print(f"| {word} | {' | '.join(cells)} | {sum(sum(record['errors'].values()) for record in records)} |", flush=True)
    if "alone_p99_ms" in columns:
        for word, records in zip(names, seen):
            print(f"{word}: p99 of lookups with pages / alone: {figure([r['p99_ms'] / r['alone_p99_ms'] for r in records])}", flush=True)


def main():
    options = arguments(sys.argv[1:])
    interrupts.listen()
    found = [contender(word) for word in options.contenders]
    cpus = sorted(os.sched_getaffinity(0))
    if options.apart and CPUS < 2:
        raise Problem("--apart needs two CPUs")
    mode = Mode("apart", {cpus[0]}, {cpus[1]}, 1, 30) if options.apart else Mode("beside", set(cpus), set(cpus), 1, 30)
    effort = dataclasses.replace(FULL, rounds=options.rounds, seconds=options.seconds)
    stage = Stage(ROOT, SCRATCH, effort, mode=mode)
    print(f"server on CPUs {sorted(mode.cpus)}, PostgreSQL and generator on {sorted(mode.others_cpus)}"
          f", generator's priority: {generators.priority()[1]}; {options.rounds} rounds of {options.seconds} s; ms; "
          "medians (least-most), x: median of the ratios to the first of the same round", flush=True)

    @functools.cache
    def capacity(row):
        stage.contender, stage.places = found[0]
        return statistics.median(stage.measure(row)["rps"] for _ in range(options.rounds))

    try:
        for title, row, rate in loads(options, capacity):
            seen = [[] for _ in found]
            for turn in range(options.rounds):
                for place in range(len(found)):
                    place = (place + turn) % len(found)
                    interrupts.check()
                    stage.contender, stage.places = found[place]
                    seen[place].append(stage.measure(row, rate))
            show(title, options.contenders, seen)
    finally:
        stage.close()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Problem as problem:
        sys.exit(f"scale: {problem}")
    except KeyboardInterrupt:
        sys.exit("scale: interrupted")
