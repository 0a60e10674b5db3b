"""python3 -m loadtest.report RUN_FOLDER: writes report.html and summary.md there, from what the run left."""
import argparse
import sys
from pathlib import Path

from . import readme
from .model import Refused, Run


def main():
    parser = argparse.ArgumentParser(
        prog="loadtest/report/report",
        description="Write RUN/report.html and RUN/summary.md from RUN/run.json, turns.jsonl and summary.json; with "
                    "an option, print or check the README's table instead (needs no packages).")
    parser.add_argument("run", help="the folder of a run, e.g. loadtest/results/reference")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--table", action="store_true", help="print the README's results table")
    only.add_argument("--update", metavar="README", help="put the table into this file, between its markers")
    only.add_argument("--check", metavar="README", help="fail if the table in this file is not that of the run")
    args = parser.parse_args()
    try:
        run = Run(args.run)
        if args.table:
            print(readme.table(run))
        elif args.update:
            readme.update(run, Path(args.update))
        elif args.check:
            readme.check(run, Path(args.check))
        else:
            write(run)
    except (Refused, OSError) as error:
        sys.exit(f"report: {error}")


def write(run):
    try:
        from . import page
    except ImportError as error:
        raise Refused(f"{error.name} is not installed: use loadtest/report/report, or "
                      "pip install -r loadtest/report/requirements.txt") from error
    for name, text in (("report.html", page.html(run)), ("summary.md", page.markdown(run))):
        (run.folder / name).write_text(text)
    print(f"{run.folder}/report.html and summary.md written" + (f"; VOID: {run.void}" if run.void else ""))


if __name__ == "__main__":
    main()
