"""From a run's turns to what is said of them. Of each contender the median of its turns and their range; between two, the ratio of
turns that stood beside each other, with an interval (statistics.py). A difference whose interval holds 1 is a tie, and one without an
interval, of too few turns, is unproven."""
import collections
import math
import statistics as medians

from . import statistics

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
FEWEST_ABOVE = 10  # a percentile with fewer answers above it is not shown: it would be one of them by chance
LESS_IS_BETTER = {*PERCENTILES, "p99_windows", "max", "cpu_us", "postgresql_cpu_us", "generator_cpu_us", "total_cpu_us", "memory_mib",
                  "switches"}
# What is compared, by scenario: where the load decides how many are answered (users who think, a fixed rate), that is no news.
COMPARED = {"saturation": ("rps", "total_cpu_us", "cpu_us", "memory_mib"),
            "clients": ("rps", "total_cpu_us", "cpu_us"),
            "mixed": ("rps", "p50", "p99", "total_cpu_us", "cpu_us", "memory_mib"),
            **dict.fromkeys(("light", "heavy", "rate"), ("p50", "p95", "p99", "p99_windows", "total_cpu_us", "cpu_us", "memory_mib"))}
# Over all rates together.
OVER_RATES = ("total_cpu_us", "cpu_us")


def figures(turn):
    """What one turn measured, by the names of the report."""
    found = {"rps": turn["rps"], "requests": turn["requests"]}
    for point, share in PERCENTILES.items():
        if turn["requests"] * (1 - share) >= FEWEST_ABOVE and turn["latency_ms"].get(point) is not None:
            found[point] = turn["latency_ms"][point]
    if (windows := p99_of_windows(turn)) is not None:
        found["p99_windows"] = windows
    if turn["latency_ms"].get("max") is not None:
        found["max"] = turn["latency_ms"]["max"]
    if turn["cpu_s"] and turn["requests"]:
        cost = {name: seconds / turn["requests"] * 1e6 for name, seconds in turn["cpu_s"].items()}
        found.update(cpu_us=cost["contender"], postgresql_cpu_us=cost["postgresql"], generator_cpu_us=cost["generator"],
                     total_cpu_us=cost["contender"] + cost["postgresql"], memory_mib=turn["memory_mib"],
                     switches=sum(turn["context_switches"].values()) / turn["requests"])
    return found


def p99_of_windows(turn):
    """The median over a turn's half seconds, the last of which may be shorter: a pause of the machine is in one of them. None where not
    all of them together have answers enough above it."""
    windows = [window for window in turn.get("windows") or [] if window[0]]
    if sum(count for count, _ in windows) * 0.01 < FEWEST_ABOVE:
        return None
    return medians.median(p99 for _, p99 in windows)


def spread(values):
    return {"median": medians.median(values), "low": min(values), "high": max(values)}


def keeps(turn, objective):
    """Whether a turn at a fixed rate kept the objective: all answered, in time, without an error."""
    p99 = p99_of_windows(turn)
    return not turn["errors"] and p99 is not None and p99 < objective["p99_ms"] and kept_up(turn)


def key(turn):
    """What a turn is about: turns of the same key are repeats of each other."""
    return (turn["scenario"], turn["mode"], turn["step"], turn["variant"], turn["contender"], turn["fault"]["kind"] if turn["fault"] else None)


def summarize(turns, objective, subject):
    groups = collections.defaultdict(list)
    for turn in turns:
        if turn["scenario"] != "capacity":
            groups[key(turn)].append(turn)
    rows = [row(*about, group) for about, group in groups.items()]
    capacity = capacities(turns, objective)
    found = [*comparisons(groups, subject), *compared_capacities(capacity, subject)]
    for entry in capacity:
        del entry["threshold"]
    return {"rows": rows, "capacity": capacity, "comparisons": found}


def row(scenario, mode, step, variant, contender, kind, group):
    counted = [turn for turn in group if not turn["void"]]
    found = {"scenario": scenario, "mode": mode, "step": step, "variant": variant, "contender": contender, "turns": len(counted),
             "void_turns": len(group) - len(counted), "metrics": {}, "requests": sum(turn["requests"] for turn in counted),
             "errors": sum(sum(turn["errors"].values()) for turn in counted), "limits": [], "fault": None}
    if counted:
        measured = [figures(turn) for turn in counted]
        for name in dict.fromkeys(name for each in measured for name in each if name != "requests"):
            values = [each[name] for each in measured if name in each]
            if len(values) == len(counted):
                # The slowest of all is the slowest, however many turns there were.
                found["metrics"][name] = {"median": max(values), "low": None, "high": None} if name == "max" else spread(values)
        # Who or what was at an end, by how many turns.
        found["limits"] = collections.Counter(turn["limit"] for turn in counted).most_common()
        if kind:
            faults = [turn["fault"] for turn in counted]
            found["fault"] = {"kind": kind, "wrong": max(fault["wrong"] for fault in faults),
                              "errors": spread([fault["errors"] for fault in faults]),
                              "recovered_s": spread([fault["recovered_s"] for fault in faults])}
    return found


def by_repeat(group):
    """Without those that did not do what was asked: their figures are of another load."""
    return {turn["repeat"]: figures(turn) for turn in group
            if not turn["void"] and not turn["errors"] and (turn["scenario"] != "rate" or kept_up(turn))}


def kept_up(turn):
    return turn["rps"] >= 0.97 * turn["step"]


def pairs(mine, theirs, metric):
    """The figures of the repeats in which both have one."""
    both = [(mine[repeat][metric], theirs[repeat][metric]) for repeat in sorted(mine.keys() & theirs.keys())
            if metric in mine[repeat] and metric in theirs[repeat]]
    return [a for a, _ in both], [b for _, b in both]


def comparisons(groups, subject):
    found, over_rates = [], collections.defaultdict(lambda: collections.defaultdict(list))
    for (scenario, mode, step, variant, contender, kind), group in groups.items():
        mine = groups.get((scenario, mode, step, variant, subject, kind))
        if contender == subject or variant or kind or not mine:
            continue
        ours, theirs = by_repeat(mine), by_repeat(group)
        about = {"scenario": scenario, "mode": mode, "step": step, "contender": subject, "against": contender}
        for metric in COMPARED.get(scenario, ()):
            if ratio := statistics.paired_ratio(*pairs(ours, theirs, metric)):
                found.append({**about, "metric": metric, "ratio": ratio, "verdict": verdict(metric, ratio)})
            if scenario == "rate" and metric in OVER_RATES:
                for repeat in ours.keys() & theirs.keys():
                    if metric in ours[repeat] and metric in theirs[repeat]:
                        over_rates[mode, contender, metric][repeat].append(math.log(ours[repeat][metric] / theirs[repeat][metric]))
    for (mode, contender, metric), repeats in over_rates.items():
        # A repeat in which a rate is missing would be another mixture of rates.
        most = max(map(len, repeats.values()))
        means = [math.exp(sum(logs) / most) for logs in repeats.values() if len(logs) == most]
        if most > 1 and (ratio := statistics.paired_ratio(means, [1.0] * len(means))):
            found.append({"scenario": "rate", "mode": mode, "step": None, "contender": subject, "against": contender, "metric": metric,
                          "ratio": ratio, "verdict": verdict(metric, ratio)})
    return found


def verdict(metric, ratio):
    if ratio["low"] is None:
        return "unproven"
    if ratio["low"] <= 1 <= ratio["high"]:
        return "tie"
    return "better" if (ratio["low"] > 1) == (metric not in LESS_IS_BETTER) else "worse"


def bounds(turns, mode, contender):
    """Between which rates a capacity is looked for: by what was answered at saturation."""
    seen = [turn["rps"] for turn in turns if (turn["scenario"], turn["mode"], turn["contender"], turn["variant"])
            == ("saturation", mode, contender, None) and not turn["void"]]
    return (0.1 * medians.median(seen), 1.5 * medians.median(seen)) if seen else None


def threshold(turns, mode, contender, objective):
    """What the turns so far say of its capacity; None where nothing says where to look."""
    if not (between := bounds(turns, mode, contender)):
        return None
    found = statistics.Threshold(*between)
    for turn in turns:
        if (turn["scenario"], turn["mode"], turn["contender"]) == ("capacity", mode, contender) and not turn["void"]:
            found.observe(turn["step"], keeps(turn, objective))
    return found


def capacities(turns, objective):
    """The rate at which half of the turns keep the objective. `at_least`: the highest rate that was tried was kept, and no higher one
    could be tried, since the generator was at its end."""
    entries = []
    for mode, contender in dict.fromkeys((turn["mode"], turn["contender"]) for turn in turns if turn["scenario"] == "capacity"):
        found = threshold(turns, mode, contender, objective)
        tried = [turn for turn in turns if (turn["scenario"], turn["mode"], turn["contender"]) == ("capacity", mode, contender)]
        counted = [turn for turn in tried if not turn["void"]]
        if not found or not counted:
            continue
        most = max(turn["step"] for turn in counted)
        above = [turn for turn in tried if turn["step"] > most and turn["limit"] == "generator"]
        entries.append({"mode": mode, "contender": contender, "objective": f"p99 < {objective['p99_ms']} ms, no error",
                        "rps": found.figure(), "turns": len(counted), "kept": sum(keeps(turn, objective) for turn in counted),
                        "at_least": bool(above) and all(keeps(turn, objective) for turn in counted), "threshold": found})
    return entries


def compared_capacities(capacity, subject):
    found = []
    for theirs in capacity:
        ours = next((entry for entry in capacity if (entry["mode"], entry["contender"]) == (theirs["mode"], subject)), None)
        if theirs["contender"] == subject or not ours:
            continue
        ratio = statistics.threshold_ratio(ours["threshold"], theirs["threshold"])
        seen = verdict("capacity", ratio)
        # Being the smaller proves nothing against one that may be larger than was found.
        if (ours if seen == "worse" else theirs)["at_least"]:
            seen = "tie"
        found.append({"scenario": "capacity", "mode": theirs["mode"], "step": None, "metric": "capacity", "contender": subject,
                      "against": theirs["contender"], "ratio": ratio, "verdict": seen})
    return found
