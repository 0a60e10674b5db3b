"""The harness's own arithmetic and rules, without a database or a server."""
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import types
import unittest
from pathlib import Path
from unittest import mock

from loadtest.harness import cgroups, comparison, contender, contract, effort, fairness, machine, processes, results, turn


class Modes(unittest.TestCase):
    def test_the_contracts_two_where_there_are_cpus_enough(self):
        modes = machine.modes(set(range(8)))
        self.assertEqual((modes["single"].cpus, modes["single"].connections), ({0}, 30))
        self.assertEqual((modes["multi"].cpus, modes["multi"].others_cpus), ({0, 1, 2, 3}, {4, 5, 6, 7}))
        self.assertEqual(modes["multi"].values(), {"cpus": 4, "workers": 4, "connections": 40, "connections_per_worker": 10})
        self.assertIsNone(modes["multi"].note)

    def test_fewer_are_said(self):
        two, one = machine.modes({0, 1}), machine.modes({3})
        self.assertEqual((two["single"].cpus, two["single"].others_cpus), ({0}, {1}))
        self.assertEqual(two["multi"].values()["connections_per_worker"], 20)
        self.assertIn("this machine 2", two["multi"].note)
        self.assertIn("share", two["multi"].note)
        self.assertEqual((one["single"].cpus, one["single"].others_cpus), ({3}, {3}))
        self.assertIn("share", one["single"].note)


class Manifests(unittest.TestCase):
    def manifest(self, text):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        Path(folder.name, "contender.toml").write_text(text)
        return contender.read(folder.name)

    def test_reads_one(self):
        one = self.manifest('name="x"\nlabel="X"\nrequires=["sh","no-such-command"]\nbuild="true"\nstart=["{build}/x"]\n[settings]\nA="{cpus}"\n')
        self.assertEqual((one.name, one.missing(), one.settings), ("x", ["no-such-command"], {"A": "{cpus}"}))

    def test_what_is_wrong_is_one_line_with_its_place(self):
        for text, word in [('name=', "Invalid value"), ('name="x"\n', "label"), ('nmae="x"\n', "nmae")]:
            with self.subTest(text=text), self.assertRaisesRegex(contender.Problem, rf"contender\.toml: .*{word}"):
                self.manifest(text)

    def test_every_contender_of_the_repository_can_be_read(self):
        twins = Path(__file__).parents[2] / "twins"
        names = [one.name for one in contender.find_all(twins)]
        self.assertEqual(names, ["go-api", "node-api", "py-api", "ringpost", "rust-api"])
        self.assertEqual([one.name for one in contender.find_all(twins) if one.subject], ["ringpost"])

    def test_fill_leaves_other_braces(self):
        self.assertEqual(contender.fill("${A} {cpus} {other}", {"cpus": 2}), "${A} 2 {other}")

    def test_a_build_that_fails_is_a_problem_with_its_log(self):
        one = self.manifest('name="x"\nlabel="X"\nbuild="echo why; false"\nstart=["x"]\n')
        with tempfile.TemporaryDirectory() as folder, open(f"{folder}/log", "w") as log:
            with self.assertRaisesRegex(contender.Problem, "x did not build .status 1.*log"):
                contender.build(one, {"build": f"{folder}/b", "root": folder}, log)
            self.assertEqual(Path(log.name).read_text(), "why\n")


class Processes(unittest.TestCase):
    def test_counts_the_cpu_of_a_process_its_children_and_those_that_ended(self):
        burn = "import time\nend=time.process_time()+0.3\nwhile time.process_time()<end: pass\n"
        child = subprocess.Popen([sys.executable, "-c", f"import subprocess,sys,time\nsubprocess.run([sys.executable,'-c',{burn!r}])\n"
                                  f"other=subprocess.Popen([sys.executable,'-c',{burn!r}+'time.sleep(9)'])\ntime.sleep(9)"])
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        end = time.monotonic() + 20
        while (seen := processes.cpu_s(processes.tree(child.pid))) < 0.6 and time.monotonic() < end:
            time.sleep(0.05)
        self.assertGreaterEqual(seen, 0.6)
        self.assertLess(seen, 2)
        self.assertEqual(len(processes.tree(child.pid)), 2)
        self.assertGreater(processes.peak_memory_mib([child.pid]), 1)
        self.assertEqual(processes.affinity([child.pid]), os.sched_getaffinity(0))
        subprocess.run(["pkill", "-P", str(child.pid)], check=False)

    def test_counts_threads_that_have_ended(self):
        def burn():
            end = time.thread_time() + 0.2
            while time.thread_time() < end:
                pass
        before = processes.cpu_s([os.getpid()])
        thread = threading.Thread(target=burn)
        thread.start()
        thread.join()
        self.assertGreater(processes.cpu_s([os.getpid()]) - before, 0.19)

    def test_what_cannot_be_read_is_no_zero(self):
        child = subprocess.Popen(["true"])
        child.wait()
        for read in processes.cpu_s, processes.peak_memory_mib:
            with self.subTest(read=read), self.assertRaisesRegex(processes.Unreadable, "no process is left"):
                read([child.pid])
            self.assertGreaterEqual(read([child.pid, os.getpid()]), 0, "one that has ended is no reason")
        with mock.patch.object(processes, "waited_for_s", side_effect=PermissionError("denied")):
            with self.assertRaisesRegex(processes.Unreadable, f"CPU time of process {os.getpid()}: denied"):
                processes.cpu_s([os.getpid()])

    def throttled(self, groups, files):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        root = Path(folder.name)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        with mock.patch.object(processes, "CGROUPS", root), mock.patch.object(Path, "read_text", reading(groups)):
            return processes.throttled_s(1)

    def test_throttling_of_cgroups_1_and_2_and_of_those_above(self):
        self.assertEqual(self.throttled("0::/a/b\n", {"a/cpu.stat": "throttled_usec 1500000\n", "a/b/cpu.stat": "throttled_usec 500000\n"}), 2.0)
        self.assertEqual(self.throttled("3:cpu,cpuacct:/x\n", {"cpu,cpuacct/x/cpu.stat": "nr_throttled 1\nthrottled_time 250000000\n"}), 0.25)
        self.assertEqual(self.throttled("0::/\n", {"cpu.stat": "usage_usec 12\n"}), 0, "no quota")
        with self.assertRaisesRegex(processes.Unreadable, "throttling"):
            self.throttled("4:memory:/x\n", {})


def reading(groups, name="/proc/1/cgroup"):
    real = Path.read_text
    return lambda path, *rest: groups if str(path) == name else real(path, *rest)


class ControlGroups(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "a/b").mkdir(parents=True)
        (self.root / "cgroup.controllers").write_text("cpu memory\n")
        for patch in mock.patch.object(processes, "CGROUPS", self.root), mock.patch.object(Path, "read_text", reading("1:cpu:/x\n0::/a/b\n", "/proc/self/cgroup")):
            patch.start()
            self.addCleanup(patch.stop)

    def test_the_nearest_place_that_limits_memory(self):
        (self.root / "cgroup.subtree_control").write_text("memory\n")
        (self.root / "a/cgroup.subtree_control").write_text("cpu memory\n")
        group = cgroups.make("x", 512)
        self.assertEqual((group.path, group.limits_memory), (self.root / "a/x", True))
        self.assertEqual((group.path / "memory.max").read_text(), "512M")

    def test_without_a_limit_where_there_is_none_and_not_at_all(self):
        group = cgroups.make("x", 512)
        self.assertEqual((group.path, group.limits_memory, group.killed()), (self.root / "a/b/x", False, 0))
        (self.root / "cgroup.controllers").unlink()
        self.assertIsNone(cgroups.make("y", 512))

    def test_its_counters(self):
        group = cgroups.Group(self.root / "a")
        with self.assertRaisesRegex(processes.Unreadable, "cpu.stat"):
            group.cpu_s()
        (self.root / "a/cpu.stat").write_text("usage_usec 1500000\nuser_usec 1\n")
        self.assertEqual(group.cpu_s(), 1.5)

    def test_what_the_kernel_ended_for_its_memory_breaks_the_rule(self):
        group = cgroups.Group(self.root / "a")
        group.limits_memory = True
        (self.root / "a/memory.events").write_text("max 9\noom 1\noom_kill 1\n")
        running = mock.Mock(mode=Arithmetic.MODE, group=group)
        running.contender.name = "x"
        rule = fairness.memory(running, 100)
        self.assertFalse(rule.held)
        self.assertIn("the same memory limit (x, single): expected at most 512 MiB; seen 100 MiB, 1 processes ended by the kernel", str(rule))

    def test_one_that_was_left_behind_is_counted_and_ended(self):
        mock.patch.stopall()
        if not (group := cgroups.make("ringpost-units-test", 512)):
            self.skipTest("no control group can be made here")
        self.addCleanup(group.remove)
        burn = "import time\nend=time.process_time()+0.2\nwhile time.process_time()<end: pass\ntime.sleep(60)"
        subprocess.run(group.entering(["sh", "-c", f"setsid {sys.executable} -c '{burn}' >&- 2>&- &"]), check=True)
        end = time.monotonic() + 20
        while group.cpu_s() < 0.2 and time.monotonic() < end:
            time.sleep(0.02)
        self.assertGreaterEqual(group.cpu_s(), 0.2)
        left = group.pids()
        self.assertTrue(left and all(group.holds(pid) for pid in left))
        self.assertFalse(group.holds(os.getpid()))
        group.remove()
        self.assertFalse(group.path.exists(), "which only a group without a process allows")


class Rules(unittest.TestCase):
    USER = {"id": "a", "full_name": "Ünal", "age": 3, "is_active": True}

    def test_first_difference_names_the_field(self):
        different = contract.first_difference
        self.assertIsNone(different(self.USER, dict(self.USER)))
        self.assertEqual(different(self.USER, {**self.USER, "full_name": "Unal"}), ('full_name "Ünal"', '"Unal"'))
        self.assertEqual(different({"items": [self.USER]}, {"items": [{**self.USER, "age": "3"}]}), ("items[0].age 3", '"3"'))
        # 1 is not true, and the contract has the fields in an order.
        self.assertEqual(different(self.USER, {**self.USER, "is_active": 1}), ("is_active true", "1"))
        self.assertIsNotNone(different(self.USER, dict(reversed(self.USER.items()))))
        self.assertIsNotNone(different([1], [1, 2]))

    def test_which_statements_count(self):
        one = {"query": "select id, email from users where id = $1", "calls": 1, "rows": 1}
        page = {"query": "select page.id from (select count(*) as total from users) as counted left join (select id from users) as page", "calls": 1,
                "rows": 1}
        other = {"query": "select oid from pg_type", "calls": 1, "rows": 1}
        self.assertEqual(fairness.on_users([one, other, page]), [one, page])


    def under_load(self, calls, rows, sampled=3, errors={}):
        running, database = mock.Mock(mode=Arithmetic.MODE), mock.Mock()
        running.contender.name = "x"
        database.identifier.side_effect = lambda types, sql: sql
        statement = lambda sql, calls, rows: {"id": sql, "query": sql, "calls": calls, "rows": rows}
        database.statements.return_value = [statement(fairness.LOOKUP[1], calls, rows), statement(fairness.PAGE[1], 10, 500), statement("select 1", 7, 7)]
        return fairness.statements_under_load(running, database, mock.Mock(requests=1007, errors=errors), sampled).held

    def test_a_statement_and_its_rows_for_each_answer(self):
        self.assertTrue(self.under_load(1000, 1000))
        self.assertFalse(self.under_load(999, 999), "one was answered without")
        self.assertFalse(self.under_load(1000, 1001), "more rows than users")
        self.assertFalse(self.under_load(1000, 999))
        self.assertTrue(self.under_load(1200, 1200), "on their way when the count ended")
        self.assertFalse(self.under_load(1300, 1300))
        self.assertTrue(self.under_load(1300, 1300, errors={"timeout": 100}))
        self.assertTrue(self.under_load(1007, 1007, errors={"status 503": 7}))

    def test_a_watch_that_saw_no_answer_holds_nothing(self):
        running = mock.Mock(mode=Arithmetic.MODE)
        seen = lambda **changes: fairness.answers_under_load(running, mock.Mock(**{"compared": 5, "failed": 0, "difference": None, **changes})).held
        self.assertTrue(seen())
        self.assertTrue(seen(compared=0, failed=5), "errors are the generator's to count")
        self.assertFalse(seen(compared=0))
        self.assertFalse(seen(difference=("GET /users/x", "age 3", "4")))

    def test_evidence_of_all_turns(self):
        run = comparison.Comparison.__new__(comparison.Comparison)
        run.rules = []
        for rule, *seen in [("the same answers under load", "4 compared", "3 compared"), ("the same memory limit", "90 MiB", "120 MiB", "100 MiB")]:
            for text in seen:
                run.hold(fairness.Rule(rule, "single", "x", True, "", text))
        self.assertEqual([rule.seen for rule in run.rules], ["7 compared", "120 MiB"])
        with self.assertRaises(fairness.Broken):
            run.hold(fairness.Rule("the same answers under load", "single", "x", False, "", "4"))
        self.assertEqual([rule.held for rule in run.rules], [False, True])

    def test_an_unreadable_counter_voids_by_rule_and_contender(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(comparison, "Running") as Running:
            Running.return_value.mode, Running.return_value.contender.name = Arithmetic.MODE, "x"
            run = comparison.Comparison.__new__(comparison.Comparison)
            run.rules, run.database, run.scratch, run.root = [], mock.Mock(url="u"), Path(folder), folder
            run.check = mock.Mock(side_effect=processes.Unreadable("CPU time of process 5: denied"))
            one = mock.Mock(settings={})
            one.name = "x"
            with self.assertRaisesRegex(fairness.Broken, r"counters that can be read \(x, single\): .*CPU time of process 5: denied"):
                run.session(one, Arithmetic.MODE, None)
            Running.return_value.stop.assert_called()

    def test_faults_and_ablations_have_a_cluster_that_nobody_has_used(self):
        calls = mock.Mock()
        run = comparison.Comparison.__new__(comparison.Comparison)
        run.database, run.results, run.done = calls.database, mock.Mock(), 0
        run.lookups, run.mixed, run.control = "lookups", "mixed", mock.Mock()
        run.database.users.return_value, run.results.of.return_value = [], []
        run.effort = dataclasses.replace(effort.QUICK, repeats=0, capacity_repeats=0, fault_repeats=1, ablation_repeats=2)
        run.modes, run.contenders, run.subject = {"single": Arithmetic.MODE}, [types.SimpleNamespace(name=name) for name in "ab"], mock.Mock(ablations=["one"])
        run.session, run.ablation, run.say, run.session_s = calls.session, calls.ablation, mock.Mock(), mock.Mock(return_value=0)
        with mock.patch.object(comparison, "generators"):
            run.run()
        self.assertEqual([call[0] for call in calls.method_calls if call[0] in ("database.renew", "session", "ablation")],
                         ["database.renew", "session"] * 2 + ["database.renew", "ablation", "ablation"])


class Arithmetic(unittest.TestCase):
    MODE = machine.Mode("single", {0}, {1}, 1, 30)
    SHARED = machine.Mode("multi", {0, 1}, {0, 1}, 2, 40)

    def test_who_was_at_an_end_is_judged_by_thread(self):
        def limit(mode, contender=0.2, postgresql=0.2, generator=0.2, share=0.2, busy=(0.5, 0.5)):
            return turn.limit(mode, {"contender": contender, "postgresql": postgresql, "generator": generator}, share, dict(enumerate(busy)))
        self.assertEqual(limit(self.MODE), "none")
        self.assertEqual(limit(self.MODE, contender=0.95), "contender")
        self.assertEqual(limit(self.MODE, contender=0.5, share=0.93), "contender", "threads that share one CPU")
        self.assertEqual(limit(self.MODE, contender=0.95, generator=0.91), "generator", "whose figures then are its own")
        self.assertEqual(limit(self.MODE, postgresql=0.95), "postgresql")
        # Thirty backends fill a CPU and none of them has it.
        self.assertEqual(limit(self.MODE, busy=(0.5, 0.95)), "postgresql")
        self.assertEqual(limit(self.SHARED, busy=(0.95, 0.93)), "shared CPUs")
        self.assertEqual(limit(self.SHARED, busy=(0.95, 0.5)), "none")

    def measured(self, controlled, busiest=0.2):
        running, database = mock.Mock(mode=self.MODE), mock.Mock()
        running.contender.name = "x"
        load = types.SimpleNamespace(requests=75, seconds=1.0, cpu_s=0.5, latency_ms={}, late_ms=0, distribution=[], windows=[], errors={})
        with mock.patch.object(turn, "Watch") as Watch, mock.patch.object(turn, "Meter") as Meter:
            Watch.return_value.answers.asked, Watch.return_value.memory_mib = 25, 1
            Meter.return_value.read.return_value = (
                1.0, {"contender": 0.4, "postgresql": 0.8, "generator": 0.5}, {"contender": 0.4, "postgresql": 0.2, "generator": busiest}, {},
                {"cpus_busy": {0: 0.4, 1: 0.8}, "steal": 0.0, "mhz": None})
            return turn.measure(running, database, lambda: load, scenario="light", repeat=0, loop="closed", controlled=controlled)[0]

    def test_the_watchs_own_requests_are_not_in_the_figures(self):
        self.assertEqual(self.measured(None)["cpu_s"], {"contender": 0.3, "postgresql": 0.6, "generator": 0.5})

    def test_a_turn_is_void_for_its_control_and_for_its_generator(self):
        self.assertIsNone(self.measured({"rate": 2000, "p99_ms": 1.9, "errors": 0})["void"])
        self.assertEqual(self.measured({"rate": 2000, "p99_ms": 2.1, "errors": 0})["void"],
                         "the control before it (/healthz) had a p99 of 2.1 ms: the machine was busy otherwise")
        self.assertIsNotNone(self.measured({"rate": 2000, "p99_ms": 0.1, "errors": 1})["void"])
        self.assertEqual(self.measured(None, busiest=0.95)["void"], "the load generator was the bottleneck")

    def test_a_turn_that_is_void_is_made_again(self):
        def taken(*voids):
            run = comparison.Comparison.__new__(comparison.Comparison)
            run.results, run.database, run.rules, run.control = mock.Mock(), mock.Mock(), [], "file"
            run.results.of.return_value = []
            records = [({"void": void, "limit": "generator" if void == "generator" else "none"}, []) for void in voids]
            with mock.patch.object(comparison, "turn") as made:
                made.measure.side_effect = records
                found = run.take(mock.Mock(mode=self.MODE), None, 1000, scenario="light", repeat=0, loop="closed")
                return made.measure.call_count, found["void"]
        self.assertEqual(taken(None, "never"), (1, None))
        self.assertEqual(taken("control", None), (2, None))
        self.assertEqual(taken("control", "control", "control", None), (3, "control"))
        self.assertEqual(taken("generator", None), (1, "generator"))

    def test_what_the_machine_did(self):
        stat = "cpu  9 9\ncpu0 {} 0 0 {} 0 0 0 {}\ncpu1 0 0 0 {} 0 0 0 0\n"
        with mock.patch.object(Path, "read_text", side_effect=[stat.format(100, 100, 0, 100), stat.format(150, 140, 10, 200), ""]), \
                mock.patch.object(Path, "glob", return_value=[]):
            self.assertEqual(machine.Clocks().read(), {"cpus_busy": {0: 0.6, 1: 0.0}, "steal": 0.05, "mhz": None})


class Runs(unittest.TestCase):
    def test_contenders_take_turns(self):
        self.assertEqual([comparison.rotated(["a", "b", "c"], n) for n in range(4)],
                         [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]])

    def test_turns_are_kept_as_they_come_and_read_again(self):
        with tempfile.TemporaryDirectory() as folder:
            first = results.Results(folder)
            first.add({"mode": "single", "repeat": 0})
            again = results.Results(folder)
            self.assertEqual(again.of(mode="single", repeat=0), [{"mode": "single", "repeat": 0}])
            self.assertEqual(again.of(mode="multi"), [])

    RUN = {"void": None, "commit": "abc", "machine": {"cpu_model": "m", "cpus": 2}, "machine_id": "1", "versions": {"python": "4"},
           "postgresql_settings": {"jit": "on"}, "plan": {"rates": (1, 2)}, "modes": {}, "contenders": []}

    def test_another_program_or_machine_is_not_gone_on_with(self):
        kept = json.loads(json.dumps(self.RUN))
        results.refuse_another(kept, self.RUN)
        for change, words in [
                ({"commit": "abc+1234"}, "commit was abc, here it is abc.1234"), ({"machine": {"cpu_model": "m", "cpus": 4}}, "machine, cpus was 2, here it is 4"),
                ({"machine_id": "2"}, "machine_id"), ({"versions": {"python": "5"}}, "versions, python"), ({"postgresql_settings": {"jit": "off"}}, "jit"),
                ({"plan": {"rates": (1, 3)}}, "plan, rates"), ({"modes": {"multi": {}}}, "modes, multi"), ({"contenders": ["x"]}, "contenders")]:
            with self.subTest(words=words), self.assertRaisesRegex(contender.Problem, words):
                results.refuse_another(kept, {**self.RUN, **change})
        with self.assertRaisesRegex(contender.Problem, "a rule was broken: why"):
            results.refuse_another({**self.RUN, "void": "why"}, self.RUN)

    def test_a_commit_says_what_differs_from_it(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertIsNone(results.commit(folder))
            git = ["git", "-C", folder, "-c", "user.name=x", "-c", "user.email=x"]
            Path(folder, "file").write_text("1")
            for words in ["init", "-q"], ["add", "file"], ["commit", "-qm", "one"]:
                subprocess.run([*git, *words], check=True)
            clean = results.commit(folder)
            self.assertRegex(clean, r"^[0-9a-f]{7}$")
            Path(folder, "file").write_text("2")
            changed = results.commit(folder)
            self.assertRegex(changed, rf"^{clean}\+[0-9a-f]{{8}}$")
            Path(folder, "file").write_text("3")
            self.assertNotEqual(results.commit(folder), changed)


if __name__ == "__main__":
    unittest.main()
