"""`make compare` as its user has it: its help, and a run that is cut short by Ctrl-C, leaves nothing running, and is gone on with."""
import json
import os
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SHORT = ("repeats=1,saturation_s=1,mixed_s=1,light_s=1,heavy_s=1,rates=,clients=,capacity_repeats=0,fault_repeats=1,frozen_s=1,after_fault_s=1,"
         "ablation_repeats=0")


class Runs(unittest.TestCase):
    def command(self, out, *words):
        return ["make", "compare", f"ARGS=--quick --only ringpost --mode single --effort {SHORT} " + " ".join(words or [f"--out {out}"])]

    def running(self, name):
        """Pids of the programs that a run starts."""
        found = subprocess.run(["pgrep", "-f", name], capture_output=True, text=True).stdout.split()
        return [pid for pid in found if int(pid) != os.getpid()]

    def test_help_names_the_options(self):
        done = subprocess.run(["make", "compare", "ARGS=--help"], cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        for option in "--quick", "--full", "--only", "--resume", "--out":
            self.assertIn(option, done.stdout)

    def test_an_unknown_contender_is_one_clear_line(self):
        done = subprocess.run(["make", "compare", "ARGS=--only nobody"], cwd=ROOT, capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no contender is called nobody; there are go-api, node-api, py-api, ringpost, rust-api", done.stderr)

    def test_ctrl_c_leaves_nothing_and_the_run_can_be_gone_on_with(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        out = Path(folder.name, "out")
        run = subprocess.Popen(self.command(out), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        turns = out / "turns.jsonl"
        end = time.monotonic() + 240
        while not (turns.exists() and turns.read_text().count("\n") >= 2) and time.monotonic() < end and run.poll() is None:
            time.sleep(0.05)
        for _ in range(2):  # as by somebody impatient
            os.killpg(run.pid, signal.SIGINT)
            time.sleep(0.1)
        said = run.communicate(timeout=60)[0]
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("interrupted", said)
        self.assertEqual(self.running(str(ROOT / ".private/compare/build/ringpost")), [])
        self.assertEqual(self.running(str(ROOT / ".private/compare/pg/server/data")), [])
        kept = turns.read_text()
        self.assertGreaterEqual(kept.count("\n"), 2)

        run_json = (out / "run.json").read_text()
        (out / "run.json").write_text(run_json.replace('"commit": "', '"commit": "another'))
        done = subprocess.run(self.command(out, f"--resume {out}"), cwd=ROOT, capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("this is another run than the one to go on with: commit was another", done.stderr)
        self.assertEqual(turns.read_text(), kept)
        (out / "run.json").write_text(run_json)

        done = subprocess.run(self.command(out, f"--resume {out}"), cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertTrue(turns.read_text().startswith(kept), "what was measured before is measured again")
        records = [json.loads(line) for line in turns.read_text().splitlines()]
        self.assertEqual(len({(r["scenario"], r["repeat"], json.dumps(r["fault"] and r["fault"]["kind"])) for r in records}), 8)
        summary = json.loads((out / "summary.json").read_text())
        self.assertEqual({row["scenario"] for row in summary["rows"]}, {"saturation", "mixed", "light", "heavy", "faults"})
        self.assertEqual(max(row["fault"]["wrong"] for row in summary["rows"] if row["fault"]), 0)
        self.assertTrue((out / "report.html").exists())


if __name__ == "__main__":
    unittest.main()
