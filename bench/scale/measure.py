"""One measurement: a server of its own for it, warmed, loaded, with what it cost the server and PostgreSQL. Everything works on the same
CPUs; the generator comes first there (SCHED_FIFO), where it may, so that it is not what waits."""
import contextlib
import random
import re
import resource
import shutil
import socket
import subprocess
import time
from pathlib import Path

from loadtest.harness import generators, machine, processes
from loadtest.harness.contender import Problem, Running
from loadtest.harness.database import Database

from .rows import MAX_CONNECTIONS

TARGETS = 20_000             # that a load draws from at random
BYTES_A_USER = 800           # with both indexes, and the log that is written meanwhile


def first_in_line():
    """The command that gives a generator its priority; none, and that is said, where this user may not."""
    by = ["chrt", "-f", "1"]
    if shutil.which("chrt") and subprocess.run([*by, "true"], capture_output=True).returncode == 0:
        return by
    print("scale: the generator has no priority of its own: that needs chrt and root (SCHED_FIFO)", flush=True)
    return []


class Stage:
    def __init__(self, root, scratch, contender, program, oha, effort):
        self.root, self.scratch, self.contender = Path(root), Path(scratch), contender
        self.contender.start = [str(Path(program).resolve())]
        self.oha, self.effort = oha, effort
        self.by, self.databases = first_in_line(), {}
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # what is started from here inherits it
        self.descriptors = most
        self.mode = next(reversed(machine.modes().values()))
        self.mode.cpus = self.mode.others_cpus = self.mode.cpus | self.mode.others_cpus

    def close(self):
        for database in self.databases.values():
            database.stop()

    # The tables: a cluster each, so that every round has them all.

    def database(self, users):
        if users not in self.databases:
            database = Database(self.root, self.scratch / f"pg-{users}", users)
            if not database.folder.exists():
                room = shutil.disk_usage(self.scratch).free
                if room < users * BYTES_A_USER + 1e9:
                    raise Problem(f"no room for {users:,} users: {room / 1e9:.0f} GB are free")
                if users > 100_000:
                    print(f"filling a table with {users:,} users (once)", flush=True)
            self.databases[users] = database
            database.make()
            if int(database.query("show max_connections")) != MAX_CONNECTIONS:
                database.query(f"alter system set max_connections = {MAX_CONNECTIONS}")
                database.restart()
            database.query("checkpoint")
        return self.databases[users]

    def targets(self, row):
        """A file of what is asked for."""
        path = self.scratch / f"targets-{row.users}-{row.limit}-{row.deep}"
        if row.limit:
            pick = random.Random(1)
            first = [row.users * 9 // 10] if row.deep else [pick.randrange(row.users - row.limit) for _ in range(2000)]
            lines = [f"/users?limit={row.limit}&offset={offset}" for offset in first]
        else:
            percent = min(100.0, 100.0 * 2 * TARGETS / row.users)
            lines = self.database(row.users).query(
                f"select '/users/' || id from users tablesample bernoulli ({percent}) repeatable (1) limit {TARGETS}").split()
        path.write_text("\n".join(lines) + "\n")
        return path

    @contextlib.contextmanager
    def server(self, row):
        database = self.database(row.users)
        environment = {**self.contender.settings, "SHARDS": str(row.shards), "DB_MAX_CONNS": str(row.connections),
                       "DB_MIN_CONNS": str(row.connections), "IDLE_TIMEOUT_MS": "600000", "DATABASE_URL": database.url}
        with open(self.scratch / "ringpost.log", "a") as log:
            running = Running(self.contender, {}, self.mode, environment, log)
            try:
                running.start()
                running.wait_ready()
                yield running, database
                if (status := running.stop()) != 0:
                    raise Problem(f"the server ended with {status} on SIGTERM; its output is in {log.name}")
            finally:
                running.stop()

    def measure(self, row, capacity=None):
        if row.clients + 500 > self.descriptors:
            raise Problem(f"{row.clients:,} connections need a higher ulimit -n; it is {self.descriptors:,}")
        if row.load == "open" and not capacity:
            raise Problem("the capacity that it is a share of was not measured")
        with self.server(row) as (running, database):
            if row.load == "idle":
                return self.idle(row, running)
            return self.loaded(row, running, database, capacity)

    # Under load.

    def generator(self, row, running, capacity):
        """A function that runs it for so many seconds."""
        file = self.targets(row)
        if row.load == "closed":
            return lambda seconds: generators.closed_loop(running.url, file, self.mode.cpus, seconds, row.clients, by=self.by)
        urls = self.scratch / "urls"
        urls.write_text("".join(running.url + line for line in file.read_text().splitlines(True)[:4000]))
        rate = max(1, round(row.value * capacity)) if row.load == "open" else None
        return lambda seconds: generators.open_loop(self.oha, urls, self.mode.cpus, seconds, rate, by=self.by)

    def loaded(self, row, running, database, capacity):
        load = self.generator(row, running, capacity)
        if self.effort.warm_up_s:
            load(self.effort.warm_up_s)
        server, postgresql = processes.cpu_s(running.pids()), processes.cpu_s(database.pids())
        seen = load(self.effort.seconds)
        server = processes.cpu_s(running.pids()) - server
        postgresql = processes.cpu_s(database.pids()) - postgresql
        requests, latency = max(1, seen.requests), seen.latency_ms if seen.requests else {"p50": None, "p99": None}
        return {"seconds": seen.seconds, "requests": seen.requests, "rps": seen.requests / seen.seconds,
                "errors": seen.errors, "p50_ms": latency["p50"], "p99_ms": latency["p99"],
                "server_cpus": server / seen.seconds, "postgresql_cpus": postgresql / seen.seconds,
                "generator_cpus": seen.cpu_s / seen.seconds,
                "server_us": server / requests * 1e6, "postgresql_us": postgresql / requests * 1e6,
                "generator_us": seen.cpu_s / requests * 1e6}

    # Without a request.

    def idle(self, row, running):
        with contextlib.ExitStack() as stack:
            request = f"GET {self.targets(row).read_text().split()[0]} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            for _ in range(200):  # what the first requests allocate once is not what is measured
                with contextlib.ExitStack() as one:
                    hold(one, running.port, 1, request)
            time.sleep(0.2)
            before, kernel_before = resident_kib(running), kernel_kib()
            hold(stack, running.port, row.clients, request)
            time.sleep(0.5)
            resident, kernel = resident_kib(running) - before, kernel_kib() - kernel_before
            begun = processes.cpu_s(running.pids())
            time.sleep(self.effort.idle_s)
            cpu_s = processes.cpu_s(running.pids()) - begun
        connections = max(1, row.clients)
        # Both ends of each connection are this kernel's.
        return {"seconds": self.effort.idle_s, "idle_cpu_ms": cpu_s * 1e3, "server_kib": resident / connections if row.clients else 0,
                "kernel_kib": kernel / connections / 2 if row.clients else 0}


def hold(stack, port, count, request):
    """Opens so many connections, which stay until the stack ends, and asks once on each."""
    connections = []
    for i in range(count):
        # Source addresses of their own, so that no range of ports runs out.
        connection = stack.enter_context(socket.create_connection(
            ("127.0.0.1", port), timeout=10, source_address=(f"127.0.0.{2 + i % 8}", 0)))
        connections.append(connection)
        connection.sendall(request)
    for connection in connections:
        received = b""
        while b"\r\n\r\n" not in received or not received.endswith(b"}"):
            part = connection.recv(4096)
            if not part:
                raise Problem("the server closed a connection that was to stay")
            received += part


def resident_kib(running):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{running.process.pid}/status").read_text()).group(1))


def kernel_kib():
    """What the kernel's own objects (sockets, files, io_uring's requests) and the sockets' buffers take, of the whole machine."""
    slab = int(re.search(r"^Slab:\s+(\d+)", Path("/proc/meminfo").read_text(), re.M).group(1))
    pages = int(re.search(r"^TCP: .*\bmem (\d+)", Path("/proc/net/sockstat").read_text(), re.M).group(1))
    return slab + pages * resource.getpagesize() // 1024
