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


LINES = [
    # text, scenario, step ("first", "last" or None), metric
    ("CPU of it and PostgreSQL per request at {step:,.0f} requests/s, µs", "rate", "first", "total_cpu_us"),
    ("CPU of it and PostgreSQL per request at {step:,.0f} requests/s, µs", "rate", "last", "total_cpu_us"),
    ("its own CPU per request at {step:,.0f} requests/s, µs", "rate", "last", "cpu_us"),
    ("requests/s with p99 under {limit:g} ms, no error", "capacity", None, "capacity"),
    ("requests/s at saturation, 64 clients", "saturation", None, "rps"),
    ("p50, 10 users, ms", "light", None, "p50"), ("p95, 10 users, ms", "light", None, "p95"), ("p99, 10 users, ms", "light", None, "p99"),
    ("p50, 100 users, ms", "heavy", None, "p50"), ("p95, 100 users, ms", "heavy", None, "p95"), ("p99, 100 users, ms", "heavy", None, "p99"),
    ("slowest of all, 100 users, ms", "heavy", None, "max"), ("requests/s, 100 users", "heavy", None, "rps"),
    ("peak memory at saturation, MiB", "saturation", None, "memory_mib"),
]


def table(run):
    """Both modes; the best of a line is not marked: the figures are few enough to be read."""
    if run.void:
        raise Refused(f"{run.folder} is void ({run.void}): it makes no table; run the comparison again")
    lines = [f"| | {' | '.join(run.labels[n] for n in run.names)} |", "|---|" + "---:|" * len(run.names)]
    for mode in run.modes:
        where = f"{cpus(run, mode)}, {run.run['modes'][mode]['connections']} connections"
        lines.append(f"| **{where}** |" + " |" * len(run.names))
        for text, scenario, which, metric in LINES:
            step = shared_step(run, mode, which) if which else None
            if which and step is None or which == "last" and metric == "total_cpu_us" and step == shared_step(run, mode, "first"):
                continue
            rows = figures_of(run, mode, scenario, step, metric)
            if any(rows.values()):
                lines.append(line(text.format(step=step or 0, limit=run.run["objective"]["p99_ms"]), run, rows.get))
        lines.append("| errors, of all requests | " + " | ".join(errors_of(run, mode, n) for n in run.names) + " |")
    return "\n".join([*lines, "", *sentences(run), "", context(run)])


def shared_step(run, mode, which):
    """The lowest or highest rate that every contender kept without an error."""
    steps = [step for step in run.steps("rate", mode)
             if all((row := run.row("rate", mode, n, step)) and row["turns"] and not row["errors"] and row["metrics"]["rps"]["median"] >= 0.97 * step
                    for n in run.names)]
    return (steps[0] if which == "first" else steps[-1]) if steps else None


def figures_of(run, mode, scenario, step, metric):
    if metric == "capacity":
        return {c["contender"]: {**c["rps"], "at_least": c["at_least"]} for c in run.capacity if c["mode"] == mode}
    return {n: r["metrics"].get(metric) for n in run.names if (r := run.row(scenario, mode, n, step))}


def errors_of(run, mode, name):
    """In all loads but the faults."""
    rows = [row for row in run.rows.values() if (row["mode"], row["contender"], row["variant"], row["fault"]) == (mode, name, None, None)]
    errors = sum(row["errors"] for row in rows)
    return f"{errors:,} of {errors + sum(row['requests'] for row in rows):,}"


def line(text, run, figure):
    return f"| {text} | {' | '.join(cell(figure(n)) for n in run.names)} |"


def claimed(run):
    """The claims, a sentence or two each."""
    out = []
    for c in claim.claims(run):
        text = f"On {c['cpus']}, a request costs {run.subject} and PostgreSQL {times(c['cost']['ratio']['median'])} ({ratio_span(c['cost']['ratio'])}) " \
               f"the CPU that it costs with the thriftiest other, {c['cost_label']}, {c['where']}{standing(c['cost'])}"
        if c["own"]:
            text += f"; its own share is {times(c['own']['ratio']['median'])} ({ratio_span(c['own']['ratio'])}) of that one's{standing(c['own'])}"
        if c["rate"]:
            does = "sustains" if c["rate"]["metric"] == "capacity" else "answers"
            text += f". It {does} {times(c['rate']['ratio']['median'])} ({ratio_span(c['rate']['ratio'])}) the requests/s of the best other, " \
                    f"{c['rate_label']}{standing(c['rate'])}"
        out.append(text + ".")
    return out


def sentences(run):
    """The claims; then what is lost and what is tied, by family."""
    out, judged = claimed(run), claim.judgements(run)
    for verb, verdict in (("It loses", "worse"), ("It ties", "tie")):
        if found := claim.families(judged, verdict):
            out += ["", f"{verb}, the worst first: {'; '.join(told(run, f) for f in found)}."]
    for mode in run.modes:
        out += variants(run, mode)
    return out


def variants(run, mode):
    """What parts of the subject bring: its variants at saturation, beside what the others answer."""
    def rps(name, variant=None):
        row = run.row("saturation", mode, name, variant=variant)
        return row and row["metrics"].get("rps") and number(row["metrics"]["rps"]["median"])

    names = dict.fromkeys(v for scenario, m, _, v, n, fault in run.rows if (scenario, m, n, fault) == ("saturation", mode, run.subject, None) and v)
    found = [f"{name}: {figure}" for name in names if (figure := rps(run.subject, name))]
    others = [f"{claim.short(run, name)} {figure}" for name in run.names if name != run.subject and (figure := rps(name))]
    if not found:
        return []
    beside = f" The others, as compared: {', '.join(others)}." if others else ""
    return ["", f"What its parts bring, requests/s of {run.subject} on {cpus(run, mode)} at saturation. {'; '.join(found)}.{beside}"]


def standing(c):
    return {"tie": " (a tie)", "unproven": " (no proof)", "worse": " (a loss)"}.get(c["verdict"], "")


def told(run, f):
    family = f["family"] if f["family"][:2].isupper() else f["family"].lower()
    return f"{family} in {f['count']} of {f['of']} figures (worst: {f['worst']['what']}, " \
           f"{told_figure(run, f['worst'])} {f['worst']['where']})"


def told_figure(run, judged):
    """A figure of the subject by the other's: `1.58x Rust's (1.54 to 1.62)`, or the two where a ratio says less."""
    other = claim.short(run, judged["against"]) + "'s"
    if "pair" in judged:
        return f"{count(judged['pair'][0])} against {other} {count(judged['pair'][1])}" \
               + (f" ({judged['note']})" if judged["note"] else "")
    return f"{times(judged['ratio']['median'])} {other} ({ratio_span(judged['ratio'])})"


def context(run):
    m = run.run["machine"]
    kind = "virtual machine" if m.get("virtualised") else "machine"
    shared = [cpus(run, mode) for mode, each in run.run["modes"].items() if set(each["cpus"]) & set(each["others_cpus"])]
    return f"Medians of interleaved turns, ratios of turns side by side with their 95 % intervals, on one {kind} ({m['cpu_model']}, " \
           f"{m['cpus']} CPUs, Linux {m['kernel']}), {run.run['started'][:10]}, effort {run.run['effort']}; the load generator and PostgreSQL ran on it " \
           "too" + (f", with {' and '.join(shared)} on the same CPUs as the contender" if shared else "") + "."


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
