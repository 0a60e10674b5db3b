"""A run, read. What is said of it is made from its raw turns (summary.py); a summary.json beside them that says something else is
refused, and a run in which a rule of fairness failed is void whatever its header says."""
import json
import math
from collections import defaultdict
from pathlib import Path

from . import summary
from .summary import key

SCHEMA = 2
TOLERANCE = 1e-6  # of a figure: a logarithm's last digit is the machine's


class Refused(Exception):
    """The run can't be reported as it stands; the text says what is wrong, where, and what to do."""


def key_text(k):
    """A turn's key as one word, for a page's data attributes."""
    return "|".join("" if part is None else f"{part:g}" if isinstance(part, (int, float)) else part for part in k)


def difference(told, seen, where=""):
    """Where two values, as JSON has them, part: (place, told, seen), or None."""
    if isinstance(told, dict) and isinstance(seen, dict):
        names = {**told, **seen}
        return next(filter(None, (difference(told.get(name), seen.get(name), f"{where} {name}") for name in names)), None)
    if isinstance(told, list) and isinstance(seen, list) and len(told) == len(seen):
        return next(filter(None, (difference(*pair, f"{where} {label(pair[0], i)}") for i, pair in enumerate(zip(told, seen)))), None)
    if isinstance(told, float) and isinstance(seen, (int, float)):
        return None if math.isclose(told, seen, rel_tol=TOLERANCE) else (where, told, seen)
    return None if told == seen else (where, told, seen)


def label(item, number):
    """What an entry of a list is about, in words."""
    if not isinstance(item, dict):
        return str(number)
    return " ".join(str(item[name]) for name in ("scenario", "mode", "step", "variant", "metric", "contender", "against") if item.get(name) is not None)


class Run:
    """What one folder holds. Rows are found by what they are about; contenders keep the run's order."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.run = self._json("run.json")
        if self.run.get("schema") != SCHEMA:
            raise Refused(f"{self.folder}/run.json: schema {self.run.get('schema')!r}, this report reads schema {SCHEMA}: run the comparison again "
                          "(1 had neither pairs of turns, nor controls, nor windows, and latencies as wrk and oha stamped them)")
        path = self.folder / "turns.jsonl"
        try:
            lines = path.read_text().splitlines()
            self.turns = [json.loads(line) for line in lines if line.strip()]
        except (OSError, ValueError) as error:
            raise Refused(f"{path}: {error}: run the comparison again") from error
        self.groups = defaultdict(list)
        for turn in self.turns:
            self.groups[key(turn)].append(turn)
        # The subject first, then the others in the run's order: in every table and chart.
        self.contenders = sorted((c for c in self.run["contenders"] if not c.get("left_out")),
                                 key=lambda c: not c.get("subject"))
        self.left_out = [c for c in self.run["contenders"] if c.get("left_out")]
        self.labels = {c["name"]: c["label"] for c in self.run["contenders"]}
        self.names = [c["name"] for c in self.contenders]
        if not self.names:
            raise Refused(f"{self.folder}/run.json: every contender was left out: nothing to report")
        self.subject = self.names[0]
        self.modes = list(self.run["modes"])
        said = json.loads(json.dumps(summary.summarize(self.turns, self.run["objective"], self.subject)))
        if wrong := difference(self._json("summary.json"), said):
            raise Refused(f"{self.folder}/summary.json:{wrong[0]}: {wrong[1]}, but the turns in turns.jsonl say {wrong[2]}: make the summary again")
        self.rows = {(row["scenario"], row["mode"], row["step"], row["variant"], row["contender"], row["fault"] and row["fault"]["kind"]): row
                     for row in said["rows"]}
        self.comparisons, self.capacity = said["comparisons"], said["capacity"]
        self.broken = [f for f in self.run.get("fairness") or [] if not f["held"]]
        self.void = self.run.get("void") or (self._broken_text() if self.broken else None)

    def _json(self, name):
        path = self.folder / name
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise Refused(f"{path}: {error}: run the comparison first") from error

    def _broken_text(self):
        first = self.broken[0]
        return f"{first['rule']}: {first['contender']}, {first['mode']}: expected {first['expected']}, " \
               f"seen {first['seen']}"

    def counting(self, k):
        """The turns behind a row: those that count."""
        return [t for t in self.groups.get(k, []) if not t.get("void")]

    def row(self, scenario, mode, contender, step=None, variant=None, fault=None):
        return self.rows.get((scenario, mode, step, variant, contender, fault))

    def steps(self, scenario, mode):
        return sorted({k[2] for k in self.rows if k[:2] == (scenario, mode) and k[2] is not None and k[3] is None})

    def has(self, scenario, mode=None):
        return any(k[0] == scenario and k[3] is None and mode in (None, k[1]) for k in self.rows)

    def void_turns(self):
        return [t for t in self.turns if t.get("void")]
