"""`make scale` as its user has it: the quick run measures each axis, draws it, and measures nothing twice; servers are compared."""
import json
import os
import re
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def scale(*words):
    return subprocess.run([ROOT / "tools/scale", *words], cwd=ROOT, capture_output=True, text=True)


class Scale(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.out = Path(folder.name)
        begun = time.monotonic()
        cls.run_ = scale("--quick", "--out", str(cls.out))
        cls.seconds = time.monotonic() - begun
        if cls.run_.returncode != 0:
            raise AssertionError(cls.run_.stdout + cls.run_.stderr)
        cls.records = [json.loads(line) for line in (cls.out / "data/measured.jsonl").read_text().splitlines()]

    def test_each_axis_is_measured_and_sane(self):
        seen = {}
        for record in self.records:
            seen.setdefault(record["axis"], []).append(record)
        self.assertEqual(set(seen), {"capacity", "load", "mixed capacity", "mixed", "clients", "users", "deep", "page", "connections",
                                     "shards", "idle"})
        self.assertNotIn("LEFT OUT", self.run_.stdout)
        for record in self.records:
            if record["axis"] == "idle":
                continue
            with self.subTest(axis=record["axis"], value=record["value"]):
                self.assertGreater(record["rps"], 50)
                self.assertEqual(record["errors"], {})
                self.assertGreater(record["p50_ms"], 0)
                self.assertGreaterEqual(record["p99_ms"], record["p50_ms"])
                for name in "server_us", "postgresql_us":
                    self.assertTrue(1 < record[name] < 100_000, record[name])
                self.assertLess(record["server_cpus"], os.cpu_count() + 0.5)
        large, small = (next(r for r in seen["page"] if r["value"] == n) for n in (200, 1))
        self.assertGreater(large["server_us"], small["server_us"])

    def test_a_fifth_of_a_mixed_load_is_pages_and_lookups_have_their_latency(self):
        capacity = next(r["rps"] for r in self.records if r["axis"] == "mixed capacity")
        for record in self.records:
            if record["axis"] == "mixed":
                with self.subTest(value=record["value"]):
                    self.assertAlmostEqual(record["rps"] / (record["value"] * capacity), 1, delta=0.05)
                    self.assertGreater(record["pages_p50_ms"], record["p50_ms"])  # it has PostgreSQL count all users
                    self.assertGreaterEqual(record["alone_p99_ms"], record["alone_p50_ms"])

    def test_idle_costs_no_cpu_and_little_memory(self):
        for record in self.records:
            if record["axis"] == "idle":
                self.assertLess(record["idle_cpu_ms"], 5.0)  # of a second, with others at work on the machine
                self.assertLess(record["server_kib"], 40)  # few connections: first pages of the server's own count

    def test_plots_show_the_data(self):
        for axis in {r["axis"] for r in self.records} - {"idle", "capacity", "mixed capacity"}:
            with self.subTest(axis=axis):
                text = (self.out / f"{axis}.svg").read_text()
                self.assertLess(len(text), 60_000)
                self.assertNotIn("var(--", text)
                xml.etree.ElementTree.fromstring(text)
                said = {(float(x), metric) for x, metric in re.findall(rf'aria-label="{axis} ([\d.]+) (\w+): ', text)}
                for record in self.records:
                    if record["axis"] == axis:
                        self.assertIn((record["value"], "p99_ms"), said)
                        self.assertIn((record["value"], "server_us"), said)

    def test_the_page_names_every_value(self):
        page = (self.out / "README.md").read_text()
        self.assertTrue(page.startswith("# Scale\n"))
        for svg in self.out.glob("*.svg"):
            self.assertIn(f"]({svg.name})", page)
        self.assertIn("| 20,000 |", page)
        self.assertIn("## Idle", page)
        self.assertRegex(page, r"The lookups' p99 with pages among them is, as part of that alone [^.]*: [\d.]+ at 10 %, [\d.]+ at 50 %\.")

    def test_what_is_measured_is_not_measured_again(self):
        again = scale("--quick", "--out", str(self.out))
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(len((self.out / "data/measured.jsonl").read_text().splitlines()), len(self.records))

    def test_data_of_another_program_is_not_gone_on_with(self):
        run = self.out / "data/run.json"
        kept = run.read_text()
        run.write_text(re.sub(r'"program": "\w+"', '"program": "0"', kept))
        refused = scale("--quick", "--out", str(self.out))
        run.write_text(kept)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("is of another program or machine", refused.stderr)

    def test_an_unknown_axis_is_one_clear_line(self):
        done = scale("--quick", "--out", str(self.out), "--only", "nothing")
        self.assertEqual(done.returncode, 1)
        self.assertIn("scale: no axis is called nothing", done.stderr)

    def test_servers_are_compared_on_the_same_loads(self):
        program = os.environ.get("RINGPOST", str(ROOT / "build/ringpost"))
        done = scale("beside", program, f"{program},DB_MAX_CONNS=1,DB_MIN_CONNS=1", "--rounds", "1", "--seconds", "1",
                     "--clients", "4", "--rates", "200,50%", "--mixed-clients", "4", "--mixed-rates", "100")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for title in "4 clients", "200 lookups/s", "4 clients, mixed", "100 lookups/s and pages":
            with self.subTest(title):
                self.assertEqual(done.stdout.count(f"\n{title}\n"), 1)
        self.assertRegex(done.stdout, r"\n[\d,]+ lookups/s, 50% of [\d,]+\n")
        rows = [line for line in done.stdout.splitlines() if line.startswith(f"| {program}")]
        self.assertEqual([row.rsplit("|", 2)[1] for row in rows], [" 0 "] * 10)  # errors
        self.assertIn(f"{program}: p99 of lookups with pages / alone: ", done.stdout)

    def test_what_is_no_contender_is_one_clear_line(self):
        done = scale("beside", "/nothing", "--clients", "1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("scale: /nothing is neither of loadtest/twins nor a program", done.stderr)
        done = scale("beside", "rust-api,DB_MAX_CONNS", "--clients", "1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("scale: DB_MAX_CONNS in rust-api,DB_MAX_CONNS is no NAME=VALUE", done.stderr)


if __name__ == "__main__":
    unittest.main()
