"""The .deb on a clean root: what is in it; then, where a container engine answers, apt installs it in a Debian that has nothing else,
it serves there from the machine's PostgreSQL by its own configuration file, is removed and purged. Its SBOM against CycloneDX's schema."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))
import stage  # noqa: E402  (a path of its own)

NAME = "ringpost-deb-test"
package = None


def run(*command, status=0, limit_s=600):
    done = subprocess.run(command, cwd=ROOT, text=True, timeout=limit_s, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if status is not None and done.returncode != status:
        raise AssertionError(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout[-4000:]}")
    return done.stdout


def base_image():
    """Of the release that the package is made for: this machine's."""
    info = dict(line.split("=", 1) for line in pathlib.Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return f"{info['ID']}:{info['VERSION_CODENAME']}-slim" if info["ID"] == "debian" else f"{info['ID']}:{info['VERSION_ID']}"


def setUpModule():
    global package
    package = pathlib.Path(run("packaging/build-deb", limit_s=1800).splitlines()[-1])


class Package(unittest.TestCase):
    def test_what_is_in_it(self):
        lines = [line.split(None, 5) for line in run("dpkg-deb", "--contents", str(package)).splitlines()]
        files = {words[5].removeprefix("."): (words[0], words[1]) for words in lines if not words[5].endswith("/")}
        self.assertEqual(files["/usr/bin/ringpost"], ("-rwxr-xr-x", "root/root"))
        self.assertEqual(files["/etc/ringpost/ringpost.toml"], ("-rw-r-----", "root/root"))
        for path in "/usr/share/man/man1/ringpost.1.gz", "/usr/share/doc/ringpost/copyright", "/usr/share/doc/ringpost/ringpost.cdx.json", \
                "/usr/lib/sysusers.d/ringpost.conf":
            self.assertIn(path, files)
        self.assertTrue({"/lib/systemd/system/ringpost.service", "/usr/lib/systemd/system/ringpost.service"} & files.keys(), files)
        self.assertFalse([path for path in files if path.endswith((".a", ".h", ".pc"))], "the library is no part of it")

    def test_what_it_needs_was_found_out(self):
        depends = run("dpkg-deb", "--field", str(package), "Depends")
        for library in run("ldd", str(ROOT / "build-package/ringpost")).split():
            if library.startswith(("libssl", "liburing")):
                name = re.match(r"[a-z]+", library)[0]
                self.assertRegex(depends, rf"{name}\d")
        self.assertIn("libc6 (>= 2.", depends)

    def test_the_same_tree_gives_the_same_package(self):
        before = package.read_bytes()
        run("packaging/build-deb", limit_s=900)
        self.assertEqual(package.read_bytes(), before)

    def test_the_sbom_is_valid_and_true(self):
        text = run("sh", "-c", f"dpkg-deb --fsys-tarfile {package} | tar -xO ./usr/share/doc/ringpost/ringpost.cdx.json")
        python = run("tools/venv", "sbom", "tests/packaging/requirements.txt").splitlines()[-1]
        checker = ("import sys; from cyclonedx.validation.json import JsonStrictValidator; from cyclonedx.schema import SchemaVersion;"
                   "sys.exit(str(JsonStrictValidator(SchemaVersion.V1_5).validate_str(sys.stdin.read()) or '') or None)")
        for sent, status in (text, 0), (text.replace('"type": "library"', '"type": "shelf"'), 1):
            done = subprocess.run([python, "-c", checker], input=sent, text=True, capture_output=True)
            self.assertEqual(done.returncode, status, done.stderr)
        told = json.loads(text)
        scopes = {each["name"]: each["scope"] for each in told["components"]}
        self.assertEqual((scopes["libc6"], scopes["libcli11-dev"]), ("required", "optional"), scopes)


def engine_answers():
    return shutil.which("docker") is not None and subprocess.run(["docker", "info"], capture_output=True).returncode == 0


@unittest.skipUnless(engine_answers(), "no container engine answers")
class CleanRoot(unittest.TestCase):
    def inside(self, *command, **more):
        return run("docker", "exec", NAME, *command, **more)

    def test_from_installation_to_purge(self):
        cluster = stage.Cluster(rows=100)
        self.addCleanup(cluster.destroy)
        port = stage.free_port()
        run("docker", "rm", "-f", NAME, status=None)
        # The machine's network, so that its PostgreSQL is there; the engine's own filter would refuse io_uring.
        run("docker", "run", "-d", "--name", NAME, "--network=host", "--security-opt=seccomp=unconfined", base_image(), "sleep", "900")
        self.addCleanup(run, "docker", "rm", "-f", NAME)
        run("docker", "cp", str(package), f"{NAME}:/tmp/ringpost.deb")
        self.inside("apt-get", "update", "-qq")
        told = self.inside("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "--no-install-recommends", "/tmp/ringpost.deb")
        self.assertIn("systemctl enable --now ringpost", told)
        self.assertEqual(self.inside("stat", "-c", "%a %U:%G", "/etc/ringpost/ringpost.toml").strip(), "640 root:ringpost")
        self.assertRegex(self.inside("getent", "passwd", "ringpost"), r"^ringpost:x:\d+:\d+:ringpost:/nonexistent:/usr/sbin/nologin")
        self.assertRegex(self.inside("ringpost", "--version"), r"^ringpost \d")

        settings = f'database-url = "{cluster.url}"\nport = {port}\nhost = "127.0.0.1"\npin-shards = false\n'
        self.inside("sh", "-c", f"printf '%s' '{settings}' >>/etc/ringpost/ringpost.toml")
        server = subprocess.Popen(["docker", "exec", NAME, "runuser", "-u", "ringpost", "--",
                                   "sh", "-c", "echo $$; exec ringpost --config /etc/ringpost/ringpost.toml"],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        process = server.stdout.readline().strip()

        def user():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/users/{stage.seed_id(1)}", timeout=5) as response:
                    return json.load(response)
            except OSError:
                return None
        self.assertEqual(stage.eventually(user, 15, "it serves")["email"], "user1@example.com")
        self.inside("sh", "-c", f"kill -TERM {process}")
        self.assertEqual(server.wait(20), 0)

        self.inside("apt-get", "remove", "-y", "-qq", "ringpost")
        self.inside("test", "-e", "/usr/bin/ringpost", status=1)
        self.inside("test", "-e", "/etc/ringpost/ringpost.toml")
        self.inside("apt-get", "purge", "-y", "-qq", "ringpost")
        self.inside("test", "-e", "/etc/ringpost", status=1)


@unittest.skipUnless(engine_answers(), "no container engine answers")
class UnderSystemd(unittest.TestCase):
    """The unit as it is installed, by a systemd in a container."""
    UNIT, DB, NETWORK = NAME + "-systemd", NAME + "-db", NAME

    def inside(self, *command, **more):
        return run("docker", "exec", self.UNIT, *command, **more)

    def state(self, name):
        return self.inside("systemctl", "show", "ringpost", "--value", "--property", name).strip()

    def ask(self, target="/readyz"):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{target}", timeout=5) as response:
                response.read()
                return response.status
        except OSError as error:
            return error

    def start(self):
        self.port = stage.free_port()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        shutil.copy(package, pathlib.Path(folder.name, "ringpost.deb"))
        pathlib.Path(folder.name, "Dockerfile").write_text(f"""FROM {base_image()}
            COPY ringpost.deb /tmp/
            RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends systemd /tmp/ringpost.deb
            CMD ["/lib/systemd/systemd"]
            """)
        run("docker", "build", "-q", "-t", self.UNIT, folder.name)
        self.addCleanup(run, "docker", "rmi", "-f", self.UNIT)
        run("docker", "rm", "-f", self.UNIT, self.DB, status=None)
        run("docker", "network", "rm", self.NETWORK, status=None)
        run("docker", "network", "create", self.NETWORK)
        self.addCleanup(run, "docker", "network", "rm", self.NETWORK)
        self.addCleanup(run, "docker", "rm", "-f", "-v", self.UNIT, self.DB, status=None)
        run("docker", "run", "-d", "--name", self.DB, "--network", self.NETWORK, "-v", f"{ROOT}/db/migrations:/docker-entrypoint-initdb.d:ro",
            "-e", "POSTGRES_DB=users", "-e", "POSTGRES_HOST_AUTH_METHOD=trust", "postgres:16")
        run("docker", "run", "-d", "--name", self.UNIT, "--network", self.NETWORK, "--privileged", "--cgroupns=private", "--tmpfs=/run",
            "--tmpfs=/run/lock", "--tmpfs=/tmp", "-p", f"127.0.0.1:{self.port}:8080", self.UNIT)
        stage.eventually(lambda: self.inside("systemctl", "is-system-running", status=None).strip() in ("running", "degraded"), 30,
                         "systemd has started")
        settings = f"database-url = 'host={self.DB} dbname=users user=postgres'\npin-shards = false\n"
        self.inside("sh", "-c", f'printf "%s" "{settings}" >>/etc/ringpost/ringpost.toml')
        self.inside("systemctl", "start", "ringpost")

    def test_it_starts_hands_over_is_watched_and_stops(self):
        self.start()
        stage.eventually(lambda: self.ask() == 200, 30, "it is ready")
        self.assertEqual(self.inside("systemctl", "is-active", "ringpost").strip(), "active")

        # A reload: another process, and nobody is refused.
        first, seen, going = self.state("MainPID"), [], True

        def clients():
            while going:
                seen.append(self.ask())
        thread = threading.Thread(target=clients)
        thread.start()
        try:
            self.inside("systemctl", "reload", "ringpost")
            second = stage.eventually(lambda: (pid := self.state("MainPID")) != first and pid, 30, "another process is the service")
            stage.eventually(lambda: not self.exists(first), 20, "the first one has ended")
        finally:
            going = False
            thread.join()
        self.assertEqual(set(seen), {200})
        journal = self.inside("journalctl", "--unit=ringpost", "--output=cat", "--no-pager")
        self.assertIn("event=taken_over", journal)
        self.assertNotIn("level=error", journal)

        # One that hangs is ended by the watchdog, and another one started.
        self.inside("sh", "-c", f"kill -STOP {second}")
        stage.eventually(lambda: self.state("MainPID") not in ("0", second) and self.ask() == 200, 60, "the watchdog has replaced it")

        self.inside("systemctl", "stop", "ringpost")
        self.assertEqual((self.state("ActiveState"), self.state("Result")), ("inactive", "success"))

    def exists(self, process):
        return self.inside("sh", "-c", f"[ -e /proc/{process} ] && echo yes || echo no").strip() == "yes"


if __name__ == "__main__":
    unittest.main(verbosity=2)
