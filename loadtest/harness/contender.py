"""A contender: a folder with a manifest, contender.toml, which says how it is built, started and set. The harness knows
no contender by name. What a manifest may hold is written in README.md."""
import dataclasses
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import tomllib
import urllib.request
from pathlib import Path

from . import processes


class Problem(Exception):
    """What stops a run or leaves a contender out; its text is one line for the user."""


@dataclasses.dataclass
class Contender:
    folder: Path
    name: str
    label: str
    build: str
    start: list
    settings: dict = dataclasses.field(default_factory=dict)  # environment
    requires: list = dataclasses.field(default_factory=list)
    versions: dict = dataclasses.field(default_factory=dict)
    note: str = ""
    subject: bool = False  # the one that the others are compared with
    uses: list = dataclasses.field(default_factory=list)  # "io_uring": checked in the running process
    ablations: list = dataclasses.field(default_factory=list)

    def missing(self):
        return [command for command in self.requires if shutil.which(command) is None]


def read(folder):
    path = Path(folder) / "contender.toml"
    try:
        with open(path, "rb") as file:
            return Contender(folder=Path(folder), **tomllib.load(file))
    except (tomllib.TOMLDecodeError, TypeError, OSError) as error:
        raise Problem(f"{path}: {error}") from None


def find_all(twins):
    return [read(path.parent) for path in sorted(Path(twins).glob("*/contender.toml"))]


def fill(text, values):
    """Only the names that a manifest may use: braces of a shell command stay."""
    for name, value in values.items():
        text = text.replace("{" + name + "}", str(value))
    return text


def build(contender, places, log):
    Path(places["build"]).mkdir(parents=True, exist_ok=True)
    done = subprocess.run(fill(contender.build, places), shell=True, cwd=contender.folder, stdin=subprocess.DEVNULL,
                          stdout=log, stderr=log, executable="/bin/bash")
    if done.returncode != 0:
        raise Problem(f"{contender.name} did not build (status {done.returncode}); its output is in {log.name}")


def versions(contender, places):
    """The first line of each of its version commands."""
    found = {}
    for name, command in contender.versions.items():
        done = subprocess.run(fill(command, places), shell=True, cwd=contender.folder, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
        lines = (done.stdout + done.stderr).strip().splitlines()
        found[name] = lines[0] if lines else f"no answer (status {done.returncode})"
    return found


def free_port():
    """Not one of the kernel's for outgoing connections, of which a load makes many."""
    while True:
        port = random.randrange(10000, 20000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Running:
    """A started contender, on the CPUs of its mode; `environment` is what its manifest's settings became."""

    def __init__(self, contender, places, mode, environment, log):
        self.contender, self.mode, self.environment = contender, mode, environment
        self.port = free_port()
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PG") and k != "DATABASE_URL"}
        self.process = subprocess.Popen(
            [fill(word, places) for word in contender.start], cwd=contender.folder, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True, env={**clean, **environment, "PORT": str(self.port)},
            preexec_fn=lambda: os.sched_setaffinity(0, mode.cpus))
        self.log = log

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def pids(self):
        return processes.tree(self.process.pid)

    def wait_ready(self, limit_s=30):
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise Problem(f"{self.contender.name} ended with status {self.process.returncode} at its start; "
                              f"its output is in {self.log.name}")
            try:
                with urllib.request.urlopen(self.url + "/readyz", timeout=1):
                    return
            except OSError:
                time.sleep(0.02)
        raise Problem(f"{self.contender.name} is not ready after {limit_s} s; its output is in {self.log.name}")

    def stop(self, limit_s=15):
        """Drains it by SIGTERM; the exit status, or None when it had to be killed."""
        group = self.process.pid
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(limit_s)
            except subprocess.TimeoutExpired:
                pass
        status = self.process.poll()
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        return status
