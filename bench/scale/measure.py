"""One measurement: a server of its own for it, warmed, loaded, with what it cost the server and PostgreSQL. Everything works on the same
CPUs; the generator comes first there (SCHED_FIFO), where it may, so that it is not what waits."""
import collections
import contextlib
import dataclasses
import random
import re
import resource
import shutil
import socket
import time
import types
from pathlib import Path

from loadtest.harness import generators, machine, processes
from loadtest.harness.contender import Problem, Running, fill
from loadtest.harness.database import Database

from .rows import MAX_CONNECTIONS, OPEN_CONNECTIONS

TARGETS = 20_000             # that a load draws from at random
BYTES_A_USER = 800           # with both indexes, and the log that is written meanwhile


class Stage:
    """`contender` is the server, built into `places`; `mode` says which CPUs are whose, None: all of them everybody's."""

    def __init__(self, root, scratch, effort, contender=None, places=None, mode=None):
        self.root, self.scratch, self.contender, self.places = Path(root), Path(scratch), contender, places or {}
        self.effort, self.databases = effort, {}
        if not generators.priority()[0]:
            print("scale: the generator has no priority of its own: that needs root", flush=True)
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # what is started from here inherits it
        self.descriptors = most
        if mode is None:
            mode = machine.modes()["multi"]
            mode.cpus = mode.others_cpus = mode.cpus | mode.others_cpus
        self.mode = mode

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
            database.move_to(self.mode.others_cpus)
            database.query("checkpoint")
        return self.databases[users]

    def targets(self, row):
        """A file of what is asked for."""
        path = self.scratch / f"targets-{row.users}-{row.limit}-{row.deep}-{row.pages}"
        if row.pages:
            lookups, pages = (self.targets(one).read_text().split() for one in apart(row))
            lines = pages + lookups[:round(len(pages) * (1 - row.pages) / row.pages)]
        elif row.limit:
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
        values = {"cpus": row.shards, "workers": row.shards, "connections": row.connections}
        environment = {"IDLE_TIMEOUT_MS": "600000", "DATABASE_URL": database.url,
                       **{name: fill(value, values) for name, value in self.contender.settings.items()}}
        with open(self.scratch / f"{self.contender.name}.log", "a") as log:
            running = Running(self.contender, self.places, self.mode, environment, log, grouped=False)
            try:
                running.start()
                running.wait_ready()
                yield running, database
                if (status := running.stop()) != 0:
                    raise Problem(f"the server ended with {status} on SIGTERM; its output is in {log.name}")
            finally:
                running.stop()

    def measure(self, row, rate=None):
        """`rate`: requests a second, where they are due by the clock."""
        if row.clients + 500 > self.descriptors:
            raise Problem(f"{row.clients:,} connections need a higher ulimit -n; it is {self.descriptors:,}")
        with self.server(row) as (running, database):
            if row.load == "idle":
                return self.idle(row, running)
            if row.load == "closed":
                return self.loaded(self.closed(row, running), running, database)
            if row.load in ("capacity", "open"):
                return self.loaded(self.due(running, lookups=(row, rate or 0)), running, database)
            # The lookups alone first, as many a second as there are among the pages.
            lookups, pages = apart(row)
            lookups_rate = rate * (1 - row.pages)
            alone = self.loaded(self.due(running, lookups=(lookups, lookups_rate)), running, database)
            seen = self.loaded(self.due(running, lookups=(lookups, lookups_rate), pages=(pages, rate * row.pages)), running, database)
            return {**seen, "alone_p50_ms": alone["p50_ms"], "alone_p99_ms": alone["p99_ms"]}

    # Under load.

    def closed(self, row, running):
        """A function that keeps it at work for so many seconds."""
        file = self.targets(row)
        return lambda seconds: generators.closed_loop(running.port, file, self.mode.others_cpus, seconds, row.clients)

    def due(self, running, **streams):
        """The same by the clock: each stream has a row, whose targets it asks for, and a rate. Latency is the lookups'."""
        streams = {name: (self.targets(row), rate, OPEN_CONNECTIONS, 0) for name, (row, rate) in streams.items()}

        def run(seconds):
            seen = generators.apply(running.port, self.mode.others_cpus, seconds, **streams)
            errors = collections.Counter()
            for stream in seen.values():
                errors.update(stream.errors)
            lookups = seen["lookups"]
            more = {"late_p99_ms": lookups.late_ms}
            if "pages" in seen:
                more |= {f"pages_{point}_ms": seen["pages"].latency_ms[point] for point in ("p50", "p99")}
            return types.SimpleNamespace(requests=sum(stream.requests for stream in seen.values()), seconds=seconds, errors=dict(errors),
                                         latency_ms=lookups.latency_ms, cpu_s=lookups.cpu_s, more=more)
        return run

    def loaded(self, load, running, database):
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
                "generator_us": seen.cpu_s / requests * 1e6, **getattr(seen, "more", {})}

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


def apart(row):
    """The lookups and the pages of a mixed load, as rows."""
    return dataclasses.replace(row, limit=0, pages=0), dataclasses.replace(row, pages=0)


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
