"""The stand-in for PostgreSQL under the harness: a contender answers the same bytes against it as against PostgreSQL, and the
command that measures them writes what it says. STUB, RINGPOST: the programs; CONTENDERS: those that are asked, by commas (default:
ringpost)."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from loadtest.harness import contender, contract, machine, stub
from loadtest.harness.database import Database

ROOT = stub.ROOT
PROGRAM = os.path.abspath(os.environ.get("STUB", ROOT / "build/loadtest/stub/postgres-stub"))
SCRATCH = ROOT / ".private/compare"


class Contenders(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        SCRATCH.mkdir(parents=True, exist_ok=True)
        # To build the others takes minutes; `make compare-stub` compares each one's answers with the table before it loads it.
        cls.built = stub.build(os.environ.get("CONTENDERS", "ringpost").split(","), SCRATCH)
        cls.database = Database(ROOT, SCRATCH / "pg")
        cls.addClassCleanup(cls.database.stop)
        cls.database.make()
        cls.stub = stub.Stub(PROGRAM, cls.database, SCRATCH)
        cls.addClassCleanup(cls.stub.stop)
        cls.stub.start()
        cls.users = cls.database.users()

    def answers(self, one, places, url):
        mode = machine.modes()["single"]
        with tempfile.TemporaryFile("w+") as log:
            running = contender.Running(one, places, mode, stub.environment(one, mode, url), log)
            self.addCleanup(running.stop)
            running.start()
            running.wait_ready()
            client = contract.Client(f"127.0.0.1:{running.port}")
            self.addCleanup(client.close)
            asked = [(method, target) for method, target, _, _ in contract.cases(self.users)]
            asked += [("GET", f"/users?limit=200&offset={offset}") for offset in range(0, len(self.users), 200)]
            found = {}
            for question in asked:
                status, fields, body = client.ask(*question)
                found[question] = status, fields.get("Content-Type"), body
            self.assertEqual(running.stop(), 0)
            return found

    def test_the_same_bytes_as_against_postgresql(self):
        for name, (one, places) in self.built.items():
            with self.subTest(name):
                expected = self.answers(one, places, self.database.url)
                seen = self.answers(one, places, self.stub.url)
                for question, answer in expected.items():
                    self.assertEqual(seen[question], answer, question)
                self.assertGreater(sum(status == 200 for status, _, _ in seen.values()), 90)


class Command(unittest.TestCase):
    def test_measures_both_and_says_which_is_which(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [sys.executable, "-m", "loadtest.harness.stub", "--only", "ringpost", "--mode", "single", "--repeats", "1",
                 "--seconds", "1", "--out", f"{folder}/out"], cwd=ROOT, env={**os.environ, "STUB": PROGRAM}, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            records = [json.loads(line) for line in Path(folder, "out/turns.jsonl").read_text().splitlines()]
            text = Path(folder, "out/stub.md").read_text()
        self.assertEqual([record["against"] for record in records], ["PostgreSQL"] * 2 + ["STUB"] * 2)
        self.assertEqual([record["load"] for record in records], ["lookups", "mixed"] * 2)
        for record in records:
            self.assertGreater(record["requests"], 100)
            self.assertGreater(record["cpu_us"]["contender"], 0)
        self.assertIn(text, done.stdout)
        self.assertIn("| | PostgreSQL: requests/s | CPU | STUB: requests/s | CPU |", text)
        self.assertEqual(len(re.findall(r"^\| C\+\+ \(ringpost\) ", text, re.M)), 2)

    def test_an_unknown_contender_is_one_clear_line(self):
        done = subprocess.run([sys.executable, "-m", "loadtest.harness.stub", "--only", "nobody"], cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("compare-stub: no contender is called nobody; there are go-api", done.stderr)


class Table(unittest.TestCase):
    def record(self, against, rps, us, busy):
        return {"mode": "single", "contender": "x", "against": against, "load": "lookups", "rps": rps, "cpu_us": {"contender": us}, "busy": busy}

    def test_medians_spreads_and_who_was_not_at_its_limit(self):
        records = [self.record("PostgreSQL", 1000, 50.04, 0.5), self.record("PostgreSQL", 3000, 52, 0.6),
                   self.record("PostgreSQL", 2000, 51, 0.95), self.record("STUB", 90000, 10, 0.99)]
        text = stub.table(records, {"single": "on a shared CPU"}, {"x": "The X"})
        self.assertIn("**single, lookups** (on a shared CPU)\n", text)
        self.assertIn("| The X | ≥ 2,000 (1,000 to 3,000) | 51.0 (50.0 to 52.0) | 90,000 (90,000 to 90,000) | 10.0 (10.0 to 10.0) |", text)
        self.assertIn("| The X | - | - | - | - |", text)  # of the load that was not run


if __name__ == "__main__":
    unittest.main()
