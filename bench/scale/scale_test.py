"""`make scale` as its user has it: the quick run measures each axis, draws it, and measures nothing twice."""
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
# No open loop where oha would have to be built for it.
ENVIRONMENT = {**os.environ, "OHA": os.environ.get("OHA") or next(map(str, ROOT.glob(".private/oha-*/bin/oha")), "none")}


def scale(*words):
    return subprocess.run([ROOT / "tools/scale", *words], env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True)


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
        wanted = {"clients", "users", "deep", "page", "connections", "shards", "idle"}
        if ENVIRONMENT["OHA"] != "none":
            wanted |= {"capacity", "load"}
        else:
            self.assertIn("LEFT OUT: the axis from idle to saturation", self.run_.stdout)
        self.assertEqual(set(seen), wanted)
        self.assertNotIn("LEFT OUT: clients", self.run_.stdout)
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

    def test_idle_costs_no_cpu_and_little_memory(self):
        for record in self.records:
            if record["axis"] == "idle":
                self.assertLess(record["idle_cpu_ms"], 5.0)  # of a second, with others at work on the machine
                self.assertLess(record["server_kib"], 40)  # few connections: first pages of the server's own count

    def test_plots_show_the_data(self):
        for axis in {r["axis"] for r in self.records} - {"idle", "capacity"}:
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


if __name__ == "__main__":
    unittest.main()
