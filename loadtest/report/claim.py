"""What a run says in a sentence, and what it says against it. Both by rule, so that neither can be picked: the claim
is against the best other in each mode, and all that is lost or tied is listed, the worst first."""
import math

from .figures import FAULTS, METRICS, SCENARIOS, cpus
from .model import LATENCIES


def short(run, name):
    """The name that fits beside a point: a label without its brackets, the subject by its own name."""
    return name if name == run.subject else run.labels[name].split(" (")[0]


def claims(run):
    """One a mode, in the run's order; nothing when the run is void or nothing was compared."""
    if run.void:
        return []
    return [claim for mode in run.modes if (claim := _claim(run, mode))]


def _strongest(run, mode, metric, places):
    """The comparison with the strongest other, at the first of `places` [(scenario, step)] where all contenders have
    figures of two turns or more; where there is none such, the first with any, so that no contender's absence picks it
    when it can be helped."""
    pick = min if metric == "cpu_us" else max
    fallback = None
    for scenario, step in places:
        if metric == "capacity":
            found = {c["contender"]: c["rps"]["median"] for c in run.capacity if c["mode"] == mode}
        else:
            rows = {n: run.row(scenario, mode, n, step) for n in run.names}
            found = {n: r["metrics"][metric]["median"] for n, r in rows.items() if r and r["metrics"].get(metric)}
        others = [n for n in found if n != run.subject]
        if run.subject not in found or not others:
            continue
        c = run.comparison(metric, mode, pick(others, key=found.get), scenario, step)
        if c and len(found) == len(run.names) and not run.alone(c):
            return c
        fallback = fallback or c
    return fallback


def _claim(run, mode):
    rate = next((c for metric, scenario in (("capacity", "capacity"), ("rps", "saturation"))
                 if (c := _strongest(run, mode, metric, [(scenario, None)])) and not run.alone(c)), None) \
        or _strongest(run, mode, "rps", [("saturation", None)])
    steps = [("rate", step) for step in reversed(run.steps("rate", mode))]
    cost = _strongest(run, mode, "cpu_us", [("saturation", None), ("mixed", None), *steps])
    if not rate:
        return None
    objective = next((c["objective"] for c in run.capacity if c["mode"] == mode), None)
    return {"mode": mode, "cpus": cpus(run, mode), "rate": rate, "cost": cost, "objective": objective,
            "rate_label": run.labels[rate["against"]], "cost_label": cost and run.labels[cost["against"]],
            "cost_where": cost and place(cost["scenario"], cost["step"])}


def place(scenario, step):
    return f"at {step:,.0f} requests/s" if step is not None else {"saturation": "at saturation"}.get(
        scenario, f"in {scenario} load")


# What a metric is a part of: the first screen has one line of each, with its worst figure.
FAMILIES = {"rps": "Throughput", "capacity": "Throughput", "cpu_us": "CPU per request", "rss_peak_mib": "Memory",
            "postgresql_cpu_us": "PostgreSQL's CPU", **dict.fromkeys(LATENCIES, "Latency")}


def judgements(run):
    """Every figure of the subject beside every other's: {"verdict", "family", "what", "against", "where", "size" (how
    far from even), "compared" (by the harness, as a ratio; else by whether the two intervals lie apart), "ratio" or
    "pair"}. A single turn proves nothing, but a fault that went worse once is told as that."""
    out, done = [], set()

    def add(verdict, family, what, against, mode, step, size, **figures):
        out.append({"verdict": verdict, "family": family, "what": what, "against": against, "size": size,
                    "where": _where(run, mode, step), "step": step, "compared": False, "note": None, **figures})

    for c in run.comparisons:
        done.add((c["scenario"], c["mode"], c["step"], c["metric"], c["against"]))
        # Users that think, and fixed rates, say how many requests there are: that as many were answered is no news.
        if c["metric"] == "rps" and c["scenario"] in ("light", "heavy", "rate") and c["verdict"] == "tie":
            continue
        verdict = "unproven" if run.alone(c) else c["verdict"]
        add(verdict, FAMILIES[c["metric"]], _what(c["metric"], c["scenario"]), c["against"], c["mode"], c["step"],
            _size(c["ratio"]["median"]), ratio=c["ratio"], compared=True)
    for (scenario, mode, step, variant, name, fault), row in run.rows.items():
        mine = run.row(scenario, mode, run.subject, step, variant, fault)
        if name == run.subject or variant is not None or not mine:
            continue
        if fault:
            for figure, verdict, what, pair, size in _faults(mine["fault"], row["fault"]):
                add(verdict, "Faults", f"{what}, {FAULTS.get(fault, fault)}", name, mode, None, size, pair=pair,
                    note="one turn" if min(mine["turns"], row["turns"]) < 2 else None)
            continue
        if mine["errors"] or row["errors"]:
            worse = mine["errors"] > row["errors"]
            add("worse" if worse else "better" if mine["errors"] < row["errors"] else "tie", "Errors",
                _what("errors", scenario), name, mode, step, 9.0, pair=(mine["errors"], row["errors"]))
        for metric in (*LATENCIES, "rss_peak_mib", "postgresql_cpu_us"):
            # With a fixed number of requests under way, latency says again what requests/s says.
            if (scenario, mode, step, metric, name) in done or scenario == "saturation" and metric in LATENCIES:
                continue
            a, b = mine["metrics"].get(metric), row["metrics"].get(metric)
            if a and b and a["median"] and b["median"] and a.get("low") is not None and b.get("low") is not None:
                ratio = a["median"] / b["median"]
                verdict = _apart(a, b) if min(mine["turns"], row["turns"]) > 1 else "unproven"
                add(verdict, FAMILIES[metric], _what(metric, scenario), name, mode, step, _size(ratio),
                    ratio={"median": ratio, "low": None})
    return out


def _apart(mine, other):
    """For figures of which less is better."""
    return "worse" if mine["low"] > other["high"] else "better" if mine["high"] < other["low"] else "tie"


def _faults(mine, other):
    """(figure, verdict, what, pair, size) of one fault's figures; a wrong answer outweighs all else."""
    if mine["wrong"]:
        yield "wrong", "worse", "wrong answers", (mine["wrong"], other["wrong"]), 99.0
    for figure, what in (("errors", "errors"), ("recovered_s", "seconds to recover")):
        a, b = mine.get(figure), other.get(figure)
        if a and b and a.get("low") is not None and b.get("low") is not None:
            size = _size(a["median"] / b["median"]) if a["median"] and b["median"] else 9.0
            yield figure, _apart(a, b), what, (a["median"], b["median"]), size


def lines(judged, verdict):
    """All of one verdict, those about the same thing as one line {"what", "against", "seen"}; the worst first. A tie
    is only told of what the harness compared: intervals that overlap are no proof of one."""
    found = {}
    for j in judged:
        if j["verdict"] == verdict and (verdict != "tie" or j["compared"]):
            found.setdefault((j["what"], j["against"]), []).append(j)
    out = [{"what": what, "against": against, "seen": sorted(seen, key=lambda j: -j["size"])}
           for (what, against), seen in found.items()]
    return sorted(out, key=lambda li: -li["seen"][0]["size"])


def families(judged, verdict):
    """The same in a line a family: {"family", "worst", "count", "of", "by": {contender: count}}. As its worst figure
    stands one that the harness compared where there is one, at no single rate where there is one."""
    out = []
    for family in dict.fromkeys(j["family"] for j in judged):
        every = [j for j in judged if j["family"] == family and (verdict != "tie" or j["compared"])]
        found = [j for j in every if j["verdict"] == verdict]
        if not found:
            continue
        worst = max(found, key=lambda j: (j["compared"], j["step"] is None, j["size"]))
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


def _where(run, mode, step):
    text = f"on {cpus(run, mode)}"
    return text if step is None else f"{text} at {step:,.0f}/s"
