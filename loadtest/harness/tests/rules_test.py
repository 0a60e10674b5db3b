"""Breaks each rule of the comparison on purpose: the run must be void, say which rule and whose, and no figure counts.

RINGPOST: the server's program. A run here takes about six seconds; the cluster is that of `make compare`.
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from loadtest.harness import cgroups

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = os.path.abspath(os.environ.get("RINGPOST", ROOT / "build/ringpost"))
PROXY = str(Path(__file__).with_name("bad_proxy.py"))
SHORT = ("repeats=1,warm_up_s=0,saturation_s=1,mixed_s=1,light_s=1,heavy_s=1,rates=,clients=,capacity_repeats=0,fault_repeats=0,ablation_repeats=0")
FAIR = {"SHARDS": "1", "PIN_SHARDS": "false", "DB_MAX_CONNS": "{connections}", "DB_MIN_CONNS": "{connections}", "LOG_LEVEL": "warning"}


class Rules(unittest.TestCase):
    def run_with(self, *start, mode="single", settings=FAIR):
        """The exit status, run.json and what was said of a run with this one contender."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        twin = Path(folder.name, "twins/suspect")
        twin.mkdir(parents=True)
        table = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
        twin.joinpath("contender.toml").write_text(
            f'name = "ringpost"\nlabel = "suspect"\nsubject = true\nbuild = "true"\nstart = {json.dumps(start)}\n[settings]\n{table}')
        done = subprocess.run(
            [sys.executable, "-m", "loadtest.harness", "--quick", "--mode", mode, "--twins", twin.parent, "--out", f"{folder.name}/out",
             "--effort", SHORT], cwd=ROOT, capture_output=True, text=True)
        path = Path(folder.name, "out/run.json")
        self.assertTrue(path.exists(), done.stdout + done.stderr)
        return done, json.loads(path.read_text())

    def assert_void(self, result, rule, *words):
        done, run = result
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertIn("VOID", done.stderr)
        self.assertIn("No figure of this run counts", done.stderr)
        for text in (run["void"], done.stderr):
            for word in (rule, "ringpost", *words):
                self.assertIn(word, text)
        broken = [entry for entry in run["fairness"] if not entry["held"]]
        self.assertEqual([entry["rule"] for entry in broken], [rule])

    def test_one_that_keeps_the_rules_counts(self):
        words_differently = self.patched((b"(select count(*) as total", b"(SELECT\tcount(*)    total"), (b"where id = ", b"WHERE\tid =\t"))
        done, run = self.run_with(sys.executable, PROXY, "honest", words_differently)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIsNone(run["void"])
        self.assertGreaterEqual(len(run["fairness"]), 7)
        self.assertTrue(all(rule["held"] for rule in run["fairness"]), run["fairness"])

    def test_a_changed_full_name(self):
        self.assert_void(self.run_with(sys.executable, PROXY, "full_name", PROGRAM), "the same answers", "full_name", "user ")

    def test_a_cache(self):
        self.assert_void(self.run_with(sys.executable, PROXY, "cache", PROGRAM), "one statement a request, no cache", "for 200 users")

    def test_ten_more_connections(self):
        self.assert_void(self.run_with(PROGRAM, settings={**FAIR, "DB_MAX_CONNS": "40", "DB_MIN_CONNS": "40"}),
                         "the same connection budget", "40 by that name")

    def test_connections_under_another_name(self):
        # The rest of the budget is not to be had by another application_name.
        self.assert_void(self.run_with("sh", "-c", f'DATABASE_URL="$DATABASE_URL?application_name=other" exec {PROGRAM}'),
                         "the same connection budget", "0 by that name, 30 in all")

    @unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "one CPU can't be made fewer")
    def test_fewer_cpus(self):
        self.assert_void(self.run_with("taskset", "-c", str(min(os.sched_getaffinity(0))), PROGRAM, mode="multi"), "the same CPUs")

    def patched(self, *words):
        """The server with other SQL, of the same length."""
        program = Path(PROGRAM).read_bytes()
        for old, new in words:
            self.assertEqual((len(old), program.count(old)), (len(new), 1))
            program = program.replace(old, new)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name, "ringpost")
        path.write_bytes(program)
        path.chmod(0o755)
        return str(path)

    def test_another_statement(self):
        self.assert_void(self.run_with(self.patched((b"select count(*) as total", b"select count(1) as total"))), "the same SQL", "count(1)")

    def test_a_changed_full_name_under_load_alone(self):
        self.assert_void(self.run_with(sys.executable, PROXY, "full_name_under_load", PROGRAM), "the same answers under load", "full_name", "user ")

    def test_a_cache_under_load_alone(self):
        self.assert_void(self.run_with(sys.executable, PROXY, "cache_under_load", PROGRAM), "a statement for each answer under load")

    def test_more_connections_for_half_a_second(self):
        self.assert_void(self.run_with(sys.executable, PROXY, "connections_under_load", PROGRAM), "the same connection budget", "33 in all")

    def test_too_much_memory(self):
        self.assert_void(self.run_with(sys.executable, PROXY, "memory_under_load", PROGRAM), "the same memory limit", "at most 512 MiB")

    @unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "there is one CPU")
    def test_more_cpus_for_half_a_second(self):
        self.assert_void(self.run_with(sys.executable, PROXY, "cpus_under_load", PROGRAM), "the same CPUs")

    def with_sql(self, sql):
        """As the role that the contender has."""
        return self.run_with("sh", "-c", f'psql -q "$DATABASE_URL" -c "{sql}" && exec {PROGRAM}')

    def test_an_index_of_its_own(self):
        self.assert_void(self.with_sql("create index its_own on users (id) include (email)"), "the same table", "its_own")

    def test_settings_that_stay(self):
        self.assert_void(self.with_sql("alter role ringpost set plan_cache_mode = force_generic_plan"), "the same table", "force_generic_plan")

    def test_one_that_leaves_its_control_group(self):
        if not (group := cgroups.make("ringpost-rules-test", 512)):
            self.skipTest("no control group can be made here")
        group.remove()
        self.assert_void(self.run_with("sh", "-c", f"echo $$ >{group.path.parent}/cgroup.procs && exec {PROGRAM}"), "its own control group", "1 outside")

    def test_throttled(self):
        group = Path("/sys/fs/cgroup/cpu/ringpost-rules-test")
        try:
            group.mkdir()
        except OSError as error:
            self.skipTest(f"no cgroup (version 1) can be made here: {error}")
        self.addCleanup(group.rmdir)
        (group / "cpu.cfs_quota_us").write_text("5000")
        self.assert_void(self.run_with("sh", "-c", f"echo $$ >{group}/cgroup.procs && exec {PROGRAM}"), "no CPU quota", " s")


if __name__ == "__main__":
    unittest.main()
