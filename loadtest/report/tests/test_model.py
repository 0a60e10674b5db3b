"""A run that contradicts itself is refused; what is claimed follows from rules, not from choice."""
import json
import tempfile
import unittest
from pathlib import Path

from loadtest.report import claim, readme
from loadtest.report.model import Refused, Run
from loadtest.report.tests import synthetic


class Folder(unittest.TestCase):
    """A synthetic run in a folder of its own, to be spoilt."""

    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = synthetic.write(Path(place.name) / "run")

    def change(self, name, edit):
        path = self.folder / name
        value = json.loads(path.read_text())
        edit(value)
        path.write_text(json.dumps(value))

    def turns(self, edit):
        path = self.folder / "turns.jsonl"
        turns = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(t) + "\n" for t in edit(turns)))

    def refused(self, pattern):
        with self.assertRaisesRegex(Refused, pattern):
            Run(self.folder)


class RefusesTest(Folder):
    def test_a_sound_run_is_read(self):
        run = Run(self.folder)
        self.assertEqual("ringpost", run.subject)
        self.assertIsNone(run.void)

    def test_a_median_that_is_not_the_turns(self):
        def edit(summary):
            row = next(r for r in summary["rows"] if (r["scenario"], r["contender"]) == ("heavy", "ringpost"))
            row["metrics"]["p99"]["median"] *= 0.98
        self.change("summary.json", edit)
        self.refused(r"heavy\|single\|\|\|ringpost\| p99: median")

    def test_a_turn_left_out(self):
        self.turns(lambda turns: [t for i, t in enumerate(turns) if i != 3])
        self.refused("is said to be of 5 turns, turns.jsonl has 4")

    def test_a_void_turn_counted(self):
        def edit(turns):
            for turn in turns:
                turn["void"] = None
            return turns
        self.turns(edit)
        self.refused("is said to be of 5 turns, turns.jsonl has 6")

    def test_a_capacity_that_was_not_reached(self):
        self.change("summary.json", lambda s: s["capacity"][0]["rps"].update(median=99999))
        self.refused("capacity single ringpost: median 99999")

    def test_a_verdict_that_is_not_its_interval(self):
        def edit(summary):
            tie = next(c for c in summary["comparisons"] if c["verdict"] == "tie")
            tie["verdict"] = "better"
        self.change("summary.json", edit)
        self.refused("is called 'better'")

    def test_no_run(self):
        (self.folder / "summary.json").unlink()
        self.refused("summary.json: .*run the comparison first")

    def test_another_schema(self):
        self.change("run.json", lambda r: r.update(schema=2))
        self.refused("schema 2")

    def test_a_rule_that_failed_voids_the_run_whatever_its_header_says(self):
        self.change("run.json", lambda r: r["fairness"][5].update(held=False, seen="41 connections"))
        run = Run(self.folder)
        self.assertIn("41 connections", run.void)
        self.assertEqual([], claim.claims(run))


class ClaimTest(Folder):
    def strongest(self, run, mode):
        found = {c["contender"]: c["rps"]["median"] for c in run.capacity if c["mode"] == mode}
        found.pop(run.subject)
        return max(found, key=found.get)

    def test_the_claim_is_against_the_strongest_other(self):
        run = Run(self.folder)
        claims = claim.claims(run)
        self.assertEqual(["single", "multi"], [c["mode"] for c in claims])
        for c in claims:
            self.assertEqual("capacity", c["rate"]["metric"])
            self.assertEqual(self.strongest(run, c["mode"]), c["rate"]["against"])
            self.assertEqual("rust-api", c["cost"]["against"])

    def test_all_that_is_lost_or_tied_is_told(self):
        run = Run(self.folder)
        judged = claim.judgements(run)
        told = {(li["what"], li["against"]) for v in ("worse", "tie") for li in claim.lines(judged, v)}
        names = {"capacity": "capacity", "rps": "requests/s", "p99": "p99", "cpu_us": "CPU per request",
                 "rss_peak_mib": "peak memory"}
        scenarios = {"rate": "fixed rate"}
        for c in run.comparisons:
            if c["verdict"] != "better":
                scenario = scenarios.get(c["scenario"], c["scenario"])
                what = names[c["metric"]] + ("" if c["metric"] == "capacity" else f", {scenario}")
                self.assertIn((what, c["against"]), told)

    def test_the_planted_losses_are_in_the_first_screen(self):
        lost = {f["family"]: f for f in claim.families(claim.judgements(Run(self.folder)), "worse")}
        self.assertIn("rust-api", lost["Memory"]["by"])
        self.assertIn("rust-api", lost["Latency"]["by"])
        self.assertIn("its backends ended", lost["Faults"]["worst"]["what"])

    def test_a_wrong_answer_comes_first(self):
        def edit(turns):
            wrong = next(t for t in turns if t["contender"] == "ringpost" and t["fault"])
            wrong["fault"]["wrong"] = 1
            return turns

        def edit_summary(summary):
            next(r for r in summary["rows"] if r["contender"] == "ringpost" and r["fault"])["fault"]["wrong"] = 1
        self.turns(edit)
        self.change("summary.json", edit_summary)
        first = claim.families(claim.judgements(Run(self.folder)), "worse")[0]
        self.assertIn("wrong answers", first["worst"]["what"])

    def test_one_search_for_capacity_claims_nothing(self):
        def edit(summary):
            for c in summary["comparisons"]:
                if c["metric"] == "capacity":
                    c["verdict"] = "tie"
            for c in summary["capacity"]:
                found = [t["step"] for t in kept if t["mode"] == c["mode"] and t["contender"] == c["contender"]
                         and t["scenario"] == "capacity" and not t["errors"]]
                c["rps"] = {"median": max(found), "low": max(found), "high": max(found)}
        self.turns(lambda turns: [t for t in turns if t["scenario"] != "capacity" or t["repeat"] == 0])
        kept = [json.loads(line) for line in (self.folder / "turns.jsonl").read_text().splitlines()]
        self.change("summary.json", edit)
        self.assertEqual(["rps", "rps"], [c["rate"]["metric"] for c in claim.claims(Run(self.folder))])


    def test_being_less_than_at_least_so_much_is_no_proof(self):
        def edit(summary):
            for c in summary["capacity"]:
                c["at_least"] = c["contender"] == "rust-api"
        self.change("summary.json", edit)
        with self.assertRaisesRegex(Refused, "capacity single rust-api: that it is 'at least' is not what turns.jsonl says"):
            Run(self.folder)

        def void(turns):
            for t in turns:
                if t["scenario"] == "capacity" and t["contender"] == "rust-api" and t["latency_ms"]["p99"] >= 10:
                    t["void"] = "the load generator was the bottleneck"
            return turns
        self.turns(void)
        with self.assertRaisesRegex(Refused, "capacity single capacity against rust-api is called 'better'.*say 'tie'"):
            Run(self.folder)


class ReadmeTest(Folder):
    def setUp(self):
        super().setUp()
        self.readme = self.folder / "README.md"
        self.readme.write_text("# A\n<!-- results -->\nold\n<!-- /results -->\nafter\n")

    def test_update_then_check(self):
        run = Run(self.folder)
        with self.assertRaisesRegex(Refused, "is not that of"):
            readme.check(run, self.readme)
        for _ in range(2):
            readme.update(run, self.readme)
            readme.check(run, self.readme)
        text = self.readme.read_text()
        self.assertTrue(text.startswith("# A\n<!-- results -->\n| |") and text.endswith("<!-- /results -->\nafter\n"))
        self.assertIn("It loses", text)

    def test_a_figure_changed_by_hand(self):
        run = Run(self.folder)
        readme.update(run, self.readme)
        self.readme.write_text(self.readme.read_text().replace("| 12.", "| 13.", 1))
        with self.assertRaisesRegex(Refused, "is not that of"):
            readme.check(run, self.readme)

    def test_no_markers(self):
        self.readme.write_text("# A\n")
        with self.assertRaisesRegex(Refused, "add the two markers"):
            readme.update(Run(self.folder), self.readme)

    def test_a_void_run_makes_no_table(self):
        self.change("run.json", lambda r: r.update(void="the same answers: go-api, single"))
        with self.assertRaisesRegex(Refused, "is void"):
            readme.table(Run(self.folder))


if __name__ == "__main__":
    unittest.main()
