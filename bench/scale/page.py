"""The plots and the page, made from the data alone. Charts are the report's (loadtest/report/charts.py): its scales, fonts and colours."""
import math
import re
from pathlib import Path

import altair as alt

from loadtest.report import charts
from loadtest.report.figures import number

from .rows import PAGE, PAGES

HERE = Path(__file__).resolve().parent
STYLE = HERE.parents[1] / "loadtest/report/templates/style.css"
MARK = "<!-- From here on written by `make scale`. -->"
WIDTH, HEIGHT = 190, 190  # of a panel's plot, in pixels

# axis: title, what varies (the x axis)
AXES = {
    "load": ("From idle to saturation", "share of the capacity, open loop"),
    "mixed": (f"Lookups, {PAGES:.0%} pages of {PAGE} among them and alone", "share of its capacity, open loop"),
    "clients": ("Clients", "clients"),
    "users": ("Users in the table: lookups", "users in the table"),
    "deep": ("Users in the table: a page of 50 at nine tenths of it", "users in the table"),
    "page": ("Size of a page", "users a page"),
    "connections": ("Connections to PostgreSQL, one shard", "connections"),
    "shards": ("Shards", "shards"),
}
# metric: its name in a panel, its unit
METRICS = {"rps": ("", "requests/s"), "server_cpus": ("server", "CPUs busy"), "postgresql_cpus": ("PostgreSQL", "CPUs busy"),
           "server_us": ("server", "µs of CPU a request"), "postgresql_us": ("PostgreSQL", "µs of CPU a request"),
           "generator_us": ("generator", "µs of CPU a request"), "p50_ms": ("p50", "latency, ms"), "p99_ms": ("p99", "latency, ms"),
           "alone_p50_ms": ("p50 alone", "latency, ms"), "alone_p99_ms": ("p99 alone", "latency, ms"),
           "pages_p99_ms": ("pages' p99", "latency, ms")}
BY_SHARE = {"load": "capacity", "mixed": "mixed capacity"}  # axis: where its capacity is
COLORS = {"alone_p50_ms": charts.SERIES[4], "alone_p99_ms": charts.SERIES[3], "pages_p99_ms": charts.POSTGRESQL,
          "postgresql_cpus": charts.SERIES[2], "postgresql_us": charts.SERIES[2], "generator_us": charts.POSTGRESQL,
          "p50_ms": charts.SERIES[1]}
LINEAR_UP_TO = 20  # times the least value; beyond it a scale is logarithmic


def panels(axis):
    return [["server_cpus", "postgresql_cpus"] if axis in BY_SHARE else ["rps"], ["server_us", "postgresql_us", "generator_us"],
            ["p50_ms", "p99_ms"] + (["alone_p50_ms", "alone_p99_ms", "pages_p99_ms"] if axis == "mixed" else [])]


def named(axis, value):
    return f"{value * 100:g} %" if axis in BY_SHARE else f"{value:,.0f}"


def in_short(record):
    if "idle_cpu_ms" in record:
        return f"{record['server_kib']:.2f} + {record['kernel_kib']:.2f} KiB a connection, {record['idle_cpu_ms']:.3f} ms of CPU"
    return (f"{record['rps']:>9,.0f} requests/s, CPU {record['server_us']:.1f} + {record['postgresql_us']:.1f} us, "
            f"p99 {number(record['p99_ms'])} ms" + "".join(f", {count} {kind} errors" for kind, count in record["errors"].items()))


# Plots.

def vertical(points, linear):
    """Scale and axis, from zero where that is asked for or the values lie close, and where a value lies, in pixels from below."""
    values = [point[name] for point in points for name in ("low", "high")]
    if linear or max(values) / min(values) <= LINEAR_UP_TO:
        top = max(values) * 1.1
        return (alt.Scale(domain=[0, top], nice=False), alt.Axis(tickCount=4, format=",~r"), lambda value: value / top * HEIGHT)
    (low, high), ticks = charts.decades(values)
    return (alt.Scale(type="log", domain=[low, high], nice=False), alt.Axis(values=ticks, format=",~r"),
            lambda value: math.log(value / low) / math.log(high / low) * HEIGHT)


def panel(data, axis, metrics, values):
    points = []
    for metric in metrics:
        for value in values:
            figure = data.figure(axis, value, metric)
            if figure and figure[1] > 0:  # what a logarithm has
                points.append({"x": value, "metric": metric, "y": figure[0], "low": figure[1], "high": figure[2],
                               "failed": failed(data, axis, value) > 0})
    if not points:
        return None
    scale, axis_y, spot = vertical(points, metrics[0].endswith("_cpus"))
    across = (alt.Scale(domain=[0, 1.04], nice=False) if axis in BY_SHARE else
              alt.Scale(type="log", domain=[values[0] * 0.9, values[-1] * 1.1], nice=False))
    x = alt.X("x:Q", title=AXES[axis][1], scale=across,
              axis=alt.Axis(values=values, format="~%" if axis in BY_SHARE else "~s", grid=False, labelOverlap="greedy"))
    y = alt.Y("y:Q", title=METRICS[metrics[0]][1], scale=scale, axis=axis_y)
    color = alt.Color("metric:N", legend=None, scale=alt.Scale(domain=metrics, range=[COLORS.get(m, charts.SERIES[0]) for m in metrics]))
    base = alt.Chart(charts.rows_data(points)).transform_calculate(
        say=f"'{axis} ' + datum.x + ' ' + datum.metric + ': ' + datum.y").encode(x=x, color=color)
    layers = [base.mark_area(opacity=0.14).encode(y=alt.Y("low:Q", scale=scale, axis=axis_y, title=METRICS[metrics[0]][1]), y2="high:Q"),
              base.mark_line(strokeWidth=2).encode(y=y),
              base.mark_point(size=30, strokeWidth=1.5, opacity=1).encode(
                  y=y, fill=alt.condition("datum.failed", alt.value(charts.PAPER), color), description="say:N")]
    if len(metrics) > 1:
        ends = {p["metric"]: {"metric": p["metric"], "x": p["x"], "at": p["y"], "text": METRICS[p["metric"]][0]} for p in points}
        far = max(end["x"] for end in ends.values())
        # In pixels from below, which spread_labels takes the logarithm of.
        labels = charts.spread_labels([{**end, "x": far, "y": math.exp(spot(end["at"]))} for end in ends.values()], HEIGHT,
                                      (1.0, math.exp(HEIGHT)))
        for label in labels:
            label["y"] = HEIGHT - math.log(label["y"])
        layers.append(alt.Chart(charts.rows_data(labels)).mark_text(align="left", dx=8, fontWeight=600).encode(
            x=x, y=alt.Y("y:Q", scale=None), text="text:N", color=color))
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)


def plot(data, axis):
    """An SVG that stands alone: the page's variables become the light scheme's colours, on its paper."""
    values = data.values(axis)
    drawn = [chart for metrics in panels(axis) if (chart := panel(data, axis, metrics, values))]
    text = charts.svg(alt.hconcat(*drawn, spacing=30).resolve_scale(color="independent", fill="independent"))
    colors = dict(re.findall(r"(--[\w-]+): (#\w+)", STYLE.read_text().split("@media", 1)[0]))
    text = re.sub(r"var\((--[\w-]+)\)", lambda found: colors[found.group(1)], text)
    width, height = re.search(r'viewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"', text).groups()
    # A tenth of a pixel is enough for where things lie.
    text = re.sub(r' (?:d|transform)="[^"]*"', lambda found: re.sub(r"(\d+\.\d)\d+", r"\1", found.group()), text)
    return re.sub(r'(<svg[^>]*?) style="[^"]*"([^>]*>)',
                  rf'\1 width="{width}" height="{height}"\2<rect width="100%" height="100%" fill="{colors["--paper"]}"/>', text,
                  count=1) + "\n"


# The page.

def failed(data, axis, value):
    """The share of what was asked that was not answered as it should be, of the worst round."""
    return max(sum(r["errors"].values()) / max(1, r["requests"]) for r in data.of(axis, value))


def table(data, axis):
    names = [name for metrics in panels(axis) for name in metrics]
    head = [AXES[axis][1], *(" ".join(filter(None, METRICS[name])) for name in names), "errors", "rounds"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for value in data.values(axis):
        cells = [named(axis, value)]
        for name in names:
            figure = data.figure(axis, value, name)
            cells.append(spread(figure))
        share = failed(data, axis, value)
        cells += [f"{number(share * 100)} %" if share else "0", str(len(data.of(axis, value)))]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def spread(figure):
    if not figure:
        return "–"
    median, low, high = figure
    return number(median) + (f" ({number(low)} to {number(high)})" if low != high else "")


def facts(data, axis):
    """Sentences that are right after another run."""
    values = data.values(axis)
    first, last = values[0], values[-1]
    said = []
    rates = {value: figure for value in values if (figure := data.figure(axis, value, "rps"))}
    if axis in BY_SHARE:
        capacity = data.figure(BY_SHARE[axis], 1, "rps")
        said.append(f"The capacity, as the same generator finds it in a closed loop: {spread(capacity)} requests/s.")
    elif rates:
        best = max(rates, key=lambda value: rates[value][0])
        said.append(f"The most is {spread(rates[best])} requests/s at {named(axis, best)}; at {named(axis, first)} it is "
                    f"{rates[first][0] / rates[best][0]:.2f} of that, at {named(axis, last)} {rates[last][0] / rates[best][0]:.2f}.")
    for name, what in ("server_us", "The server's CPU a request"), ("p99_ms", "p99"):
        begin, end = data.figure(axis, first, name), data.figure(axis, last, name)
        if begin and end:
            said.append(f"{what} goes from {spread(begin)} to {spread(end)} {'µs' if name == 'server_us' else 'ms'}.")
    if axis == "mixed":
        ratios = ", ".join(f"{spread(data.ratio(axis, value, 'p99_ms', 'alone_p99_ms'))} at {named(axis, value)}" for value in values)
        said.append(f"The lookups' p99 with pages among them is, as part of that alone at the same rate of lookups: {ratios}.")
    limited = [value for value in values if any(r["generator_cpus"] > 0.9 for r in data.of(axis, value))]
    if limited:
        said.append(f"The generator's one thread was at its limit at {', '.join(named(axis, value) for value in limited)}: "
                    "the server may be able to do more.")
    if any(failed(data, axis, value) for value in values):
        said.append("Hollow points had errors.")
    return " ".join(said)


def idle(data):
    lines = ["## Idle", "",
             "| idle connections | the server's memory, KiB a connection | the kernel's, KiB an end | CPU ms, over the seconds watched | rounds |",
             "|---" * 5 + "|"]
    for value in data.values("idle"):
        memory = [spread(data.figure("idle", value, name)) if value else "–" for name in ("server_kib", "kernel_kib")]
        seconds = data.of("idle", value)[0]["seconds"]
        lines.append(f"| {value:,} | {memory[0]} | {memory[1]} | {spread(data.figure('idle', value, 'idle_cpu_ms'))} in {seconds} s "
                     f"| {len(data.of('idle', value))} |")
    return lines + [""]


def write(data, out):
    """Plots and page into the folder `out`; the page's own words are those of bench/scale/README.md."""
    if not data.records:
        return
    computer = data.run["subject"]["machine"]
    lines = [MARK, "", f"Commit {data.run['commit'] or 'unknown'}; {computer['cpus']} CPUs ({computer['cpu_model']}"
             f"{', virtual' if computer['virtualised'] else ''}), {computer['memory_mib']:,} MiB, Linux {computer['kernel']}. "
             "Each figure is the median of the rounds, with the least and the most of them; shades in the plots are the same.", ""]
    for axis, (title, _) in AXES.items():
        if data.values(axis):
            (out / f"{axis}.svg").write_text(plot(data, axis))
            lines += [f"## {title}", "", f"![{title}]({axis}.svg)", "", facts(data, axis), "", *table(data, axis), ""]
    if data.values("idle"):
        lines += idle(data)
    words = (HERE / "README.md").read_text().split(MARK)[0].rstrip()
    (out / "README.md").write_text(words + "\n\n" + "\n".join(lines).rstrip() + "\n")
