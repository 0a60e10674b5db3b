"""From turns to what is said of them: medians of the turns that count, 95 % bootstrap intervals, and who is better. A
difference whose interval holds 1 is a tie."""
import collections

import numpy
from scipy import stats  # bootstrap intervals: known, tested, not by hand

LATENCIES = ("p50", "p90", "p95", "p99", "p99.9", "max")
HIGHER_IS_BETTER = {"rps": True, "capacity": True, "p99": False, "cpu_us": False, "rss_peak_mib": False}
# Elsewhere the load decides how many are answered: its users' think time, or its rate.
RPS_IN = ("saturation", "mixed")
RESAMPLES = 5000


def interval(statistic, *samples):
    """Of a statistic of one sample or two; of a single turn there is no more to say than its figure."""
    value = float(statistic(*samples))
    if min(len(sample) for sample in samples) < 2 or all(len(set(sample)) == 1 for sample in samples):
        return {"median": value, "low": value, "high": value}
    found = stats.bootstrap(samples, statistic, n_resamples=RESAMPLES, vectorized=False, method="percentile",
                            random_state=numpy.random.default_rng(1)).confidence_interval
    return {"median": value, "low": float(found.low), "high": float(found.high)}


def medians_ratio(ours, theirs):
    return numpy.median(ours) / numpy.median(theirs)


def figures(turn):
    """What one turn measured, by the names of the report."""
    requests = max(1, turn["requests"])
    found = {"rps": turn["rps"], **turn["latency_ms"]}
    if turn["cpu_s"]:
        found.update(cpu_us=turn["cpu_s"]["contender"] / requests * 1e6,
                     postgresql_cpu_us=turn["cpu_s"]["postgresql"] / requests * 1e6,
                     generator_cpu_us=turn["cpu_s"]["generator"] / requests * 1e6, rss_peak_mib=turn["rss_peak_mib"],
                     switches=sum(turn["context_switches"].values()) / requests)
    return {name: value for name, value in found.items() if value is not None}


def summarize(turns, objective, ours):
    groups = collections.defaultdict(list)
    for turn in turns:
        kind = turn["fault"]["kind"] if turn["fault"] else None
        groups[turn["mode"], turn["scenario"], turn["step"], turn["variant"], kind, turn["contender"]].append(turn)
    rows, samples = [], {}
    for (mode, scenario, step, variant, kind, contender), group in groups.items():
        if scenario == "capacity":
            continue
        counted = [turn for turn in group if not turn["void"]]
        row = {"scenario": scenario, "mode": mode, "step": step, "variant": variant, "contender": contender,
               "turns": len(counted), "void_turns": len(group) - len(counted), "metrics": {},
               "errors": sum(sum(turn["errors"].values()) for turn in counted),
               "limit": most_common([turn["limit"] for turn in counted]), "fault": None}
        if counted:
            measured = [figures(turn) for turn in counted]
            for name in measured[0]:
                sample = [figure[name] for figure in measured if name in figure]
                row["metrics"][name] = interval(numpy.median, sample)
                if variant is None and kind is None:
                    samples[scenario, mode, step, name, contender] = sample
            if kind:
                faults = [turn["fault"] for turn in counted]
                row["fault"] = {"kind": kind, "wrong": max(fault["wrong"] for fault in faults),
                                "errors": interval(numpy.median, [fault["errors"] for fault in faults]),
                                "recovered_s": interval(numpy.median, [fault["recovered_s"] for fault in faults])}
        rows.append(row)
    capacity = capacities(groups, objective)
    for entry in capacity:
        samples["capacity", entry["mode"], None, "capacity", entry["contender"]] = entry.pop("sample")
    open_ended = {(entry["mode"], entry["contender"]) for entry in capacity if entry["at_least"]}
    return {"rows": rows, "capacity": capacity, "comparisons": comparisons(samples, ours, open_ended)}


def most_common(values):
    return collections.Counter(values).most_common(1)[0][0] if values else None


def meets(turn, objective):
    """Whether a turn at a fixed rate reached its objective: all answered, in time, without an error. A generator at its limit
    adds its own delay to a latency that counts from the due time, so what meets the objective nevertheless has met it."""
    return (not turn["errors"] and turn["latency_ms"]["p99"] is not None and turn["latency_ms"]["p99"] < objective["p99_ms"]
            and turn["rps"] >= 0.97 * turn["step"])


def capacities(groups, objective):
    """The highest rate that met the objective in each repeat's search; at least that, where the generator was the bottleneck at
    the next one in most of them."""
    searches = collections.defaultdict(lambda: collections.defaultdict(list))
    for (mode, scenario, _, _, _, contender), group in groups.items():
        for turn in group if scenario == "capacity" else []:
            searches[mode, contender][turn["repeat"]].append(turn)
    entries = []
    for (mode, contender), found in searches.items():
        best, bounded = [], 0
        for turns in found.values():
            best.append(max((float(turn["step"]) for turn in turns if meets(turn, objective)), default=0.0))
            above = [turn for turn in turns if turn["step"] > best[-1]]
            bounded += all(turn["void"] for turn in above if turn["step"] == min(turn["step"] for turn in above))
        entries.append({"mode": mode, "contender": contender, "objective": f"p99 < {objective['p99_ms']} ms, no error",
                        "rps": interval(numpy.median, best), "at_least": bounded > len(best) / 2, "sample": best})
    return entries


def comparisons(samples, ours, open_ended):
    """`open_ended`: whose capacity, by mode and name, may be more than was found: being the smaller proves nothing then."""
    found = []
    for (scenario, mode, step, metric, contender), theirs in samples.items():
        mine = samples.get((scenario, mode, step, metric, ours))
        if contender == ours or metric not in HIGHER_IS_BETTER or not mine or not all(theirs):
            continue
        if metric == "rps" and scenario not in RPS_IN:
            continue
        ratio = interval(medians_ratio, mine, theirs)
        smaller = contender if ratio["median"] > 1 else ours
        if ratio["low"] <= 1 <= ratio["high"] or min(len(mine), len(theirs)) < 2:  # one turn alone proves nothing
            verdict = "tie"
        elif metric == "capacity" and (mode, smaller) in open_ended:
            verdict = "tie"
        else:
            verdict = "better" if (ratio["low"] > 1) == HIGHER_IS_BETTER[metric] else "worse"
        found.append({"scenario": scenario, "mode": mode, "step": step, "metric": metric, "contender": ours,
                      "against": contender, "ratio": ratio, "verdict": verdict})
    return found
