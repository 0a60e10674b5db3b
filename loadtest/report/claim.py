"""What a run says in a sentence, and what it says against it. Both by rule, so that neither can be picked: the claim is against the other
that comes out best beside the subject, in each mode, and all that is lost or tied is listed, the worst first."""
import math

from .figures import FAULTS, METRICS, SCENARIOS, cpus
from .summary import LESS_IS_BETTER, PERCENTILES


def short(run, name):
    """The name that fits beside a point: a label without its brackets, the subject by its own name."""
    return name if name == run.subject else run.labels[name].split(" (")[0]


def claims(run):
    """One a mode, in the run's order; nothing when the run is void or nothing was compared."""
    if run.void:
        return []
    return [claim for mode in run.modes if (claim := _claim(run, mode))]


def hardest(run, mode, metric, scenario):
    """The comparison that is least in the subject's favour, over all steps together; None where there is none."""
    found = [c for c in run.comparisons if (c["mode"], c["metric"], c["scenario"], c["step"]) == (mode, metric, scenario, None)]
    pick = max if metric in LESS_IS_BETTER else min
    return pick(found, key=lambda c: c["ratio"]["median"], default=None)


def _claim(run, mode):
    """`cost`: CPU of contender and PostgreSQL a request, at equal rates; `own`: the contender's alone, against the same other; `rate`:
    the capacity. Where a run has no rates, what it has of saturation."""
    cost = hardest(run, mode, "total_cpu_us", "rate") or hardest(run, mode, "total_cpu_us", "saturation")
    rate = hardest(run, mode, "capacity", "capacity") or hardest(run, mode, "rps", "saturation")
    if not cost:
        return None
    own = next((c for c in run.comparisons if (c["mode"], c["metric"], c["scenario"], c["step"], c["against"])
                == (mode, "cpu_us", cost["scenario"], None, cost["against"])), None)
    return {"mode": mode, "cpus": cpus(run, mode), "cost": cost, "own": own, "rate": rate,
            "cost_label": run.labels[cost["against"]], "rate_label": rate and run.labels[rate["against"]],
            "where": "at equal rates" if cost["scenario"] == "rate" else "at saturation",
            "objective": next((c["objective"] for c in run.capacity if c["mode"] == mode), None)}


# What a metric is a part of: the first screen has one line of each, with its worst figure.
FAMILIES = {"rps": "Throughput", "capacity": "Throughput", "cpu_us": "CPU", "total_cpu_us": "CPU", "memory_mib": "Memory",
            **dict.fromkeys((*PERCENTILES, "p99_windows"), "Latency")}


def judgements(run):
    """Every figure of the subject beside every other's: {"verdict", "family", "what", "against", "where", "size" (how far from even),
    "ratio" or "pair"}."""
    out = []

    def add(verdict, family, what, against, scenario, mode, step, size, **figures):
        out.append({"verdict": verdict, "family": family, "what": what, "against": against, "size": size,
                    "where": _where(run, scenario, mode, step), "step": step, "note": None, **figures})

    for c in run.comparisons:
        add(c["verdict"], FAMILIES[c["metric"]], _what(c["metric"], c["scenario"]), c["against"], c["scenario"], c["mode"], c["step"],
            _size(c["ratio"]["median"]), ratio=c["ratio"])
    for (scenario, mode, step, variant, name, fault), row in run.rows.items():
        mine = run.row(scenario, mode, run.subject, step, variant, fault)
        if name == run.subject or variant is not None or not mine:
            continue
        if fault:
            for verdict, what, pair, size in _faults(mine["fault"], row["fault"]):
                add(verdict, "Faults", f"{what}, {FAULTS.get(fault, fault)}", name, scenario, mode, None, size, pair=pair,
                    note="one turn" if min(mine["turns"], row["turns"]) < 2 else None)
        elif mine["errors"] or row["errors"]:
            worse = mine["errors"] > row["errors"]
            add("worse" if worse else "better" if mine["errors"] < row["errors"] else "tie", "Errors",
                _what("errors", scenario), name, scenario, mode, step, 9.0, pair=(mine["errors"], row["errors"]))
    return out


def _faults(mine, other):
    """(verdict, what, pair, size) of one fault's figures; a wrong answer outweighs all else. The ranges of two that lie apart decide."""
    if mine["wrong"]:
        yield "worse", "wrong answers", (mine["wrong"], other["wrong"]), 99.0
    for figure, what in (("errors", "errors"), ("recovered_s", "seconds to recover")):
        a, b = mine[figure], other[figure]
        verdict = "worse" if a["low"] > b["high"] else "better" if a["high"] < b["low"] else "tie"
        yield verdict, what, (a["median"], b["median"]), _size(a["median"] / b["median"]) if a["median"] and b["median"] else 9.0


def lines(judged, verdict):
    """All of one verdict, those about the same thing as one line {"what", "against", "seen"}; the worst first. Faults that are alike
    are no news."""
    found = {}
    for j in judged:
        if j["verdict"] == verdict and (verdict != "tie" or "ratio" in j):
            found.setdefault((j["what"], j["against"]), []).append(j)
    out = [{"what": what, "against": against, "seen": sorted(seen, key=lambda j: -j["size"])}
           for (what, against), seen in found.items()]
    return sorted(out, key=lambda li: -li["seen"][0]["size"])


def families(judged, verdict):
    """The same in a line a family: {"family", "worst", "count", "of", "by": {contender: count}}. As its worst figure stands one of no
    single rate where there is one."""
    out = []
    for family in dict.fromkeys(j["family"] for j in judged):
        every = [j for j in judged if j["family"] == family and (verdict != "tie" or "ratio" in j)]
        found = [j for j in every if j["verdict"] == verdict]
        if not found:
            continue
        worst = max(found, key=lambda j: (j["step"] is None, j["size"]))
        by = {}
        for j in found:
            by[j["against"]] = by.get(j["against"], 0) + 1
        out.append({"family": family, "worst": worst, "count": len(found), "of": len(every),
                    "by": dict(sorted(by.items(), key=lambda kv: -kv[1]))})
    return sorted(out, key=lambda f: -f["worst"]["size"])


def _what(metric, scenario):
    name = METRICS[metric][0] if metric in METRICS else metric
    return name if scenario == "capacity" else f"{name}, {SCENARIOS.get(scenario, scenario).split(':')[0]}"


def _size(ratio):
    return abs(math.log(ratio)) if 0 < ratio < math.inf else 9.0


def _where(run, scenario, mode, step):
    text = f"on {cpus(run, mode)}"
    if step is None:
        return text
    return f"{text} with {step:,.0f}" if scenario == "clients" else f"{text} at {step:,.0f}/s"
