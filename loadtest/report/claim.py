"""What a run says in a sentence, and what it says against it. Both by rule, so that neither can be picked: the claim
is against the best other in each mode, and all that is lost or tied is listed, the worst first."""
import math

from .figures import FAULTS, METRICS, SCENARIOS, cpus
from .model import LATENCIES, LESS_IS_BETTER


def short(run, name):
    """The name that fits beside a point: a label without its brackets, the subject by its own name."""
    return name if name == run.subject else run.labels[name].split(" (")[0]


def claims(run):
    """One a mode, in the run's order; nothing when the run is void or nothing was compared."""
    if run.void:
        return []
    return [claim for mode in run.modes if (claim := _claim(run, mode))]


def _claim(run, mode):
    capacity = {c["contender"]: c["rps"]["median"] for c in run.capacity if c["mode"] == mode}
    saturation = {n: r["metrics"] for n in run.names if (r := run.row("saturation", mode, n))}
    rates = {n: m["rps"]["median"] for n, m in saturation.items()}
    costs = {n: m["cpu_us"]["median"] for n, m in saturation.items() if m.get("cpu_us")}
    rate = None
    for metric, found in (("capacity", capacity), ("rps", rates)):
        others = [n for n in found if n != run.subject]
        if run.subject in found and others:
            rate = run.comparison(metric, mode, max(others, key=found.get), "saturation" if metric == "rps" else None)
            if rate:
                break
    others = [n for n in costs if n != run.subject]
    cost = run.comparison("cpu_us", mode, min(others, key=costs.get), "saturation") if others else None
    if not rate:
        return None
    objective = next((c["objective"] for c in run.capacity if c["mode"] == mode), None)
    return {"mode": mode, "cpus": cpus(run, mode), "rate": rate, "cost": cost, "objective": objective,
            "rate_label": run.labels[rate["against"]], "cost_label": cost and run.labels[cost["against"]]}


def _apart(mine, other, metric):
    """The verdict of two intervals, where the harness compared nothing: apart, or nothing said."""
    if not mine or not other or mine.get("low") is None or other.get("low") is None:
        return None
    if mine["low"] > other["high"]:
        return "worse" if metric in LESS_IS_BETTER else "better"
    if mine["high"] < other["low"]:
        return "better" if metric in LESS_IS_BETTER else "worse"
    return None


def against_it(run):
    """All comparisons that the subject does not win, as lines: {"verdict", "what", "against", "seen": [...]}; each
    `seen` has where, ratio (or two figures) and the basis. The worst lines first, ties after losses."""
    lines = {}

    def add(verdict, what, against, where, size, **figures):
        line = lines.setdefault((verdict, what, against),
                                {"verdict": verdict, "what": what, "against": against, "size": 0.0, "seen": []})
        line["seen"].append({"where": where, "size": size, **figures})
        line["size"] = max(line["size"], size)

    compared = set()
    for c in run.comparisons:
        compared.add((c["scenario"], c["mode"], c["step"], c["metric"], c["against"]))
        if c["verdict"] != "better":
            what = METRICS[c["metric"]][0]
            if c["scenario"] != "capacity":
                what += f", {SCENARIOS[c['scenario']].split(':')[0]}"
            add(c["verdict"], what, c["against"], _where(run, c["mode"], c["step"]), _size(c["ratio"]["median"]),
                ratio=c["ratio"])
    for (scenario, mode, step, variant, name, fault), row in run.rows.items():
        mine = run.row(scenario, mode, run.subject, step, variant, fault)
        if name == run.subject or variant is not None or not mine:
            continue
        if fault:
            _add_faults(run, add, mine, row, mode, name)
            continue
        if mine["errors"] > row["errors"]:
            add("worse", f"errors, {SCENARIOS[scenario].split(':')[0]}", name, _where(run, mode, step), 9.0,
                pair=(mine["errors"], row["errors"]))
        for metric in (*LATENCIES, "rss_peak_mib", "postgresql_cpu_us"):
            a, b = mine["metrics"].get(metric), row["metrics"].get(metric)
            if (scenario, mode, step, metric, name) not in compared and _apart(a, b, metric) == "worse":
                add("worse", f"{METRICS[metric][0]}, {SCENARIOS[scenario].split(':')[0]}", name,
                    _where(run, mode, step), _size(a["median"] / b["median"] if b["median"] else 9),
                    ratio={"median": a["median"] / b["median"] if b["median"] else math.inf, "low": None})
    for line in lines.values():
        line["seen"].sort(key=lambda s: -s["size"])
    return sorted(lines.values(), key=lambda li: (li["verdict"] == "tie", -li["size"]))


def _add_faults(run, add, mine, row, mode, name):
    kind = FAULTS.get(mine["fault"]["kind"], mine["fault"]["kind"])
    if mine["fault"]["wrong"]:
        add("worse", f"wrong answers, {kind}", name, _where(run, mode, None), 99.0,
            pair=(mine["fault"]["wrong"], row["fault"]["wrong"]))
    for figure, what in (("errors", "errors"), ("recovered_s", "seconds to recover")):
        a, b = mine["fault"].get(figure), row["fault"].get(figure)
        if a and b and a.get("low") is not None and b.get("low") is not None and a["low"] > b["high"]:
            add("worse", f"{what}, {kind}", name, _where(run, mode, None),
                _size(a["median"] / b["median"] if b["median"] else 9), pair=(a["median"], b["median"]))


def _size(ratio):
    return abs(math.log(ratio)) if 0 < ratio < math.inf else 9.0


def _where(run, mode, step):
    text = f"on {cpus(run, mode)}"
    return text if step is None else f"{text} at {step:,.0f}/s"
