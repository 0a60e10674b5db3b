"""A run, read and judged. What contradicts itself is refused: the summary must be that of the raw turns, a verdict
that of its interval, and a run in which a rule of fairness failed is void whatever its header says."""
import json
import re
import statistics
from collections import defaultdict
from pathlib import Path

LATENCIES = ("p50", "p90", "p95", "p99", "p99.9", "max")
LESS_IS_BETTER = {*LATENCIES, "cpu_us", "postgresql_cpu_us", "generator_cpu_us", "rss_peak_mib", "switches"}
# The harness may round what it sums up; more than this apart is another figure.
TOLERANCE = 0.005


class Refused(Exception):
    """The run can't be reported as it stands; the text says what is wrong, where, and what to do."""


def key(item):
    """What a turn or row is about: turns of the same key are repeats of each other."""
    fault = (item.get("fault") or {}).get("kind")
    return item["scenario"], item["mode"], item.get("step"), item.get("variant"), item["contender"], fault


def key_text(k):
    """The same as one word, for a page's data attributes."""
    return "|".join("" if part is None else f"{part:g}" if isinstance(part, (int, float)) else part for part in k)


def turn_metric(turn, metric):
    """A metric of one turn, from its raw figures; None where it was not measured."""
    if metric == "rps":
        return turn.get("rps")
    if metric in LATENCIES:
        return (turn.get("latency_ms") or {}).get(metric)
    if metric == "rss_peak_mib":
        return turn.get("rss_peak_mib")
    requests, cpu = turn.get("requests"), turn.get("cpu_s") or {}
    if not requests:
        return None
    if metric == "switches":
        switches = turn.get("context_switches") or {}
        return sum(v for v in switches.values() if v is not None) / requests if switches else None
    process = {"cpu_us": "contender", "postgresql_cpu_us": "postgresql", "generator_cpu_us": "generator"}[metric]
    return None if cpu.get(process) is None else cpu[process] / requests * 1e6


def median_of(turns, metric):
    values = [v for v in (turn_metric(t, metric) for t in turns) if v is not None]
    return statistics.median(values) if values else None


class Run:
    """What one folder holds. Rows are found by what they are about; contenders keep the run's order."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.run = self._json("run.json")
        self.summary = self._json("summary.json")
        if self.run.get("schema") != 1:
            raise Refused(f"{self.folder}/run.json: schema {self.run.get('schema')!r}, this report reads schema 1")
        path = self.folder / "turns.jsonl"
        try:
            lines = path.read_text().splitlines()
            self.turns = [json.loads(line) for line in lines if line.strip()]
        except (OSError, ValueError) as error:
            raise Refused(f"{path}: {error}: run the comparison again") from error
        self.groups = defaultdict(list)
        for turn in self.turns:
            self.groups[key(turn)].append(turn)
        self.rows = {key(row): row for row in self.summary["rows"]}
        # The subject first, then the others in the run's order: in every table and chart.
        self.contenders = sorted((c for c in self.run["contenders"] if not c.get("left_out")),
                                 key=lambda c: not c.get("subject"))
        self.left_out = [c for c in self.run["contenders"] if c.get("left_out")]
        self.labels = {c["name"]: c["label"] for c in self.run["contenders"]}
        self.names = [c["name"] for c in self.contenders]
        self.modes = list(self.run["modes"])
        self.comparisons = self.summary.get("comparisons") or []
        self.capacity = self.summary.get("capacity") or []
        if not self.names:
            raise Refused(f"{self.folder}/run.json: every contender was left out: nothing to report")
        self.subject = self.names[0]
        self.broken = [f for f in self.run.get("fairness") or [] if not f["held"]]
        self.void = self.run.get("void") or (self._broken_text() if self.broken else None)
        self._judge()

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

    def turns_of(self, metric, scenario, mode, step, contender):
        """How many turns a compared figure of a contender comes from; a search for capacity is one of it."""
        if metric == "capacity":
            return len({t["repeat"] for t in self.turns if (t["scenario"], t["mode"], t["contender"])
                        == ("capacity", mode, contender)})
        return len(self.counting((scenario, mode, step, None, contender, None)))

    def alone(self, c):
        """Whether a comparison has a single turn on a side, which proves nothing."""
        return min(self.turns_of(c["metric"], c["scenario"], c["mode"], c["step"], n)
                   for n in (c["contender"], c["against"])) < 2

    def at_least(self, mode, contender):
        """Whether its capacity may be more than was found: the generator could not go further."""
        return any(c["at_least"] for c in self.capacity if (c["mode"], c["contender"]) == (mode, contender))

    def void_turns(self):
        return [t for t in self.turns if t.get("void")]

    def comparison(self, metric, mode, against, scenario, step=None):
        for c in self.comparisons:
            if (c["metric"], c["mode"], c["against"], c["scenario"], c["step"]) \
                    == (metric, mode, against, scenario, step):
                return c
        return None

    def _judge(self):
        for k, row in self.rows.items():
            turns = self.counting(k)
            if len(turns) != row["turns"]:
                raise Refused(f"{self.folder}/summary.json: {key_text(k)} is said to be of {row['turns']} turns, "
                              f"turns.jsonl has {len(turns)} that count: make the summary again")
            for metric, figure in row["metrics"].items():
                if figure and figure.get("median") is not None:
                    self._same(f"{key_text(k)} {metric}", figure["median"], median_of(turns, metric))
        for c in self.capacity:
            limit = objective_ms(c["objective"])
            if limit is not None and c["rps"]["median"] is not None:
                found = capacities(self.turns, c["mode"], c["contender"], limit)
                self._same(f"capacity {c['mode']} {c['contender']}", c["rps"]["median"],
                           statistics.median(best for best, _ in found) if found else None)
                if c["at_least"] != (sum(ended for _, ended in found) > len(found) / 2):
                    raise Refused(f"{self.folder}/summary.json: capacity {c['mode']} {c['contender']}: that it is "
                                  f"{'' if c['at_least'] else 'no '}'at least' is not what turns.jsonl says: make the summary again")
        for c in self.comparisons:
            ratio, more = c["ratio"], c["metric"] not in LESS_IS_BETTER
            above, below = ratio["low"] > 1, ratio["high"] < 1
            open_ended = c["metric"] == "capacity" and self.at_least(c["mode"], c["against" if above else "contender"])
            verdict = "tie" if not (above or below) or self.alone(c) or open_ended else "better" if above == more else "worse"
            if c["verdict"] != verdict:
                raise Refused(f"{self.folder}/summary.json: {c['scenario']} {c['mode']} {c['metric']} against "
                              f"{c['against']} is called {c['verdict']!r}, its turns and its interval {ratio['low']} "
                              f"to {ratio['high']} say {verdict!r}: make the summary again")

    def _same(self, what, told, seen):
        if seen is None or abs(seen - told) > TOLERANCE * abs(seen) + 0.0051:
            raise Refused(f"{self.folder}/summary.json: {what}: median {told}, but the turns in turns.jsonl have "
                          f"{seen}: make the summary again")


def objective_ms(text):
    """The objective's limit, read from its text (`p99 < 10 ms, no error`); None if it says it otherwise."""
    found = re.search(r"p99 < ([\d.]+) ms", text)
    return float(found.group(1)) if found else None


def capacities(turns, mode, contender, limit_ms):
    """Of each search, the highest rate that was answered in time, without an error and without falling behind; and whether
    nothing but the generator failed at the next one."""
    searches = defaultdict(list)
    for turn in turns:
        if (turn["scenario"], turn["mode"], turn["contender"]) == ("capacity", mode, contender):
            searches[turn["repeat"]].append(turn)
    found = []
    for tried in searches.values():
        best = max((t["step"] for t in tried if not t["errors"] and t["latency_ms"]["p99"] is not None
                    and t["latency_ms"]["p99"] < limit_ms and t["rps"] >= 0.97 * t["step"]), default=0.0)
        following = min((t["step"] for t in tried if t["step"] > best), default=None)
        found.append((best, all(t.get("void") for t in tried if t["step"] == following)))
    return found
