"""How figures are written, everywhere alike: three significant digits, thousands set apart, a unit."""
import math

# metric: (what it is called, unit, whether more is better)
METRICS = {
    "rps": ("requests/s", "/s", True),
    "capacity": ("capacity", "/s", True),
    "p50": ("p50", "ms", False),
    "p90": ("p90", "ms", False),
    "p95": ("p95", "ms", False),
    "p99": ("p99", "ms", False),
    "p99.9": ("p99.9", "ms", False),
    "max": ("slowest", "ms", False),
    "p99_windows": ("p99 of half seconds", "ms", False),
    "total_cpu_us": ("CPU with PostgreSQL's per request", "µs", False),
    "cpu_us": ("CPU per request", "µs", False),
    "postgresql_cpu_us": ("PostgreSQL's CPU per request", "µs", False),
    "generator_cpu_us": ("generator's CPU per request", "µs", False),
    "memory_mib": ("peak memory", "MiB", False),
    "switches": ("context switches per request", "", False),
}
SCENARIOS = {
    "light": "light: 10 users",
    "heavy": "heavy: 100 users",
    "rate": "fixed rate",
    "saturation": "saturation: 64 clients",
    "clients": "saturation with other numbers of clients",
    "mixed": "mixed: 80 % one user, 20 % pages",
    "capacity": "capacity",
    "faults": "faults",
}
FAULTS = {
    "restart": "PostgreSQL restarted",
    "freeze": "PostgreSQL frozen",
    "terminate": "its backends ended",
    "column": "a column added",
}


def number(value, digits=3):
    """All digits left of the point are kept, those right of it only as far as `digits` says: 24,013, 1.23, 0.046."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(places, 4)}f}"


def times(value):
    """A ratio: two decimals, one where it is great, three where it is small."""
    return f"{value:.{1 if value >= 9.95 else 2 if value >= 0.095 else 3}f}×"


def count(value):
    """A number of things: no decimals unless it is a median between two."""
    return number(value) if value is None or value != int(value) else f"{value:,.0f}"


def first_upper(text):
    """A line's beginning; p99 stays p99."""
    return text if text[:1] == "p" and text[1:2].isdigit() else text[:1].upper() + text[1:]


def span(figure, write=number):
    """An interval, or nothing where there is none (one turn, or all alike)."""
    if not figure or figure.get("low") is None or figure["low"] == figure["high"]:
        return ""
    return f"{write(figure['low'])} to {write(figure['high'])}"


def ratio_span(figure):
    if figure["low"] is None:
        return f"{figure['pairs']} {'pair' if figure['pairs'] == 1 else 'pairs'}, too few to prove"
    return f"{times(figure['low'])[:-1]} to {times(figure['high'])[:-1]}"


def cpus(run, mode):
    """A mode by what a reader wants to know of it; by its name too where two modes have as many CPUs."""
    counts = {m: len(v["cpus"]) for m, v in run.run["modes"].items()}
    n = counts[mode]
    text = {1: "one CPU", 2: "two CPUs", 3: "three CPUs", 4: "four CPUs"}.get(n, f"{n} CPUs")
    return text if list(counts.values()).count(n) == 1 else f"{text} ({mode})"
