"""A run, read and judged. What contradicts itself is refused: the summary must be that of the raw turns, a verdict
that of its interval, and a run in which a rule of fairness failed is void whatever its header says."""
import json
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
        self.contenders = [c for c in self.run["contenders"] if not c.get("left_out")]
        self.left_out = [c for c in self.run["contenders"] if c.get("left_out")]
        self.labels = {c["name"]: c["label"] for c in self.run["contenders"]}
        self.names = [c["name"] for c in self.contenders]
        self.modes = list(self.run["modes"])
        self.comparisons = self.summary.get("comparisons") or []
        self.capacity = self.summary.get("capacity") or []
        self.subject = self.comparisons[0]["contender"] if self.comparisons else self.names[0]
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

    def void_turns(self):
        return [t for t in self.turns if t.get("void")]

    def comparison(self, metric, mode, against, scenario=None):
        """The one of this metric that is not about a single step, or None."""
        for c in self.comparisons:
            if (c["metric"], c["mode"], c["against"]) == (metric, mode, against) \
                    and scenario in (None, c["scenario"]):
                return c
        return None

    def _judge(self):
        for k, row in self.rows.items():
            turns = self.counting(k)
            # Capacity is searched: its rows need not be of one rate each, and are judged by what they end in.
            if k[0] == "capacity" and not turns:
                continue
            for metric, figure in row["metrics"].items():
                if not figure or figure.get("median") is None:
                    continue
                seen = median_of(turns, metric)
                if seen is None or abs(seen - figure["median"]) > TOLERANCE * abs(seen) + 0.0051:
                    raise Refused(f"{self.folder}/summary.json: {key_text(k)} {metric}: median {figure['median']}, "
                                  f"but its {len(turns)} turns in turns.jsonl have {seen}: make the summary again")
        for c in self.comparisons:
            ratio, more = c["ratio"], c["metric"] not in LESS_IS_BETTER
            above, below = ratio["low"] > 1, ratio["high"] < 1
            verdict = "tie" if not (above or below) else "better" if above == more else "worse"
            if c["verdict"] != verdict:
                raise Refused(f"{self.folder}/summary.json: {c['scenario']} {c['mode']} {c['metric']} against "
                              f"{c['against']} is called {c['verdict']!r}, its interval {ratio['low']} to "
                              f"{ratio['high']} says {verdict!r}: make the summary again")
