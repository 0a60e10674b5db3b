"""compose.yaml for real, where a container engine answers: from `docker compose up` to `make clean YES=1`, in a copy of the
working tree and a Compose project of its own. Only k6 is a stand-in: its scripts on the shim of loadtest/k6/test. A base image
that the engine can't get is made of this machine's own toolchain."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROJECT = "ringpost-compose-test"
MANIFESTS = {path.parent.name: tomllib.loads(path.read_text()) for path in sorted(ROOT.glob("loadtest/twins/*/contender.toml"))}
PORTS = {name: 18180 + i for i, name in enumerate(MANIFESTS)}
MEMORY = 512 * 2**20
EPERM, ENOSYS = 1, 38
# What the limits are read with, inside the containers: these have neither shell nor cat.
READER = "debian:bookworm-slim"
NODE = "node:26-trixie-slim"
K6 = "ringpost-compose-test-k6"

environment = {
    **{name: value for name, value in os.environ.items()
       if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MODE", "SCENARIO", "PASSES", "CPUSET", "COMPOSE_PROFILES")},
    "COMPOSE_PROJECT_NAME": PROJECT, "K6_IMAGE": K6,
    **{name.removesuffix("-api").upper() + "_PORT": str(port) for name, port in PORTS.items()},
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


def stand_in(image):
    """Makes a base image from what this machine has, where the engine has none of that name and can't get it either."""
    if subprocess.run(["docker", "image", "inspect", image], capture_output=True).returncode == 0:
        return
    if subprocess.run(["docker", "pull", "-q", image], capture_output=True).returncode == 0:
        return
    kind = image.split(":")[0]
    unittest.addModuleCleanup(run, "docker", "rmi", image, status=None)
    if kind == "python":
        run("docker", "tag", "python:3.13-slim-trixie", image)
        return
    programs = run("rustc", "--print", "sysroot").strip() if kind == "rust" else node_folder()
    own = {"rust": """RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev
                      COPY --from=own bin /usr/local/bin
                      COPY --from=own lib /usr/local/lib
                      ENV CARGO_HOME=/usr/local/cargo""",
           "node": """RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libatomic1
                      COPY --from=own node /usr/local/bin/
                      COPY --from=own npm /usr/local/lib/node_modules/npm
                      RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm"""}[kind]
    run("docker", "build", "-q", "--network=host", "-t", image, "--build-context", f"own={programs}", "-", limit_s=300, text=f"""
        FROM debian:trixie-slim
        {own}
        ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
        """)


def node_folder():
    program, npm = (os.path.realpath(shutil.which(name)) for name in ("node", "npm"))
    place = os.path.join(folder, "node")
    os.makedirs(place)
    shutil.copy2(program, os.path.join(place, "node"))
    shutil.copytree(pathlib.Path(npm).parents[1], os.path.join(place, "npm"), symlinks=True)
    return place


def make_k6():
    """k6's image: what it does with the scripts on the shim, a few iterations each, in no time."""
    run("npm", "ci", "--silent", "--no-audit", "--no-fund", "--prefix", "loadtest/k6", limit_s=180)
    run("docker", "build", "-q", "-t", K6, "-f", "-", "loadtest/k6", limit_s=180, text=f"""
        FROM {NODE}
        COPY . /k6
        RUN printf '#!/bin/sh\\nexec node /k6/test/k6.mjs "$@"\\n' >/usr/local/bin/k6 && chmod +x /usr/local/bin/k6
        USER 12345
        ENTRYPOINT ["k6"]
        """)


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
    for dockerfile in pathlib.Path(copy, "loadtest").glob("**/*ockerfile"):
        for image in re.findall(r"^FROM ([a-z]+:\S+)", dockerfile.read_text(), re.MULTILINE):
            if image.split(":")[0] in ("python", "rust", "node"):
                stand_in(image)
    stand_in(NODE)
    unittest.addModuleCleanup(run, "docker", "rmi", "-f", K6, status=None)
    make_k6()
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
                self.assertGreaterEqual(processes, self.workers if service in ("node-api", "py-api") else 1)
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
        least = lambda settings: settings.get("DB_MIN_CONNS") or settings["DB_POOL_MIN_SIZE"]
        expected = {name: int(least(manifest["settings"]).replace("{connections_per_worker}", "{connections}").replace(
            "{connections}", str(self.connections))) for name, manifest in MANIFESTS.items()}

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
        make("up-ringpost")

    def test_wrong_words_are_one_clear_line(self):
        for words, name in (["up-ringpost", "MODE=triple"], "MODE"), (["up-nobody"], "nobody"), (["bench-nobody"], "nobody"):
            said = make(*words, status=2).splitlines()
            self.assertEqual(len(said), 2, said)  # the second one is make's
            self.assertIn(name, said[0])


class Bench(unittest.TestCase):
    def tables(self, text):
        """By the load that a table is of: its columns, and its rows by name."""
        found = {}
        for block in re.split(r"\n\n", text):
            if heading := re.search(r"^[^(\n]+\((\w+)\), .*$", block, re.MULTILINE):
                columns, *rows = block[heading.end():].strip("\n").splitlines()
                figures = rows[:[row[:12].strip() for row in rows].index("errors") + 1]  # below are k6's CPUs, and what is to be noted
                found[heading[1]] = columns.split(), {row[:12].strip(): row[12:].split() for row in figures}
        return found

    def results(self, mode):
        return set(pathlib.Path(copy, "loadtest/results").glob(f"k6-{mode}-*"))

    def summary(self, mode):
        return pathlib.Path(copy, f"loadtest/results/summary-{mode}.txt").read_text()

    def test_k6_is_the_release_that_the_scripts_are_checked_with(self):
        package = json.loads(pathlib.Path(copy, "loadtest/k6/package.json").read_text())
        config = json.loads(run("env", "-u", "K6_IMAGE", "docker", "compose", "config", "--format", "json"))
        self.assertEqual(config["services"]["k6"]["image"], "grafana/k6:" + package["config"]["k6"])

    def test_profiles_choose_parts(self):
        services = lambda *words: set(run("docker", "compose", *words, "config", "--services").split())
        self.assertEqual(services(), {"db", "seed", "k6", *PORTS})
        self.assertEqual(services("--profile", "all"), {"db", "seed", *PORTS})
        self.assertEqual(services("--profile", "go"), {"db", "seed", "go-api"})
        self.assertEqual(services("--profile", "rust", "--profile", "bench"), {"db", "seed", "rust-api", "k6"})

    def test_plain_up_ends_with_tables(self):
        make("down")
        started = subprocess.Popen(["docker", "compose", "up", "--build"], cwd=copy, env=environment, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said = []
        try:
            for line in started.stdout:
                said.append(re.sub(r"^.*k6-1 +\| ?", "", line.rstrip("\n")))
                if "k6-1 exited with code" in line:  # Compose ends here, or waits for Ctrl-C: releases differ
                    started.terminate()
        finally:
            started.kill()
            started.wait(60)
            started.stdout.close()
        said = "\n".join(said)
        self.assertIn("k6-1 exited with code 0", said, said[-3000:])
        tables = self.tables(said)
        self.assertEqual(set(tables), {"light", "heavy"}, said[-3000:])
        for columns, rows in tables.values():
            self.assertEqual(columns, [*sorted(PORTS), "Go*", "Python*"])
            self.assertEqual(rows["requests"], ["20"] * len(PORTS) + ["-", "-"])
            self.assertEqual(rows["errors"], ["0"] * (len(PORTS) + 2))
        self.assertEqual(self.tables(self.summary("single")), tables)

    def test_bench_all_takes_turns_and_overwrites_nothing(self):
        mode = {"MODE": "multi", "SCENARIO": "mixed", "PASSES": "2"}
        words = [f"{name}={value}" for name, value in mode.items()]
        said = make("bench-all", *words)
        turns = re.findall(r"^k6: pass (\d) of 2: (\S+), mixed", said, re.MULTILINE)
        names = list(PORTS)
        self.assertEqual(turns, [("1", name) for name in names] + [("2", name) for name in [*names[1:], names[0]]])
        first = self.results("multi")
        self.assertEqual(len(first), 1)
        runs = {f"{name}-mixed-multi-{number}.{kind}" for name in PORTS for number in "12" for kind in ("json", "log")}
        self.assertEqual({path.name for path in first.copy().pop().iterdir()}, runs | {"summary.txt"})
        columns, rows = self.tables(self.summary("multi"))["mixed"]
        self.assertEqual((columns, rows["requests"]), (sorted(PORTS), ["40"] * len(PORTS)))
        for path in first.copy().pop().iterdir():
            self.assertEqual(path.stat().st_uid, os.getuid())

        # One alone: the others are out of its way.
        make("bench-go", *words)
        self.assertEqual(set(compose("ps", "--services", "--status", "running").split()), {"db", "go-api"})
        self.assertEqual(len(self.results("multi") - first), 1)
        self.assertEqual(self.tables(self.summary("multi"))["mixed"][0], ["go-api"])

    def test_a_service_that_is_not_up_is_named(self):
        make("up-go")
        compose("stop", "ringpost")
        said = run("docker", "compose", "--profile", "bench", "run", "--rm", "--no-deps", "-e", "SCENARIO=light", "k6", "go-api", "ringpost")
        self.assertIn("LEFT OUT: ringpost is not up", said)


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
