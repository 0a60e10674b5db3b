"""From turns to verdicts, by turns that are made up."""
import unittest

from loadtest.report import summary

OBJECTIVE = {"p99_ms": 10}


def turn(contender, rps=1000, repeat=0, requests=20_000, **changes):
    return {"scenario": "saturation", "mode": "single", "contender": contender, "repeat": repeat, "step": None, "variant": None,
            "requests": requests, "rps": rps, "latency_ms": dict.fromkeys((*summary.PERCENTILES, "max"), 1.0), "windows": [[10_000, 1.0]] * 2,
            "errors": {}, "cpu_s": {"contender": requests * 1e-5, "postgresql": requests * 2e-5, "generator": requests * 5e-6},
            "memory_mib": 10, "context_switches": {"voluntary": requests, "involuntary": 0}, "limit": "contender", "void": None, "fault": None,
            **changes}


def row_of(turns):
    return summary.summarize(turns, OBJECTIVE, "a")["rows"][0]


class RowTest(unittest.TestCase):
    def test_medians_ranges_and_void_turns(self):
        row = row_of([turn("a", rps, repeat) for repeat, rps in enumerate((100, 110, 130))] + [turn("a", 9, 3, void="why", errors={"closed": 1})])
        self.assertEqual((3, 1, 60_000, 0), (row["turns"], row["void_turns"], row["requests"], row["errors"]))
        self.assertEqual({"median": 110, "low": 100, "high": 130}, row["metrics"]["rps"])
        self.assertAlmostEqual(10, row["metrics"]["cpu_us"]["median"])
        self.assertAlmostEqual(30, row["metrics"]["total_cpu_us"]["median"])

    def test_the_slowest_of_all_turns(self):
        turns = [turn("a", repeat=repeat, latency_ms={**turn("a")["latency_ms"], "max": slowest}) for repeat, slowest in enumerate((3, 250, 4))]
        self.assertEqual(250, row_of(turns)["metrics"]["max"]["median"])

    def test_a_percentile_needs_ten_answers_above_it(self):
        known = lambda requests: {name for name in row_of([turn("a", requests=requests)])["metrics"] if name.startswith("p")
                                  and name in summary.PERCENTILES}
        self.assertEqual({"p50", "p90", "p95", "p99", "p99.9"}, known(10_000))
        self.assertEqual({"p50", "p90", "p95", "p99"}, known(9_999))
        self.assertEqual({"p50", "p90", "p95"}, known(999))

    def test_a_pause_is_in_one_window(self):
        self.assertEqual(2.0, summary.p99_of_windows(turn("a", windows=[[500, 2.0], [500, 90.0], [500, 2.1], [500, 1.9], [400, 1.8]])))
        self.assertIsNone(summary.p99_of_windows(turn("a", windows=[[499, 2.0], [500, 2.0]])))
        self.assertIsNone(summary.p99_of_windows(turn("a", windows=[])))

    def test_who_was_at_an_end_by_how_many_turns(self):
        turns = [turn("a", repeat=repeat, limit=limit) for repeat, limit in enumerate(("none", "contender", "none"))]
        self.assertEqual([("none", 2), ("contender", 1)], row_of(turns)["limits"])


class ComparisonTest(unittest.TestCase):
    def found(self, turns, metric="rps", **about):
        wanted = {"metric": metric, "scenario": "saturation", "step": None, **about}
        return next((c for c in summary.summarize(turns, OBJECTIVE, "a")["comparisons"] if all(c[n] == v for n, v in wanted.items())), None)

    def two(self, ours, theirs):
        return [turn(name, rps, repeat) for name, figures in (("a", ours), ("b", theirs)) for repeat, rps in enumerate(figures)]

    def test_verdicts(self):
        theirs = [100, 105, 110, 90, 200, 101]
        self.assertEqual("better", self.found(self.two([1.2 * each for each in theirs], theirs))["verdict"])
        self.assertEqual("worse", self.found(self.two([0.9 * each for each in theirs], theirs))["verdict"])
        self.assertEqual("tie", self.found(self.two([99, 107, 109, 92, 195, 102], theirs))["verdict"])
        self.assertEqual("unproven", self.found(self.two([200] * 4, [100] * 4))["verdict"])
        self.assertEqual("tie", self.found(self.two([200] * 6, [100] * 6), "cpu_us")["verdict"])

    def test_pairs_are_of_the_same_repeat(self):
        turns = self.two([10, 20, 30, 40, 50, 60], [20, 40, 60, 80, 100, 120])
        del turns[2]
        ratio = self.found(turns)["ratio"]
        self.assertEqual((0.5, 5), (round(ratio["median"], 9), ratio["pairs"]))

    def test_requests_per_second_are_compared_where_the_contender_decides_them(self):
        turns = [turn(name, rps, repeat, scenario=scenario, step=1000 if scenario == "rate" else None) for name, rps in (("a", 999), ("b", 1000))
                 for scenario in ("saturation", "mixed", "light", "heavy", "rate") for repeat in range(5)]
        found = summary.summarize(turns, OBJECTIVE, "a")["comparisons"]
        self.assertEqual({"saturation", "mixed"}, {c["scenario"] for c in found if c["metric"] == "rps"})
        self.assertEqual({"saturation", "mixed", "light", "heavy", "rate"}, {c["scenario"] for c in found if c["metric"] == "total_cpu_us"})

    def rates(self, **changes):
        """b costs twice as much at 1,000/s and eight times at 2,000/s."""
        turns = []
        for repeat in range(5):
            for step, factor in ((1000, 2), (2000, 8)):
                turns.append(turn("a", step, repeat, scenario="rate", step=step))
                cost = {name: factor * seconds for name, seconds in turns[-1]["cpu_s"].items()}
                turns.append(turn("b", step, repeat, scenario="rate", step=step, cpu_s=cost))
        for each in turns:
            if all(each[name] == value for name, value in changes.get("where", {}).items()):
                each.update(changes.get("to", {}))
        return self.found(turns, "total_cpu_us", scenario="rate")

    def test_over_all_rates_a_repeat_is_one_pair(self):
        ratio = self.rates()["ratio"]
        self.assertEqual((0.25, 5), (round(ratio["median"], 9), ratio["pairs"]))

    def test_a_rate_that_was_not_kept_counts_in_no_repeat(self):
        missed = {"contender": "b", "step": 2000, "repeat": 3}
        for to in {"errors": {"status 503": 1}}, {"rps": 1900}, {"void": "why"}:
            self.assertEqual(4, self.rates(where=missed, to=to)["ratio"]["pairs"], to)


class CapacityTest(unittest.TestCase):
    def at(self, step, p99, contender="a", **changes):
        return turn(contender, changes.pop("rps", step), scenario="capacity", step=step, windows=[[step, p99]] * 2, **changes)

    def capacity(self, turns):
        return summary.summarize([turn("a", 2000), *turns], OBJECTIVE, "a")["capacity"][0]

    def test_it_lies_between_what_was_kept_and_what_was_not(self):
        found = self.capacity([self.at(rate, p99) for rate, p99 in ((1500, 2), (1600, 3), (1700, 8), (1800, 11), (1900, 40), (2000, 90))])
        self.assertAlmostEqual(1, found["rps"]["median"] / 1750, delta=0.02)
        self.assertTrue(1300 < found["rps"]["low"] < 1600 and 1900 < found["rps"]["high"] < 2400, found)
        self.assertEqual((6, 3, False), (found["turns"], found["kept"], found["at_least"]))

    def test_an_error_or_falling_behind_keeps_nothing(self):
        self.assertTrue(summary.keeps(self.at(2000, 9.9), OBJECTIVE))
        self.assertFalse(summary.keeps(self.at(2000, 10.1), OBJECTIVE))
        self.assertFalse(summary.keeps(self.at(2000, 1, errors={"closed": 1}), OBJECTIVE))
        self.assertFalse(summary.keeps(self.at(2000, 1, rps=1900), OBJECTIVE))

    def test_at_least_where_only_the_generator_ended_it(self):
        void = {"void": "the load generator was the bottleneck", "limit": "generator"}
        self.assertTrue(self.capacity([self.at(1800, 2), self.at(2600, 30, **void)])["at_least"])
        self.assertFalse(self.capacity([self.at(1800, 2), self.at(2600, 30, void="the control before it")])["at_least"])
        self.assertFalse(self.capacity([self.at(1800, 2), self.at(2600, 30)])["at_least"])

    def test_being_less_than_at_least_so_much_is_no_proof(self):
        def verdict(void):
            turns = [turn(name, saturation) for name, saturation in (("a", 1000), ("b", 3000))]
            turns += [self.at(rate, 1, name) for name, most in (("a", 900), ("b", 2700)) for rate in (most - 200, most - 100, most)]
            turns += [self.at(1000, 50, "a", void=void, limit="generator" if void else "none") for _ in range(3)] + [self.at(3000, 50, "b") for _ in range(3)]
            return next(c["verdict"] for c in summary.summarize(turns, OBJECTIVE, "a")["comparisons"] if c["metric"] == "capacity")
        self.assertEqual("worse", verdict(None))
        self.assertEqual("tie", verdict("the load generator was the bottleneck"))


if __name__ == "__main__":
    unittest.main()
