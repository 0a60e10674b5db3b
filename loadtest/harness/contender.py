"""A contender: a folder with a manifest, contender.toml, which says how it is built, started and set. The harness knows
no contender by name. What a manifest may hold is written in README.md."""
import dataclasses
import os
import random
import shutil
import socket
import subprocess
import time
import tomllib
import urllib.request
from pathlib import Path

from . import cgroups, interrupts, processes, programs


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
    container: dict = dataclasses.field(default_factory=dict)  # of compose.yaml: loadtest/compose/services

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
    done = programs.run(["/bin/bash", "-c", fill(contender.build, places)], cwd=contender.folder, stdout=log, stderr=log)
    if done.returncode != 0:
        raise Problem(f"{contender.name} did not build (status {done.returncode}); its output is in {log.name}")


def versions(contender, places):
    """The first line of each of its version commands."""
    found = {}
    for name, command in contender.versions.items():
        done = programs.run(fill(command, places), shell=True, cwd=contender.folder)
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
    """A contender's process, on the CPUs of its mode and, if `grouped`, in a control group of its own where one can be made;
    `environment` is what its manifest's settings became. Whoever starts it stops it."""

    def __init__(self, contender, places, mode, environment, log, grouped=True):
        self.contender, self.places, self.mode, self.environment, self.log = contender, places, mode, environment, log
        self.port = free_port()
        self.process, self.grouped, self.group = None, grouped, None

    def start(self):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PG") and k != "DATABASE_URL"}
        command = [fill(word, self.places) for word in self.contender.start]
        with interrupts.held():
            if self.grouped:
                self.group = cgroups.make(f"ringpost-compare-{os.getpid()}", self.mode.memory_mib)
            self.process = programs.start(
                self.group.entering(command) if self.group else command, self.mode.cpus, cwd=self.contender.folder,
                stdout=self.log, stderr=self.log, env={**clean, **self.environment, "PORT": str(self.port)})

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def pids(self):
        """Its descendants, and who else is in its group."""
        return list(dict.fromkeys([*processes.tree(self.process.pid), *(self.group.pids() if self.group else [])]))

    def outside(self, pids):
        """Those of its processes that have left its group."""
        return {pid for pid in pids if not self.group.holds(pid)} if self.group else set()

    def cpu_s(self):
        return self.group.cpu_s() if self.group else processes.cpu_s(self.pids())

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
        status = None
        if self.process:
            if self.process.poll() is None:
                self.process.terminate()
                try:
                    self.process.wait(limit_s)
                except subprocess.TimeoutExpired:
                    pass
            status = self.process.poll()
            programs.end(self.process)
        if self.group:
            self.group.remove()
        return status
