"""The README's results table: made from a run, put between two markers, and checked against the run by a test."""
import re

from . import claim
from .figures import count, cpus, number, ratio_span, times
from .model import Refused

MARKERS = re.compile(r"(<!-- results -->\n).*?(\n?<!-- /results -->)", re.DOTALL)


def cell(figure):
    if not figure or figure.get("median") is None:
        return "–"
    return ("≥ " if figure.get("at_least") else "") + number(figure["median"])


def table(run):
    """Both modes; the best of a line is not marked: the figures are few enough to be read."""
    if run.void:
        raise Refused(f"{run.folder} is void ({run.void}): it makes no table; run the comparison again")
    lines = [f"| | {' | '.join(run.labels[n] for n in run.names)} |", "|---|" + "---:|" * len(run.names)]
    for mode in run.modes:
        where = f"{cpus(run, mode)}, {run.run['modes'][mode]['connections']} connections"
        lines.append(f"| **{where}** |" + " |" * len(run.names))
        found = {c["contender"]: {**c["rps"], "at_least": c["at_least"]} for c in run.capacity if c["mode"] == mode}
        if found:
            objective = next(c["objective"] for c in run.capacity if c["mode"] == mode)
            lines.append(line(f"requests/s with {objective.replace('p99 <', 'p99 under')}", run, found.get))
        for text, scenario, metric in (("requests/s at saturation", "saturation", "rps"),
                                       ("CPU per request at saturation, µs", "saturation", "cpu_us"),
                                       ("peak memory at saturation, MiB", "saturation", "rss_peak_mib"),
                                       ("p99 with 100 users, ms", "heavy", "p99")):
            rows = {n: r["metrics"].get(metric) for n in run.names if (r := run.row(scenario, mode, n))}
            if any(rows.values()):
                lines.append(line(text, run, rows.get))
    return "\n".join([*lines, "", *sentences(run), "", context(run)])


def line(text, run, figure):
    return f"| {text} | {' | '.join(cell(figure(n)) for n in run.names)} |"


def sentences(run):
    """The claims, and what is lost, by family."""
    out = []
    for c in claim.claims(run):
        does = "sustains" if c["rate"]["metric"] == "capacity" else "answers"
        text = f"On {c['cpus']}, {run.subject} {does} {times(c['rate']['ratio']['median'])} ({interval(run, c['rate'])}) " \
               f"the requests/s of the best other, {c['rate_label']}" + standing(run, c["rate"])
        if c["cost"]:
            whose = "its CPU per request" if c["cost"]["against"] == c["rate"]["against"] else f"the CPU per request of {c['cost_label']}"
            text += f", at {times(c['cost']['ratio']['median'])} ({interval(run, c['cost'])}) {whose} {c['cost_where']}" \
                    + standing(run, c["cost"])
        out.append(text + ".")
    lost = claim.families(claim.judgements(run), "worse")
    if lost:
        out += ["", f"It loses, the worst first: {'; '.join(told(run, f) for f in lost)}."]
    return out


def interval(run, c):
    return "one turn each" if run.alone(c) else ratio_span(c["ratio"])


def standing(run, c):
    return " (no proof)" if run.alone(c) else " (a tie)" if c["verdict"] == "tie" else ""


def told(run, f):
    family = f["family"] if f["family"][:2].isupper() or "SQL" in f["family"] else f["family"].lower()
    return f"{family} in {f['count']} of {f['of']} figures (worst: {f['worst']['what']}, " \
           f"{told_figure(run, f['worst'])} {f['worst']['where']})"


def told_figure(run, judged):
    """A figure of the subject by the other's: `1.58x Rust's (1.54 to 1.62)`, or the two where a ratio says less."""
    other = claim.short(run, judged["against"]) + "'s"
    if "pair" in judged:
        return f"{count(judged['pair'][0])} against {other} {count(judged['pair'][1])}" \
               + (f" ({judged['note']})" if judged["note"] else "")
    ratio = judged["ratio"]
    return f"{times(ratio['median'])} {other}" + (f" ({ratio_span(ratio)})" if ratio["low"] is not None else "")


def context(run):
    m = run.run["machine"]
    kind = "virtual machine" if m.get("virtualised") else "machine"
    return f"Medians of interleaved turns on one {kind} ({m['cpu_model']}, {m['cpus']} CPUs, Linux {m['kernel']}), " \
           f"{run.run['started'][:10]}, effort {run.run['effort']}; the load generator and PostgreSQL ran on it too."


def _split(path):
    text = path.read_text()
    if not MARKERS.search(text):
        raise Refused(f"{path} has no <!-- results --> ... <!-- /results -->: add the two markers, a line each")
    return text


def update(run, path):
    text = _split(path)
    path.write_text(MARKERS.sub(lambda m: m[1] + table(run) + "\n" + m[2].lstrip("\n"), text, count=1))


def check(run, path):
    text = _split(path)
    if MARKERS.search(text)[0] != f"<!-- results -->\n{table(run)}\n<!-- /results -->":
        raise Refused(f"{path}: the results table is not that of {run.folder}: "
                      f"loadtest/report/report {run.folder} --update {path}")
