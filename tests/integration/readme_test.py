"""The README's commands for people who have just cloned: `make run` in a clean clone of HEAD, the two curl lines that
it prints, Ctrl-C; the second time; what it says when something stands in its way; and `make pgo`."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import stage

folder = clone = None


def setUpModule():
    global folder, clone
    if not os.path.exists(os.path.join(stage.ROOT, ".git")):
        raise unittest.SkipTest("not in a git repository, so there is nothing to clone")
    folder = tempfile.mkdtemp(prefix="ringpost readme ")  # a blank in the path, as some have it
    os.chmod(folder, 0o755)
    unittest.addModuleCleanup(shutil.rmtree, folder)
    clone = os.path.join(folder, "ringpost")
    subprocess.run(["git", "clone", "-q", stage.ROOT, clone], check=True)
    unittest.addModuleCleanup(subprocess.run, ["make", "clean", "YES=1"], cwd=clone, check=True)


class Run:
    """`make run` as in a terminal: a process group of its own, which Ctrl-C reaches as a whole."""

    def __init__(self, **settings):
        self.port = stage.free_port()
        environment = {k: v for k, v in os.environ.items()
                       if k not in ("DATABASE_URL", "MAKEFLAGS", "MAKELEVEL", "MFLAGS") and not k.startswith("PG")}
        environment.update(PORT=str(self.port), **settings)
        self.lines = []
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            ["make", "run"], cwd=clone, env=environment, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def output(self):
        return "\n".join(self.lines)

    def wait_ready(self, limit_s):
        """Seconds until both curl lines are there."""
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}:\n{self.output()}")
            return sum(" curl " in line for line in self.lines) == 2
        stage.eventually(ready, limit_s, "make run is ready")
        return time.monotonic() - self.started

    def end(self, how=signal.SIGINT):
        os.killpg(self.process.pid, how)
        return self.ended()

    def ended(self):
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise AssertionError("does not end:\n" + self.output())
        finally:
            self._reader.join()
            self.process.stdout.close()


def cluster_runs():
    return subprocess.run(["db/cluster", "status"], cwd=clone, stdout=subprocess.DEVNULL).returncode == 0


class MakeRun(unittest.TestCase):
    def assert_nothing_left(self, run):
        self.assertFalse(cluster_runs())
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", run.port))

    def test_1_from_a_clean_clone(self):
        run = Run()
        run.wait_ready(480)
        lines = [line.strip() for line in run.lines if " curl " in line]
        try:
            self.assertIn(f"http://localhost:{run.port}", run.output())
            one, page = (subprocess.run(line, shell=True, capture_output=True, text=True).stdout for line in lines)
            self.assertTrue(one.startswith("HTTP/1.1 200 "), one)
            self.assertRegex(one, r'\n\n\{"id":"[0-9a-f-]{36}","email":"user\d+@example\.com"')
            self.assertRegex(page, r'^\{"items":\[\{"id":.*\],"limit":3,"offset":\d+,"total":10000\}$')
        finally:
            run.end()
        self.assert_nothing_left(run)
        self.assertIn("stopped status=0", run.output())

    def test_2_again_in_three_seconds(self):
        run = Run()
        seconds = run.wait_ready(60)
        run.end(signal.SIGTERM)
        self.assertLess(seconds, 3)
        self.assert_nothing_left(run)
        self.assertEqual(len([line for line in run.lines if not re.match(r"\d{4}-", line)
                              and not line.startswith("make: ")]), 3, run.output())

    def test_3_port_in_use(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            done = subprocess.run(["make", "run", f"PORT={port}"], cwd=clone, capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(f"port {port} is in use", done.stderr)
        self.assertFalse(cluster_runs())

    def test_4_a_database_of_ones_own_is_not_touched(self):
        cluster = stage.Cluster(rows=5)
        self.addCleanup(cluster.destroy)
        cluster.query("drop table users")
        cluster.query("drop table schema_migrations")
        run = Run(DATABASE_URL=cluster.url)

        def asked_for_rows():
            return any("make migrate seed" in line for line in run.lines)
        stage.eventually(asked_for_rows, 30, "says how to get rows")
        run.end()
        self.assertEqual(cluster.query("select count(*) from pg_tables where schemaname = 'public'"), "0")
        self.assertFalse(cluster_runs())
        done = subprocess.run(["make", "migrate", "seed", "SEED_ROWS=50"], cwd=clone, capture_output=True, text=True,
                              env={**os.environ, "DATABASE_URL": cluster.url})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(cluster.query("select count(*) from users"), "50")
        run = Run(DATABASE_URL=cluster.url)
        run.wait_ready(30)
        run.end()

    def test_5_no_database_to_be_had(self):
        run = Run(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
        self.assertNotEqual(run.ended(), 0)
        self.assertIn("does not reach PostgreSQL", run.output())

    def test_6_flame_graphs(self):
        def make(target):
            done = subprocess.run(["make", target, f"PORT={stage.free_port()}", "SECONDS=2", "CLIENTS=8"], cwd=clone,
                                  capture_output=True, text=True,
                                  env={k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "PROFILE")})
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertFalse(cluster_runs())

        def result(name):
            with open(os.path.join(clone, "loadtest/results", name)) as file:
                return file.read()
        make("flamegraph-tasks")
        for frame in "http::Session::run", "io::Reactor::turn":  # what is too narrow is left out
            self.assertIn(f"<title>{frame} (", result("tasks-mixed.svg"))
        self.assertIn("<title>pg::Query(app::User, proto::pg::Uuid) (", result("waits-mixed.svg"))
        self.assertIn("app::Routes::get_user;pg::Query<app::User", result("waits-mixed.txt"))
        if not shutil.which("perf") and not os.environ.get("CI"):
            self.skipTest("no perf")
        make("flamegraph")
        self.assertIn("<title>io::Reactor::turn (", result("cpu-mixed.svg"))

    def test_6_flame_graphs_say_what_stands_in_their_way(self):
        fake = os.path.join(folder, "no counting")
        os.makedirs(fake, exist_ok=True)
        with open(os.path.join(fake, "perf"), "w", opener=lambda path, flags: os.open(path, flags, 0o755)) as file:
            file.write("#!/bin/sh\necho 'Error: not permitted' >&2; exit 1\n")
        for arguments, words in (["SCENARIO=none"], "SCENARIO is light, heavy or mixed, not 'none'"), \
                (["CLIENTS=0"], "CLIENTS is a number from 1"), (["SECONDS=x"], "SECONDS is a number from 1"), \
                ([], "perf may not count here: Error: not permitted"):
            done = subprocess.run(["make", "flamegraph", *arguments], cwd=clone, capture_output=True, text=True,
                                  env={**os.environ, "PATH": fake + ":" + os.environ["PATH"]})
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(words, done.stderr)
        self.assertFalse(cluster_runs())

    def test_7_help(self):
        done = subprocess.run(["make"], cwd=clone, capture_output=True, text=True)
        for command in "run", "compare", "up", "bench-all", "test", "build", "pgo", "bench", "instructions", "flamegraph", "flamegraph-tasks", "install", "deb", "reproducible", "cluster-test", "migrate", "seed", "format", "lint", "fuzz", "clean":
            self.assertIn(f"make {command} ", done.stdout)

    @unittest.skipIf(os.environ.get("CI"), "two more builds by link-time optimisation: minutes")
    def test_8_laid_out_by_a_load(self):
        done = subprocess.run(["make", "pgo", "PGO_SECONDS=1"], cwd=clone, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("-fprofile-use", pathlib.Path(clone, "build-pgo", "compile_commands.json").read_text())
        version = subprocess.run(["build-pgo/ringpost", "--version"], cwd=clone, capture_output=True, text=True)
        self.assertRegex(version.stdout, r"\d+\.\d+\.\d+")
        self.assertFalse(cluster_runs())

    def test_9_install(self):
        root = pathlib.Path(folder, "root")
        def install():
            return subprocess.run(["make", "install", f"DESTDIR={root}", "PREFIX=/opt/ringpost"], cwd=clone, capture_output=True, text=True)
        done = install()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        there = root / "opt/ringpost"
        version = subprocess.run([there / "bin/ringpost", "--version"], capture_output=True, text=True)
        self.assertRegex(version.stdout, r"\d+\.\d+\.\d+")
        self.assertIn("/opt/ringpost/bin/ringpost", (there / "lib/systemd/system/ringpost.service").read_text())
        for path in "share/man/man1/ringpost.1", "lib/sysusers.d/ringpost.conf", "share/doc/ringpost/docs/tls.md", "etc/ringpost/ringpost.toml":
            self.assertTrue((there / path).is_file(), path)
        # Settings that somebody has made stay.
        (there / "etc/ringpost/ringpost.toml").write_text("port = 1\n")
        self.assertEqual(install().returncode, 0)
        self.assertEqual((there / "etc/ringpost/ringpost.toml").read_text(), "port = 1\n")

    def test_8_for_an_instruction_set(self):
        subprocess.run(["tools/build", "release", "build.ninja"], cwd=clone, check=True,
                       env={**os.environ, "ARCH": "x86-64-v3"})
        commands = pathlib.Path(clone, "build-x86-64-v3", "compile_commands.json").read_text()
        self.assertIn("-march=x86-64-v3", commands)


if __name__ == "__main__":
    unittest.main()
