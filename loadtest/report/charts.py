"""The charts, as static SVG: Altair describes them, vl-convert draws them without a browser. Each is drawn twice, for
a wide and for a narrow screen. Colours are drawn as stand-in values and written as CSS variables,
so that the page's own light and dark colours hold inside a chart too."""
import itertools
import math
import re
import statistics

import altair as alt
import vl_convert

from .claim import short
from .figures import METRICS, cpus, number, times
from .summary import LESS_IS_BETTER

# Placeholder: CSS variable. Altair lets only real colours pass; no chart uses these for anything else.
INK, FAINT, GRID, PAPER = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04"
POSTGRESQL, GENERATOR, ALARM = "#0a0b05", "#0a0b06", "#0a0b07"
SERIES = [f"#0a0c{i:02x}" for i in range(8)]
VARIABLES = {INK: "--ink", FAINT: "--faint", GRID: "--grid", PAPER: "--paper", POSTGRESQL: "--postgresql",
             GENERATOR: "--generator", ALARM: "--alarm", **{c: f"--c{i}" for i, c in enumerate(SERIES)}}
FONT = "DejaVu Sans, Verdana, sans-serif"  # what text is measured with: wide, so that a narrower one fits too
SHAPES = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-left", "triangle-right"]
CONFIG = {
    "font": FONT, "background": "transparent", "view": {"stroke": None}, "padding": 2,
    "axis": {"labelColor": FAINT, "titleColor": FAINT, "gridColor": GRID, "domainColor": GRID, "tickColor": GRID,
             "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal", "labelPadding": 6,
             "titlePadding": 10},
    "axisY": {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "end", "titleBaseline": "bottom", "titleX": -4,
              "titleY": -12, "domain": False, "ticks": False},
    "text": {"color": INK, "fontSize": 11},
}
# What the balance shows, in this order.
FOREST = ["total_cpu_us", "cpu_us", "capacity", "rps", "p50", "p95", "p99", "memory_mib"]
counter = itertools.count()


class Style:
    """A contender's colour and shape are its place in the run's list, in every chart and table alike."""

    def __init__(self, run):
        self.run = run
        names = run.names + [c["name"] for c in run.left_out]
        self.color = {n: SERIES[i % len(SERIES)] for i, n in enumerate(names)}
        self.shape = {n: SHAPES[i % len(SHAPES)] for i, n in enumerate(names)}
        self.index = {n: i % len(SERIES) for i, n in enumerate(names)}

    def colors(self, names):
        return alt.Scale(domain=names, range=[self.color[n] for n in names])

    def shapes(self, names):
        return alt.Scale(domain=names, range=[self.shape[n] for n in names])


def svg(chart):
    spec = chart.configure(**CONFIG).to_dict()
    text = vl_convert.vegalite_to_svg(spec, vl_version=".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2]))
    for color, variable in VARIABLES.items():
        text = text.replace(color, f"var({variable})")
    mark = f"v{next(counter)}"
    text = re.sub(r'id="([^"]+)"', rf'id="{mark}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{mark}-\1)", text)
    width = float(re.search(r'viewBox="[\d.-]+ [\d.-]+ ([\d.]+)', text).group(1))
    return re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', rf'\1 style="max-width:{width:g}px"', text, count=1)


# A mark's name (`say`) is made from the value that it is drawn at, so that a test which reads the one checks the other.
def both(draw, wide, narrow):
    """{"wide": svg, "narrow": svg}; `draw` gets a plot's width in pixels and whether it is the narrow one."""
    return {"wide": svg(draw(wide, False)), "narrow": svg(draw(narrow, True))}


def rows_data(rows):
    return alt.Data(values=rows)


def spread_labels(labels, height, domain, gap=14):
    """Moves labels apart along a logarithmic axis (each has `y`), so that none covers another."""
    low, high = (math.log(v) for v in domain)
    placed = sorted(labels, key=lambda label: label["y"])
    pixels = [(math.log(label["y"]) - low) / (high - low) * height for label in placed]
    for i in range(1, len(pixels)):
        pixels[i] = max(pixels[i], pixels[i - 1] + gap)
    over = max(0.0, pixels[-1] - height) if pixels else 0.0
    for i in reversed(range(len(pixels))):
        limit = height - over if i == len(pixels) - 1 else pixels[i + 1] - gap
        pixels[i] = min(pixels[i], limit) if over or i < len(pixels) - 1 else pixels[i]
    for label, pixel in zip(placed, pixels):
        label["y"] = math.exp(low + pixel / height * (high - low))
    return placed


def decades(values):
    """A logarithmic axis that holds the values, and ticks at 1, 2, 5 of as many decades as are few enough."""
    low, high = min(values) * 0.85, max(values) * 1.2
    span = math.log10(high / low)
    marks = (1, 2, 5) if span < 2.2 else (1, 3) if span < 3 else (1,)
    ticks = [m * 10.0 ** e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1) for m in marks]
    return (low, high), [t for t in ticks if low <= t <= high]


def milliseconds(domain, ticks, title):
    return alt.Y("ms:Q", title=title, scale=alt.Scale(type="log", domain=list(domain), nice=False),
                 axis=alt.Axis(values=ticks, format=",~r"))


def latency_points(run, mode):
    points = []
    for step in run.steps("rate", mode):
        for name in run.names:
            row = run.row("rate", mode, name, step)
            if row:
                points += [{"contender": name, "step": step, "metric": m, "ms": f["median"], "low": f["low"],
                            "high": f["high"], "errors": row["errors"]}
                           for m in ("p50", "p99") if (f := row["metrics"].get(m)) and f["median"]]
    return points


def latency(run, style, mode, shared):
    """Rate against p50 (dashed) and p99, both axes logarithmic; a hollow point had errors."""
    points = latency_points(run, mode)
    domain, ticks = decades(shared)
    steps = sorted({p["step"] for p in points})
    limit = run.run["objective"]["p99_ms"] if run.capacity else None

    def draw(width, narrow):
        height = 300 if not narrow else 280
        shown = steps if len(steps) <= (5 if narrow else 9) else steps[::2]
        x = alt.X("step:Q", title="requests/s, as asked for", axis=alt.Axis(values=shown, format="~s", grid=False),
                  scale=alt.Scale(type="log", domain=[steps[0] * 0.9, steps[-1] * 1.1], nice=False))
        color = alt.Color("contender:N", scale=style.colors(run.names), legend=None)
        y = milliseconds(domain, ticks, "latency, ms")
        base = alt.Chart(rows_data(points)).transform_calculate(
            say="datum.contender + ' ' + datum.metric + ' at ' + datum.step + '/s: ' + datum.ms + ' ms'",
        ).encode(x=x, color=color)
        p99, p50 = (base.transform_filter(alt.datum.metric == m) for m in ("p99", "p50"))
        layers = []
        if limit and domain[0] < limit < domain[1]:
            text = "objective" if narrow else f"objective: p99 < {limit:g} ms"
            rule = rows_data([{"ms": limit, "step": steps[0] * 0.92, "text": text}])
            layers += [alt.Chart(rule).mark_rule(strokeDash=[2, 3], color=FAINT).encode(y=y),
                       alt.Chart(rule).mark_text(align="left", dy=-6, color=FAINT, fontSize=10).encode(
                           y=y, x=x, text="text:N")]
        layers += [
            p99.mark_area(opacity=0.14).encode(y=alt.Y("low:Q"), y2="high:Q"),
            p50.mark_line(strokeWidth=1.4, strokeDash=[4, 3]).encode(y=y),
            p99.mark_line(strokeWidth=2.2).encode(y=y),
            base.mark_point(size=34, strokeWidth=1.6, opacity=1).encode(
                y=y, shape=alt.Shape("contender:N", scale=style.shapes(run.names), legend=None),
                fill=alt.condition("datum.errors > 0", alt.value(PAPER), color), description="say:N"),
        ]
        ends = {}
        for p in points:
            if p["metric"] == "p99":
                ends[p["contender"]] = {"contender": p["contender"], "step": p["step"], "y": p["ms"],
                                        "text": short(run, p["contender"])}
        labels = []
        for step in {e["step"] for e in ends.values()}:
            labels += spread_labels([e for e in ends.values() if e["step"] == step], height, domain)
        for label in labels:
            label["ms"] = label["y"]
        layers.append(alt.Chart(rows_data(labels)).mark_text(align="left", dx=9, fontWeight=600, fontSize=12).encode(
            x=x, y=y, text="text:N", color=color))
        return alt.layer(*layers).properties(width=width, height=height)

    return both(draw, 420, 252)


def distribution_points(run, scenario, mode, step):
    """The median, over the turns that count, of each percentile; beyond what the number of requests can tell, none."""
    points = []
    for name in run.names:
        turns = [t for t in run.counting((scenario, mode, step, None, name, None)) if t.get("distribution")]
        if not turns:
            continue
        few = min(t["requests"] for t in turns)
        at = {}
        for turn in turns:
            for percentile, ms in turn["distribution"]:
                at.setdefault(percentile, []).append(ms)
        points += [{"contender": name, "percentile": p, "nines": -math.log10(1 - p / 100), "ms": statistics.median(ms)}
                   for p, ms in sorted(at.items())
                   if p < 100 and (1 - p / 100) * few >= 1 and len(ms) == len(turns) and statistics.median(ms) > 0]
    return points


def distribution(run, style, points):
    """Latency by percentile, the axis stretched toward the tail: each step is one request in ten of those before."""
    domain, ticks = decades([p["ms"] for p in points])
    most = max(p["nines"] for p in points)

    def draw(width, narrow):
        height = 260
        x = alt.X("nines:Q", title="percentile", scale=alt.Scale(domain=[0, most * 1.02], nice=False),
                  axis=alt.Axis(values=[n for n in (0, 0.30103, 1, 2, 3, 4, 5) if n <= most * 1.02], grid=False,
                                labelExpr="datum.value == 0 ? '0' : datum.value < 0.5 ? '50' :"
                                          " datum.value == 1 ? '90' :"
                                          " datum.value == 2 ? '99' : datum.value == 3 ? '99.9' :"
                                          " datum.value == 4 ? '99.99' : '99.999'"))
        color = alt.Color("contender:N", scale=style.colors(run.names), legend=None)
        y = milliseconds(domain, ticks, "latency, ms")
        ends = {p["contender"]: {"contender": p["contender"], "nines": p["nines"], "y": p["ms"],
                                 "text": short(run, p["contender"])} for p in points}
        far = max(e["nines"] for e in ends.values())
        labels = spread_labels([{**e, "nines": far} for e in ends.values()], height, domain)
        for label in labels:
            label["ms"] = label["y"]
        return alt.layer(
            alt.Chart(rows_data(points)).mark_line(strokeWidth=2.2, interpolate="monotone").encode(
                x=x, y=y, color=color),
            alt.Chart(rows_data(labels)).mark_text(align="left", dx=9, fontWeight=600, fontSize=12).encode(
                x=x, y=y, text="text:N", color=color),
        ).properties(width=width, height=height)

    return both(draw, 420, 252)


def bars(items, title):
    """Horizontal bars with their interval and figure: items are {"label", "color", "figure", "text", "who"}."""
    items = [{"label": i["label"], "color": i["color"], "value": i["figure"]["median"], "text": i["text"],
              "low": i["figure"]["low"], "high": i["figure"]["high"],
              "who": i["who"]} for i in items]
    top = max(i["high"] for i in items) or 1

    def draw(width, narrow):
        y = alt.Y("label:N", title=None, sort=None,
                  axis=alt.Axis(labelColor=INK, labelFontSize=12, labelLimit=150, labelExpr="split(datum.label, ', ')"))
        x = alt.X("value:Q", title=title, scale=alt.Scale(domain=[0, top * 1.04], nice=False),
                  axis=alt.Axis(format=",~r", tickCount=3 if narrow else 4))
        base = alt.Chart(rows_data(items)).transform_calculate(
            say="datum.who + ': ' + datum.value + '/s'").encode(y=y)
        return alt.layer(
            base.mark_bar(height={"band": 0.62}, cornerRadiusEnd=2, opacity=0.88).encode(
                x=x, color=alt.Color("color:N", scale=None, legend=None), description="say:N"),
            base.mark_rule(color=INK, strokeWidth=1.4).encode(x="low:Q", x2="high:Q"),
            base.mark_text(align="left", dx=7, fontWeight=600, fontSize=12).encode(x="high:Q", text="text:N"),
        ).properties(width=width, height=34 * len(items))

    return both(draw, 360, 178)


def capacity(run, style, mode):
    found = sorted((c for c in run.capacity if c["mode"] == mode and c["rps"]["median"] is not None),
                   key=lambda c: -c["rps"]["median"])
    return bars([
        {"label": short(run, c["contender"]), "color": style.color[c["contender"]], "figure": c["rps"],
         "text": ("≥ " if c["at_least"] else "") + number(c["rps"]["median"]), "who": f"{c['contender']} capacity"}
        for c in found], "requests/s")


def cpu(run, style, scenario, mode):
    """CPU per request, stacked by process: the contender in its colour, PostgreSQL and the generator in greys."""
    parts, totals = [], []
    rows = [(n, r) for n in run.names if (r := run.row(scenario, mode, n)) and r["metrics"].get("cpu_us")]
    rows.sort(key=lambda nr: nr[1]["metrics"]["cpu_us"]["median"])
    for name, row in rows:
        start, said = 0.0, []
        for metric, color in (("cpu_us", style.color[name]), ("postgresql_cpu_us", POSTGRESQL),
                              ("generator_cpu_us", GENERATOR)):
            figure = row["metrics"].get(metric)
            if not figure or figure["median"] is None:
                continue
            parts.append({"label": short(run, name), "color": color, "start": start, "end": start + figure["median"],
                          "who": f"{name} {metric}"})
            start += figure["median"]
            said.append(number(figure["median"], 2))
        totals.append({"label": short(run, name), "end": start, "text": " + ".join(said)})

    def draw(width, narrow):
        y = alt.Y("label:N", title=None, sort=None, axis=alt.Axis(labelColor=INK, labelFontSize=12))
        x = alt.X("start:Q", title="µs of CPU per request", axis=alt.Axis(tickCount=4),
                  scale=alt.Scale(domain=[0, max(t["end"] for t in totals) * 1.02], nice=False))
        return alt.layer(
            alt.Chart(rows_data(parts)).transform_calculate(
                say="datum.who + ': ' + (datum.end - datum.start) + ' us'",
            ).mark_bar(height={"band": 0.62}, stroke=PAPER, strokeWidth=1).encode(
                x=x, x2="end:Q", y=y, color=alt.Color("color:N", scale=None, legend=None), description="say:N"),
            alt.Chart(rows_data(totals)).mark_text(align="left", dx=7, fontSize=12).encode(
                x="end:Q", y=y, text="text:N"),
        ).properties(width=width, height=34 * len(totals))

    return both(draw, 350, 158)


def forest(run, style, mode, items):
    """Every comparison that is not of one step, as how many times better the subject is: right of 1 it wins."""
    def draw(width, narrow):
        what = [w for i, w in enumerate(i["what"] for i in items) if w not in [j["what"] for j in items[:i]]]
        others = [n for n in run.names if n != run.subject]
        values = [v for i in items for v in (i["low"], i["high"])] + [0.8, 1.25]
        domain = [min(values) / 1.1, max(values) * 1.1]
        ticks = [t for t in (0.1, 0.2, 0.5, 0.8, 1, 1.25, 2, 3, 5, 10, 20, 50) if domain[0] <= t <= domain[1]]
        if narrow:
            ticks = [t for t in ticks if t not in (0.8, 1.25, 3)]
        y = alt.Y("what:N", title=None, sort=what,
                  axis=alt.Axis(labelColor=INK, labelFontSize=12, labelLimit=200, grid=True, tickBand="extent"))
        offset = alt.YOffset("against:N", sort=others, scale=alt.Scale(paddingInner=0.1, paddingOuter=0.6))
        x = alt.X("low:Q", title=f"times better for {run.subject} →",
                  scale=alt.Scale(type="log", domain=domain, nice=False),
                  axis=alt.Axis(values=ticks, format="~g", grid=False))
        color = alt.Color("against:N", scale=style.colors(run.names), legend=None)
        base = alt.Chart(rows_data(items)).encode(y=y, yOffset=offset, color=color)
        marks = [
            alt.Chart(rows_data([{"low": 1}])).mark_rule(color=INK, strokeWidth=1.2).encode(x=x),
            base.mark_rule(strokeWidth=2.4).encode(x=x, x2="high:Q"),
            base.mark_point(size=46, strokeWidth=1.8, opacity=1).encode(
                x="median:Q", fill=alt.condition("datum.unproven", alt.value(PAPER), color),
                shape=alt.Shape("against:N", scale=style.shapes(run.names), legend=None),
                description="say:N"),
        ]
        return alt.layer(*marks).properties(width=width, height=max(120, len(what) * (15 * len(others) + 8)))

    return both(draw, 350, 175)


def forest_items(run, mode):
    items = []
    for c in run.comparisons:
        ratio = c["ratio"]
        if c["mode"] != mode or c["step"] is not None or c["metric"] not in FOREST or min(ratio["median"], ratio["low"] or 1) <= 0:
            continue
        turn = (lambda v: 1 / v) if c["metric"] in LESS_IS_BETTER else (lambda v: v)
        low, high = sorted((turn(ratio["low"] or ratio["median"]), turn(ratio["high"] or ratio["median"])))
        what = METRICS[c["metric"]][0] + ("" if c["scenario"] == "capacity" else f", {c['scenario']}")
        items.append({"what": what, "against": c["against"], "median": turn(ratio["median"]), "low": low, "high": high,
                      "unproven": c["verdict"] == "unproven", "metric": c["metric"],
                      "say": f"{what} against {c['against']}: {times(turn(ratio['median']))} better"})
    return sorted(items, key=lambda i: FOREST.index(i["metric"]))


def where(run, mode):
    return f"{mode}: {cpus(run, mode)}, {run.run['modes'][mode]['connections']} connections"
