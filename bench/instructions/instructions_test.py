#!/usr/bin/env python3
"""User-space instructions a request, counted by callgrind, against the figures in figures.txt.

    bench/instructions/instructions_test.py PROGRAM [--update]

The path is the shipping shard's, from the bytes of a request to those of its answer, with kernel, clients and
PostgreSQL simulated and not counted. valgrind shows each program the same CPU, so a machine with AVX2 counts as any
other does. Fails when a figure has grown by 2 % or more; --update writes what was counted.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

FIGURES = pathlib.Path(__file__).with_name("figures.txt")
TOLERANCE = 0.02
SKIPPED = 77


def leave_out(why):
    print(f"instructions: {why}", file=sys.stderr)
    sys.exit(1 if os.environ.get("CI") else SKIPPED)


def count(program):
    """compiler, and instructions a request by the name of the load"""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "callgrind"
        command = ["valgrind", "--tool=callgrind", "--quiet", f"--callgrind-out-file={out}",
                   "--dump-before=instructions_mark", "--toggle-collect=__wrap_*", "--collect-atstart=yes", program]
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
        compiler, *loads = printed.splitlines()
        counted = {}
        # Each mark ends a piece: a load has one before it is steady, and the one that counts.
        for number, load in enumerate(loads):
            name, requests = load.split()
            piece = pathlib.Path(f"{out}.{2 * number + 2}").read_text()
            counted[name] = int(re.search(r"^totals: (\d+)", piece, re.M).group(1)) // int(requests)
    return compiler, counted


def read_figures():
    rows = [line.rsplit(maxsplit=2) for line in FIGURES.read_text().splitlines() if line[:1] not in ("", "#")]
    return {(compiler, name): int(figure) for compiler, name, figure in rows}


def write_figures(figures):
    head = [line for line in FIGURES.read_text().splitlines() if line.startswith("#")]
    rows = [f"{compiler:<14} {name:<18} {figure:>7}" for (compiler, name), figure in sorted(figures.items())]
    FIGURES.write_text("\n".join(head + rows) + "\n")


def main():
    program = sys.argv[1]
    if shutil.which("valgrind") is None:
        leave_out("valgrind is not installed")
    if " avx2 " not in pathlib.Path("/proc/cpuinfo").read_text():
        leave_out("the figures are those of a CPU with AVX2")
    compiler, counted = count(program)
    figures = read_figures()
    updating = sys.argv[2:] == ["--update"]
    if updating:
        write_figures(figures | {(compiler, name): number for name, number in counted.items()})
    elif (compiler, next(iter(counted))) not in figures:
        leave_out(f"there are no figures of {compiler}; --update writes them")
    grown = False
    for name, number in counted.items():
        figure = figures.get((compiler, name), number)
        change = number / figure - 1
        print(f"{compiler}, {name}: {number} instructions a request, {change:+.2%} of {figure}")
        if updating:
            continue
        if change >= TOLERANCE:
            grown = True
            print("  has grown: find out why, or write it down by --update")
        elif change <= -TOLERANCE:
            print("  has shrunk: write it down by --update, so that it stays so")
    return grown


if __name__ == "__main__":
    sys.exit(main())
