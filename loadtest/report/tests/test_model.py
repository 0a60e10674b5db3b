"""A run that contradicts itself is refused; what is claimed follows from rules, not from choice."""
import json
import re
import shutil
import tempfile
import unittest
from pathlib import Path

from loadtest.report import claim, readme, summary
from loadtest.report.figures import METRICS
from loadtest.report.model import Refused, Run
from loadtest.report.tests import synthetic


class Folder(unittest.TestCase):
    """A copy of a synthetic run in a folder of its own, to be spoilt."""

    @classmethod
    def setUpClass(cls):
        place = tempfile.TemporaryDirectory()
        cls.addClassCleanup(place.cleanup)
        cls.run_ = synthetic.write(Path(place.name) / "run")

    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = Path(shutil.copytree(self.run_, Path(place.name) / "run"))

    def change(self, name, edit):
        path = self.folder / name
        value = json.loads(path.read_text())
        edit(value)
        path.write_text(json.dumps(value))

    def turns(self, edit):
        path = self.folder / "turns.jsonl"
        turns = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(t) + "\n" for t in edit(turns)))

    def summarize(self):
        turns = [json.loads(line) for line in (self.folder / "turns.jsonl").read_text().splitlines()]
        (self.folder / "summary.json").write_text(json.dumps(summary.summarize(turns, synthetic.OBJECTIVE, "ringpost")))

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
        self.refused(r"summary.json: rows heavy single ringpost metrics p99 median: [\d.]+, but the turns in turns.jsonl say")

    def test_a_turn_left_out(self):
        self.turns(lambda turns: [t for t in turns if (t["scenario"], t["contender"], t["repeat"]) != ("light", "ringpost", 5)])
        self.refused("turns: 6, but the turns in turns.jsonl say 5")

    def test_a_void_turn_counted(self):
        def edit(turns):
            for turn in turns:
                turn["void"] = None
            return turns
        self.turns(edit)
        self.refused("turns: 6, but the turns in turns.jsonl say 7")

    def test_a_capacity_that_was_not_reached(self):
        self.change("summary.json", lambda s: s["capacity"][0]["rps"].update(median=99999.0))
        self.refused("capacity single ringpost rps median: 99999.0")

    def test_a_verdict_that_is_not_its_interval(self):
        def edit(summary):
            tie = next(c for c in summary["comparisons"] if c["verdict"] == "tie")
            tie["verdict"] = "better"
        self.change("summary.json", edit)
        self.refused("verdict: better, but the turns in turns.jsonl say tie")

    def test_no_run(self):
        (self.folder / "summary.json").unlink()
        self.refused("summary.json: .*run the comparison first")

    def test_another_schema(self):
        self.change("run.json", lambda r: r.update(schema=1))
        self.refused("schema 1, this report reads schema 2: run the comparison again .1 had neither pairs of turns")

    def test_a_rule_that_failed_voids_the_run_whatever_its_header_says(self):
        self.change("run.json", lambda r: r["fairness"][5].update(held=False, seen="41 connections"))
        run = Run(self.folder)
        self.assertIn("41 connections", run.void)
        self.assertEqual([], claim.claims(run))


class ClaimTest(Folder):
    def test_the_claim_is_against_the_other_that_comes_out_best(self):
        run = Run(self.folder)
        claims = claim.claims(run)
        self.assertEqual(["single", "multi"], [c["mode"] for c in claims])
        for c in claims:
            self.assertEqual(("total_cpu_us", "rate", None, "rust-api"), tuple(c["cost"][n] for n in ("metric", "scenario", "step", "against")))
            self.assertEqual(("cpu_us", "rate", "rust-api"), tuple(c["own"][n] for n in ("metric", "scenario", "against")))
            self.assertEqual(("capacity", "rust-api"), (c["rate"]["metric"], c["rate"]["against"]))

    def test_the_headline_is_by_pairs(self):
        """A repeat in which the machine was slow for all says nothing of any."""
        def edit(turns):
            for turn in turns:
                if turn["cpu_s"] and turn["repeat"] in (1, 4):
                    turn["cpu_s"] = {name: 3 * seconds for name, seconds in turn["cpu_s"].items()}
            return turns
        before = claim.claims(Run(self.folder))[0]["cost"]["ratio"]
        self.turns(edit)
        self.summarize()
        after = claim.claims(Run(self.folder))[0]["cost"]["ratio"]
        for name in ("median", "low", "high"):
            self.assertAlmostEqual(1, before[name] / after[name])

    def test_all_that_is_lost_or_tied_is_told(self):
        run = Run(self.folder)
        judged = claim.judgements(run)
        told = {(li["what"], li["against"]) for v in ("worse", "tie") for li in claim.lines(judged, v)}
        scenarios = {"rate": "fixed rate", "clients": "saturation with other numbers of clients"}
        for c in run.comparisons:
            if c["verdict"] != "better":
                scenario = scenarios.get(c["scenario"], c["scenario"])
                what = METRICS[c["metric"]][0] + ("" if c["metric"] == "capacity" else f", {scenario}")
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

        self.turns(edit)
        self.summarize()
        first = claim.families(claim.judgements(Run(self.folder)), "worse")[0]
        self.assertIn("wrong answers", first["worst"]["what"])

    def test_four_pairs_prove_nothing(self):
        self.turns(lambda turns: [t for t in turns if t["repeat"] < 4])
        self.summarize()
        run = Run(self.folder)
        self.assertEqual({"unproven"}, {c["verdict"] for c in run.comparisons if c["metric"] != "capacity"})
        self.assertIn("(4 pairs, too few to prove)", readme.table(run))
        self.assertIn("(no proof)", readme.table(run))


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

    def test_what_its_parts_bring_is_said_beside_the_others(self):
        """Of the subject's variants in a mode, each once, with the median of its turns."""
        run = Run(self.folder)
        told = [line for line in readme.table(run).split("\n") if line.startswith("What its parts bring")]
        self.assertEqual(len(told), len(run.modes))
        alone = run.row("saturation", "single", "ringpost", variant="pipelining=off")["metrics"]["rps"]["median"]
        self.assertEqual(told[0].count(f"pipelining=off: {alone:,.0f};"), 1, told[0])
        other = run.row("saturation", "single", "rust-api")["metrics"]["rps"]["median"]
        self.assertIn(f"{other:,.0f}", told[0].split(" The others, as compared: ")[1])

    def test_a_figure_changed_by_hand(self):
        run = Run(self.folder)
        readme.update(run, self.readme)
        self.readme.write_text(re.sub(r"\| (\d)", lambda cell: f"| {(int(cell[1]) + 1) % 10}", self.readme.read_text(), count=1))
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
