"""A run as an HTML page and as Markdown. What is shown is chosen here, how it looks stands in templates/."""
from datetime import datetime
from pathlib import Path

import jinja2

from . import charts, claim, figures, original, readme
from .model import key_text

TEMPLATES = Path(__file__).parent / "templates"
FIGURES = ("rps", "p50", "p95", "p99", "p99.9", "p99_windows", "max", "total_cpu_us", "cpu_us", "postgresql_cpu_us", "generator_cpu_us",
           "memory_mib", "switches")
# Closed loops: their latency is that of a full queue, so only one figure of it.
LOADS = {"saturation": ("rps", "p99", "total_cpu_us", "cpu_us", "postgresql_cpu_us", "generator_cpu_us", "memory_mib", "switches"),
         "clients": ("rps", "p99", "total_cpu_us", "cpu_us"),
         "mixed": ("rps", "p50", "p99", "total_cpu_us", "cpu_us", "postgresql_cpu_us", "memory_mib")}


def environment():
    env = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, lstrip_blocks=True,
                             undefined=jinja2.StrictUndefined,
                             autoescape=jinja2.select_autoescape(["html.j2"], default_for_string=False))
    env.filters.update(number=figures.number, times=figures.times, span=figures.span, ratio_span=figures.ratio_span,
                       count=figures.count, first_upper=figures.first_upper,
                       count_span=lambda f: figures.span(f, figures.count))
    env.globals.update(METRICS=figures.METRICS, SCENARIOS=figures.SCENARIOS, FAULTS=figures.FAULTS, key_text=key_text, row_key=row_key,
                       original=original)
    return env


def row_key(row):
    return row["scenario"], row["mode"], row["step"], row["variant"], row["contender"], row["fault"] and row["fault"]["kind"]


def best(rows, metric):
    """The contender whose turns lie apart from every other's, on the better side; None when there is none."""
    more = figures.METRICS[metric][2]
    found = [(n, f) for n, r in rows if (f := r["metrics"].get(metric)) and f.get("low") is not None]
    if any(r["turns"] < 2 for _, r in rows):
        return None
    for name, figure in found:
        rest = [f for n, f in found if n != name]
        if rest and all(figure["low"] > f["high"] if more else figure["high"] < f["low"] for f in rest):
            return name
    return None


def table(run, scenario, mode, metrics, step=None):
    """A scenario as a table: a line a metric, a column a contender; metrics that nobody measured are left out."""
    rows = [(n, r) for n in run.names if (r := run.row(scenario, mode, n, step))]
    if not rows:
        return None
    lines = [{"metric": m, "best": best(rows, m)} for m in metrics
             if any((r["metrics"].get(m) or {}).get("median") is not None for _, r in rows)]
    past = original.FIGURES.get(scenario) if mode == original_mode(run) else None
    return {"scenario": scenario, "mode": mode, "step": step, "rows": rows, "lines": lines, "original": past}


def held(run, mode):
    """Whether anybody kept the objective at any rate in this mode."""
    return any(c["mode"] == mode and c["kept"] for c in run.capacity)


def glance(run):
    """The first mode in some figures a contender, for the first screen: {"mode", "step", "columns": [(title, unit, scenario, step,
    metric)]}; capacity's scenario is None."""
    mode = run.modes[0]
    step = readme.shared_step(run, mode, "last")
    load = ("rate", step) if step else ("saturation", None)
    columns = [("CPU, both", "µs/req", *load, "total_cpu_us"), ("its own", "µs/req", *load, "cpu_us")]
    columns += [("capacity", "req/s", None, None, "capacity")] if held(run, mode) else [("saturation", "req/s", "saturation", None, "rps")]
    columns += [("p99", "ms", "heavy", None, "p99"), ("memory", "MiB", "saturation", None, "memory_mib")]
    known = lambda scenario, step, metric: any((row := run.row(scenario, mode, n, step)) and metric in row["metrics"] for n in run.names)
    return {"mode": mode, "step": step, "columns": [c for c in columns if c[2] is None or known(*c[2:])]}


def uncounted(run):
    """What a contender has no counting turn of: its absence from a table is told beside the claim."""
    found = {}
    for (scenario, mode, step, variant, name, fault), row in run.rows.items():
        if row["turns"] == 0 and variant is None:
            what = f"{figures.SCENARIOS.get(scenario, scenario).split(':')[0]}" + (f" at {step:,.0f}/s" if step else "")
            why = next((t["void"] for t in run.groups[row_key(row)]), "no turn")
            found.setdefault((name, mode, why), []).append(what)
    return [{"name": n, "mode": m, "why": why, "what": what} for (n, m, why), what in found.items()]


def held_back(run):
    """Where something else than the contender was at an end in most turns of saturation: [{"mode", "limit", "names"}]."""
    found = {}
    for mode in run.modes:
        for name in run.names:
            row = run.row("saturation", mode, name)
            if row and row["limits"] and row["limits"][0][0] != "contender":
                found.setdefault((mode, row["limits"][0][0]), []).append(name)
    return [{"mode": mode, "limit": limit, "names": names} for (mode, limit), names in found.items()]


def noise(run):
    """What the machine did by itself: {"steal": the most of any turn, "controls": p99 of the controls, in ms, sorted, "mhz"}."""
    turns = [t for t in run.turns if not t["fault"]]
    controls = sorted(t["control"]["p99_ms"] for t in turns if t["control"] and t["control"]["p99_ms"] is not None)
    return {"steal": max((t["steal"] for t in turns), default=0), "controls": controls,
            "mhz": sorted({t["mhz"] for t in turns if t["mhz"]})}


def original_mode(run):
    """The mode that the published figures stand beside: theirs had several CPUs."""
    return max(run.modes, key=lambda m: len(run.run["modes"][m]["cpus"]))


def modes_of(run, scenario):
    return [m for m in run.modes if run.has(scenario, m)]


def latency_charts(run, style):
    shared = [p[k] for m in run.modes for p in charts.latency_points(run, m) for k in ("low", "high")
              if p[k] is not None]
    if not shared:
        return []
    if min(shared) <= 0:
        shared = [p["ms"] for m in run.modes for p in charts.latency_points(run, m)]
    return [{"title": charts.where(run, m), "svg": charts.latency(run, style, m, shared)}
            for m in modes_of(run, "rate")]


def distribution_charts(run, style):
    """Of the heavy scenario, and of the highest fixed rate that every contender answered without an error."""
    found = []
    for mode in run.modes:
        shared = [s for s in run.steps("rate", mode)
                  if all((r := run.row("rate", mode, n, s)) and not r["errors"] for n in run.names)]
        for scenario, step in [("rate", s) for s in shared[-1:]] + [("heavy", None)]:
            points = charts.distribution_points(run, scenario, mode, step)
            if points:
                what = f"{step:,.0f} requests/s" if step else figures.SCENARIOS[scenario]
                found.append({"title": f"{what}; {charts.where(run, mode)}",
                              "svg": charts.distribution(run, style, points)})
    return found


def ablations(run, style):
    """Turns of a variant beside those without one, by scenario and mode."""
    groups = {}
    for (scenario, mode, step, variant, name, fault), row in run.rows.items():
        if variant is not None:
            groups.setdefault((scenario, mode, step, name), []).append(row)
    found = []
    for (scenario, mode, step, name), rows in groups.items():
        base = run.row(scenario, mode, name, step)
        shown = [r for r in ([base] if base else []) + rows if r["metrics"].get("rps")]
        if not shown:
            continue
        items = [{"label": r["variant"] or "as compared", "figure": r["metrics"]["rps"],
                  "color": style.color[name] if r["variant"] is None else charts.FAINT,
                  "text": figures.number(r["metrics"]["rps"]["median"]),
                  "who": f"{name} {r['variant'] or 'as compared'}"}
                 for r in shown]
        found.append({"title": f"{run.labels[name]}, {scenario}; {charts.where(run, mode)}", "rows": shown,
                      "metrics": [m for m in ("rps", "p99", "total_cpu_us", "cpu_us")
                                  if any(r["metrics"].get(m) for r in shown)],
                      "svg": charts.bars(items, "requests/s")})
    return found


def fairness(run):
    rules = {}
    for entry in run.run.get("fairness") or []:
        rules.setdefault(entry["rule"], []).append(entry)
    return [{"rule": rule, "entries": entries, "held": sum(e["held"] for e in entries),
             "alike": len({(str(e["expected"]), str(e["seen"])) for e in entries}) == 1}
            for rule, entries in rules.items()]


def faults(run):
    kinds = {}
    for k, row in run.rows.items():
        if k[5]:
            kinds.setdefault((k[5], k[1]), []).append(row)
    order = {n: i for i, n in enumerate(run.names)}
    for (kind, mode), rows in kinds.items():
        rows.sort(key=lambda r: order[r["contender"]])
        for row in rows:
            held = [t["fault"].get("held_s") for t in run.counting(row_key(row))]
            row["held_s"] = max((h for h in held if h is not None), default=None)
    return [{"kind": kind, "mode": mode, "rows": rows} for (kind, mode), rows in kinds.items()]


def date(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).strftime("%-d %B %Y, %H:%M UTC")


def context(run, draw=True):
    style = charts.Style(run)
    judged = claim.judgements(run)
    data = {
        "run": run, "style": style, "short": lambda n: claim.short(run, n),
        "standing": readme.standing, "noise": noise(run),
        "sentences": "\n\n".join(text for text in readme.claimed(run)) if not run.void else "",
        "told": lambda j: readme.told_figure(run, j), "cpus": lambda m: figures.cpus(run, m),
        "where": lambda m: charts.where(run, m), "date": date(run.run["started"]), "figures": FIGURES,
        "claims": claim.claims(run), "fairness": fairness(run), "faults": faults(run),
        "losses": claim.lines(judged, "worse"), "ties": claim.lines(judged, "tie"),
        "lost": claim.families(judged, "worse"), "tied": claim.families(judged, "tie"), "judged": len(judged),
        "unproven": len([j for j in judged if j["verdict"] == "unproven"]),
        "glance": glance(run), "held_back": held_back(run), "uncounted": uncounted(run),
        "originals": [t for s in ("light", "heavy") for m in run.modes
                      if (t := table(run, s, m, ("p50", "p95", "p99", "max", "rps", "total_cpu_us", "cpu_us", "memory_mib")))],
        "loads": [t for s, metrics in LOADS.items() for m in run.modes for step in run.steps(s, m) or [None]
                  if (t := table(run, s, m, metrics, step))],
        "turns": len([t for t in run.turns if not t.get("void")]), "void_turns": run.void_turns(),
        "original_mode": original_mode(run),
    }
    if draw:
        data |= {
            "forest": [{"title": charts.where(run, m), "svg": charts.forest(run, style, m, items)}
                       for m in run.modes if (items := charts.forest_items(run, m))] if not run.void else [],
            "capacity": [{"title": charts.where(run, m), "svg": charts.capacity(run, style, m)} for m in run.modes
                         if held(run, m)],
            "not_held": [m for m in run.modes if any(c["mode"] == m for c in run.capacity) and not held(run, m)],
            "latency": latency_charts(run, style), "distribution": distribution_charts(run, style),
            "cpu": [{"title": charts.where(run, m), "svg": charts.cpu(run, style, "saturation", m)}
                    for m in modes_of(run, "saturation")
                    if any((r := run.row("saturation", m, n)) and r["metrics"].get("cpu_us") for n in run.names)],
            "ablations": ablations(run, style),
        }
    return data


def html(run):
    return environment().get_template("page.html.j2").render(context(run))


def markdown(run):
    return environment().get_template("summary.md.j2").render(context(run, draw=False))
