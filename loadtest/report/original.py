"""The comparison that this one redoes, as it was published: another machine, another day, k6 as the generator."""

WHEN = "31 January 2026"
WHERE = "4 CPUs, 40 connections, PostgreSQL 16, 10,000 rows, 512 MB a service, k6"
COLUMNS = ("Go", "Python")
# scenario: metric: (Go, Python); None where nothing was published
FIGURES = {
    "light": {"p50": (1.2, 2.5), "p95": (4.02, 8.58), "p99": (4.83, 10.4), "max": (None, None), "rps": (106, 104),
              "errors": (0, 0)},
    "heavy": {"p50": (1.0, 2.47), "p95": (5.11, 7.08), "p99": (10.4, 22.81), "max": (88, 1980), "rps": (1070, 1054),
              "errors": (0, 0)},
}
