"""compose.yaml for real, where a container engine answers: from `make up` to `make clean YES=1`, in a copy of the
working tree and a Compose project of its own. Only k6 is a stand-in, which shows what it was asked for."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROJECT = "ringpost-compose-test"
PORTS = {"go-api": 18180, "py-api": 18181, "ringpost": 18182}
MEMORY = 512 * 2**20
EPERM, ENOSYS = 1, 38
# What the limits are read with, inside the containers: these have neither shell nor cat.
READER = "debian:bookworm-slim"
K6 = "ringpost-compose-test-k6"

environment = {
    **{name: value for name, value in os.environ.items()
       if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MODE", "SCENARIO", "CPUSET")},
    "COMPOSE_PROJECT_NAME": PROJECT, "K6_IMAGE": K6,
    **{name: str(PORTS[service]) for name, service in
       {"GO_PORT": "go-api", "PY_PORT": "py-api", "RINGPOST_PORT": "ringpost"}.items()},
}
folder = copy = None
cores = 0


def run(*command, status=0, limit_s=60, text=None):
    """What a command prints, in the copy; fails unless it ends with `status` (None: whatever)."""
    done = subprocess.run(command, cwd=copy, env=environment, text=True, timeout=limit_s,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          **({"stdin": subprocess.DEVNULL} if text is None else {"input": text}))
    if status is not None and done.returncode != status:
        raise AssertionError(f"{' '.join(command)}: status {done.returncode}\n{done.stdout[-4000:]}")
    return done.stdout


def make(*words, **more):
    return run("make", *words, limit_s=more.pop("limit_s", 1500), **more)


def compose(*words, **more):
    return run("docker", "compose", "--profile", "all", *words, **more)


def eventually(check, limit_s, what):
    end = time.monotonic() + limit_s
    while not (value := check()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit_s} s: {what}")
        time.sleep(0.2)
    return value


def psql(sql):
    return compose("exec", "-T", "db", "psql", "-qAtX", "-U", "postgres", "users", "-c", sql).strip()


def left_over():
    """What there is of the project: containers, networks, volumes, images."""
    label = f"label=com.docker.compose.project={PROJECT}"
    # Compose 2.26 puts no label on images that it builds.
    return "".join([
        run("docker", "ps", "-aq", "--filter", label), run("docker", "network", "ls", "-q", "--filter", label),
        run("docker", "volume", "ls", "-q", "--filter", label),
        *(run("docker", "images", "-q", f"{PROJECT}-{service}") for service in PORTS)]).split()


def inside(service, script):
    """Runs a shell script that sees a container's processes, the first of which is its /proc/1, and by
    /proc/1/root its files."""
    container = compose("ps", "-q", service).strip()
    return run("docker", "run", "--rm", f"--pid=container:{container}", "--cap-add=SYS_PTRACE",
               "--security-opt=apparmor=unconfined", READER, "sh", "-c", script)


def status_of(service):
    lines = inside(service, "cat /proc/1/status").splitlines()
    return {name: value.strip() for name, value in (line.split(":", 1) for line in lines if ":" in line)}


def ask(service, target):
    with urllib.request.urlopen(f"http://127.0.0.1:{PORTS[service]}{target}", timeout=10) as response:
        response.read()


def setUpModule():
    global folder, copy, cores
    cores = int(run("docker", "info", "--format", "{{.NCPU}}"))
    folder = tempfile.mkdtemp(prefix="ringpost compose ")  # a blank in the path, as some have it
    os.chmod(folder, 0o755)
    unittest.addModuleCleanup(shutil.rmtree, folder)
    copy = os.path.join(folder, "ringpost")
    listed = subprocess.run(
        ["git", "ls-files", "-zco", "--exclude-standard"], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            target = pathlib.Path(copy, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target, follow_symlinks=False)
    unittest.addModuleCleanup(run, "docker", "rmi", "-f", K6, status=None)
    unittest.addModuleCleanup(compose, "down", "--volumes", "--rmi", "local", "--remove-orphans", status=None)
    if left_over():  # of a run that was killed
        compose("down", "--volumes", "--rmi", "local", "--remove-orphans")


class Mode:
    """What holds in each mode; the subclasses say which it is."""
    mode = workers = connections = None

    @classmethod
    def setUpClass(cls):
        cls.cpus = cls.workers = min(cls.wanted, cores)
        cls.connections = cls.connections // cls.workers * cls.workers
        cls.said = make("up", f"MODE={cls.mode}")

    def test_all_are_healthy(self):
        lines = compose("ps", "--format", "json").splitlines()
        health = {row["Service"]: row["Health"] for row in map(json.loads, lines)}
        self.assertEqual(health, dict.fromkeys(["db", *PORTS], "healthy"))

    def test_a_smaller_machine_is_named(self):
        fitted = f"this machine has {cores}" in self.said
        self.assertEqual(fitted, cores < self.wanted, self.said)

    def test_they_keep_the_contract(self):
        for service, port in PORTS.items():
            with self.subTest(service=service):
                run("loadtest/contract", f"http://127.0.0.1:{port}", "--psql", "docker compose --profile all exec -T db psql -U postgres users")

    def test_limits_bind(self):
        # cgroup v2, or v1 with a folder for each controller. A process that has ended meanwhile, as a health check does, is no error.
        script = """cd /proc/1/root/sys/fs/cgroup
            cat cpu.max 2>/dev/null || paste -d' ' cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us
            cat memory.max 2>/dev/null || cat memory/memory.limit_in_bytes
            sed -n 's/^Cpus_allowed_list:\t//p' /proc/[0-9]*/task/*/status 2>/dev/null | sort -u"""
        for service in PORTS:
            with self.subTest(service=service):
                container = compose("ps", "-q", service).strip()
                processes = len(run("docker", "top", container).splitlines()) - 1
                self.assertGreaterEqual(processes, self.workers if service == "py-api" else 1)
                quota, memory, *affinity = inside(service, self.own_only(script)).splitlines()
                quota, period = map(int, quota.split())
                self.assertEqual(quota / period, self.cpus)
                self.assertEqual(int(memory), MEMORY)
                self.assertEqual(affinity, ["0" if self.cpus == 1 else f"0-{self.cpus - 1}"])

    @staticmethod
    def own_only(script):
        """The reader's own processes are in the same /proc: leaves out those that are not in the container's root."""
        return script.replace("/proc/[0-9]*/task/*/status", """$(for p in /proc/[0-9]*; do
            [ /proc/1/root -ef $p/root ] && echo $p/task/*/status; done)""")

    def test_connections_are_the_same(self):
        expected = {service: self.connections for service in PORTS}

        def count():
            rows = psql("select application_name, count(*) from pg_stat_activity where application_name in"
                        f" ({', '.join(repr(service) for service in PORTS)}) group by 1")
            return {name: int(n) for name, n in (row.split("|") for row in rows.splitlines())}
        try:
            eventually(lambda: count() == expected, 10, "all connections are open")
        except AssertionError:
            self.assertEqual(count(), expected)

    def test_one_statement_a_request(self):
        for service in PORTS:
            with self.subTest(service=service):
                ask(service, "/users?limit=7")
                psql("select pg_stat_statements_reset()")
                for offset in range(20):
                    ask(service, f"/users?limit=7&offset={offset}")
                calls = psql("select calls from pg_stat_statements where query ilike '%from users%'")
                self.assertEqual(calls, "20")


class Single(Mode, unittest.TestCase):
    mode, wanted, connections = "single", 1, 30


class Multi(Mode, unittest.TestCase):
    mode, wanted, connections = "multi", 4, 40


class Ringpost(unittest.TestCase):
    """Its image, its profile, its healthcheck."""

    @classmethod
    def setUpClass(cls):
        make("up-ringpost")
        cls.image = f"{PROJECT}-ringpost"

    def test_nothing_but_what_it_needs(self):
        status = status_of("ringpost")
        self.assertEqual(status["Uid"].split(), ["65532"] * 4)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"], int(status["CapEff"], 16)), ("1", "2", 0))
        self.assertIn("io_uring", inside("ringpost", "ls -l /proc/1/fd"))
        self.assertLess(int(run("docker", "image", "inspect", "-f", "{{.Size}}", self.image)), 30e6)
        self.assertEqual(inside("ringpost", "ls /proc/1/root/bin 2>/dev/null || true").strip(), "", "has no shell")

    def calls(self, *options):
        program = os.path.join(folder, "calls")
        if not os.path.exists(program):
            run(os.environ.get("CXX", "g++"), "-static", "-o", program, str(ROOT / "tests/compose/calls.cpp"))
        said = run("docker", "run", "--rm", "--cap-drop=ALL", "--security-opt=no-new-privileges:true", *options,
                   f"--mount=type=bind,source={program},target=/calls,readonly", "--entrypoint=/calls", self.image)
        return {name: int(error) for name, error in (line.split() for line in said.splitlines())}

    def test_the_profile_allows_what_ringpost_calls_and_no_more(self):
        own = self.calls("--security-opt=seccomp=loadtest/compose/seccomp.json")
        allowed = {name for name, error in own.items() if error not in (EPERM, ENOSYS)}
        self.assertEqual(allowed, {"io_uring_setup", "socket_inet", "socket_unix", "name_thread"})
        self.assertEqual(own["clone3"], ENOSYS, "so that the C library takes clone")

        by_default = self.calls()
        refused = [{name for name, error in calls.items() if error == EPERM} for calls in (by_default, own)]
        self.assertLess(refused[0] - {"io_uring_setup"}, refused[1], "tighter than the engine's own")
        self.assertEqual(by_default["mkdir"], 2, "allowed, but there is no such folder")

    def test_the_default_profile_is_named_when_it_refuses_io_uring(self):
        if self.calls()["io_uring_setup"] != EPERM:
            self.skipTest("this engine's default profile allows io_uring")
        self.assertIn("seccomp", run("docker", "run", "--rm", self.image, status=1))

    def test_health_follows_the_database(self):
        check = "docker", "compose", "--profile", "all", "exec", "-T", "ringpost", "/ringpost", "--healthcheck"
        run(*check)
        compose("pause", "db")
        try:
            self.assertIn("503", run(*check, status=1))
        finally:
            compose("unpause", "db")
        eventually(lambda: run(*check, status=None) == "", 10, "it is healthy again")

    def test_drains(self):
        compose("stop", "ringpost")
        state = compose("ps", "-a", "--format", "{{.ExitCode}}", "ringpost").strip()
        self.assertEqual(state, "0")
        self.assertIn("event=stopped status=0", compose("logs", "ringpost"))
        make("up-ringpost")

    def test_wrong_words_are_one_clear_line(self):
        for words, name in (["MODE=triple"], "MODE"), (["SCENARIO=none"], "SCENARIO"):
            said = make("up-ringpost", *words, status=2).splitlines()
            self.assertEqual(len(said), 2, said)  # the second one is make's
            self.assertIn(name, said[0])


class Bench(unittest.TestCase):
    def test_k6_is_the_release_that_the_scripts_are_checked_with(self):
        package = json.loads(pathlib.Path(copy, "loadtest/k6/package.json").read_text())
        config = json.loads(run(
            "env", "-u", "K6_IMAGE", "docker", "compose", "--profile", "bench", "config", "--format", "json"))
        self.assertEqual(config["services"]["k6"]["image"], "grafana/k6:" + package["config"]["k6"])

    def test_k6_is_asked_for_the_scenario(self):
        run("docker", "build", "-q", "-t", K6, "-", text=f"""
            FROM {READER}
            RUN echo '#!/bin/sh' >/k6 && chmod +x /k6 && \\
                echo 'test -f $2 && echo "$* $BASE_URL $MODE" >$RESULTS_DIR/$CONTENDER-said' >>/k6
            ENTRYPOINT ["/k6"]
            """)
        make("bench-all", "SCENARIO=mixed", "MODE=multi")
        for service, url in {"go-api": "http://go-api:8080", "py-api": "http://py-api:8081",
                             "ringpost": "http://ringpost:8082"}.items():
            said = pathlib.Path(copy, "loadtest/results", f"{service}-said")
            self.assertEqual(said.read_text(), f"run /scripts/mixed.ts {url} multi\n")
            self.assertEqual(said.stat().st_uid, os.getuid())
        # The others are out of the way of the last one.
        self.assertEqual(set(compose("ps", "--services", "--status", "running").split()), {"db", "ringpost"})


class Tidy(unittest.TestCase):
    def test_down_keeps_the_rows_and_clean_leaves_nothing(self):
        make("up-ringpost")
        psql("update users set full_name = 'kept' where email = 'user1@example.com'")
        make("down")
        self.assertEqual(run("docker", "ps", "-aq", "--filter", f"label=com.docker.compose.project={PROJECT}"), "")
        volumes = set(run("docker", "volume", "ls", "-q").split())
        make("up-ringpost")
        self.assertEqual(psql("select full_name from users where email = 'user1@example.com'"), "kept")
        self.assertEqual(set(run("docker", "volume", "ls", "-q").split()), volumes, "unnamed volumes were made")

        self.assertIn("nothing was removed", make("clean", status=2))
        self.assertIn("nothing was removed", make("clean", status=2, text="n\n"))
        self.assertNotEqual(left_over(), [])
        os.makedirs(os.path.join(copy, "build"))
        make("clean", "YES=1")
        self.assertEqual(left_over(), [])
        self.assertFalse(os.path.exists(os.path.join(copy, "build")))


if __name__ == "__main__":
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True).returncode != 0:
        print("compose_test: LEFT OUT: no container engine answers, the containers were not tried", file=sys.stderr)
        sys.exit(77)
    unittest.main(verbosity=2)
