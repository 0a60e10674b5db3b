"""What the integration tests act on: a private PostgreSQL cluster, a running server, HTTP connections to it.

The environment says what is tested: RINGPOST (the server's program), POSTGRES (a release number such as 16; by
default the distribution's). Everything made here lives in a temporary folder and ends with the test.
"""
import contextlib
import datetime
import json
import os
import random
import shlex
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import uuid

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("RINGPOST", os.path.join(ROOT, "build", "ringpost"))
SEED_NAMESPACE = uuid.UUID("5eedf00d-1357-4ace-8bad-c0ffee123456")
# Under sanitizers everything takes longer; limits of time are for the release.
SLOW = float(os.environ.get("RINGPOST_SLOW", "1"))


class Stalls(threading.Thread):
    """How long this machine, or this process on it, has stood still: what others do to it is nobody's fault."""

    PAUSE_S = 0.05

    def __init__(self):
        super().__init__(daemon=True)
        self.total_s = 0
        self.start()

    def run(self):
        while True:
            begin = time.monotonic()
            time.sleep(self.PAUSE_S)
            late = time.monotonic() - begin - self.PAUSE_S
            if late > self.PAUSE_S:
                self.total_s += late


stalls = Stalls()


def limit(seconds):
    """So much time, on a machine that runs as fast as it should."""
    return seconds * SLOW + stalls.total_s


def seed_id(n):
    """The id of user n of db/seed/users.sql."""
    return str(uuid.uuid3(SEED_NAMESPACE, str(n)))


def free_port():
    while True:
        port = random.randrange(10000, 20000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def eventually(check, limit_s, what):
    """Waits until check() is true; its value."""
    end = time.monotonic() + limit_s
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit_s} s: {what}")
        time.sleep(0.02)


def signal_all(pids, number):
    """Those that there still are: a backend may end at any moment."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


class Cluster:
    """A PostgreSQL cluster of its own, with the seeded table."""

    def __init__(self, rows=10000):
        self.folder = tempfile.mkdtemp(prefix="ringpost-test-")
        os.chmod(self.folder, 0o755)
        self.arguments = ["--dir", os.path.join(self.folder, "pg")]
        release = os.environ.get("POSTGRES")
        if release:
            found = subprocess.run(
                [os.path.join(ROOT, "tools/postgres-binaries"), release], stdout=subprocess.PIPE, text=True)
            if found.returncode == 77:
                raise unittest.SkipTest(f"PostgreSQL {release} can't be had")
            found.check_returncode()
            self.arguments += ["--bindir", found.stdout.strip()]
        self.start()
        environment = {**os.environ, "DATABASE_URL": self.url, "SEED_ROWS": str(rows)}
        for step in "db/migrate", "db/seed/run":
            subprocess.run([os.path.join(ROOT, step)], env=environment, check=True, stdout=subprocess.DEVNULL)

    def _cluster(self, command, *arguments):
        return subprocess.run(
            [os.path.join(ROOT, "db/cluster"), command, *self.arguments, *arguments],
            check=True, stdout=subprocess.PIPE, text=True).stdout

    def start(self):
        self._cluster("start", "--unsafe")
        words = shlex.split(self._cluster("env"))
        self.environment = dict(word.split("=", 1) for word in words)
        self.url = self.environment["DATABASE_URL"]

    def stop(self, immediate=False):
        self._cluster("stop", *(["--immediate"] if immediate else []))

    def destroy(self):
        self._cluster("destroy")
        os.rmdir(self.folder)

    def query(self, sql, database="ringpost"):
        """The answer to one statement as text, columns by '|', rows by lines; as the superuser."""
        return subprocess.run(
            [os.path.join(ROOT, "db/cluster"), "psql", *self.arguments, "--", "-qAt", "-c", sql],
            env={**os.environ, "PGDATABASE": database}, check=True, stdout=subprocess.PIPE, text=True,
        ).stdout.rstrip("\n")

    def session(self):
        """A psql of its own, to be fed statements: for locks."""
        return subprocess.Popen(
            [os.path.join(ROOT, "db/cluster"), "psql", *self.arguments, "--", "-qAt"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def lock_users(self):
        """A session that holds up whoever reads users, until it rolls back."""
        lock = self.session()
        lock.stdin.write("begin; lock table users in access exclusive mode; select 'locked';\n")
        lock.stdin.flush()
        assert lock.stdout.readline() == "locked\n"
        return lock

    @contextlib.contextmanager
    def runs_for_each_row(self, body, *tables):
        """Whoever reads a row of these tables runs the statements of `body`, in its own session: by a policy, which does
        not bind their owner; so they are postgres's meanwhile."""
        self.query(f"create function called() returns boolean language plpgsql as $$ begin {body} return true; end $$")
        try:
            for table in tables:
                self.query(f"alter table {table} owner to postgres")
                self.query(f"grant select on {table} to ringpost")
                self.query(f"create policy called on {table} using (public.called())")
                self.query(f"alter table {table} enable row level security")
            yield
        finally:
            for table in tables:
                self.query(f"alter table {table} disable row level security")
                self.query(f"drop policy if exists called on {table}")
                self.query(f"alter table {table} owner to ringpost")
            self.query("drop function called")

    def backends(self):
        """Process ids of the server program's connections."""
        rows = self.query("select pid from pg_stat_activity where application_name = 'ringpost'")
        return [int(row) for row in rows.split()]

    def users(self):
        """All users in the order of their ids, as the API is to show them."""
        # In hexadecimal: psql drops U+10FFFF from what it prints.
        rows = json.loads(bytes.fromhex(self.query(
            "select encode(convert_to(json_agg(json_build_array(id, email, full_name, age, country_code,"
            " is_active, (extract(epoch from created_at) * 1000000)::bigint) order by id)::text, 'UTF8'),"
            " 'hex') from users")))
        keys = "id", "email", "full_name", "age", "country_code", "is_active", "created_at"
        return [dict(zip(keys, [*row[:-1], rfc3339(row[-1])])) for row in rows]


def rfc3339(microseconds):
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=microseconds)
    return moment.isoformat() + "Z"


def run(cluster, *arguments, **environment):
    """Exit status, standard output, standard error of a start that ends by itself."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PG") and k != "DATABASE_URL"}
    done = subprocess.run(
        [PROGRAM, *arguments], env={**clean, "DATABASE_URL": cluster.url, **environment},
        capture_output=True, text=True, timeout=10 * SLOW)
    return done.returncode, done.stdout, done.stderr


class Server:
    """The server program on a free port; `settings` are environment variables."""

    def __init__(self, url, arguments=(), wait=True, **settings):
        self.port = int(settings.pop("PORT", 0)) or free_port()
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        environment.pop("DATABASE_URL", None)
        environment.update(PORT=str(self.port), SHARDS="2", DB_MAX_CONNS="6")
        if SLOW != 1:  # machines that run sanitizers beside other tests have stood still for the two seconds
            environment["REQUEST_TIMEOUT_MS"] = "4000"
        if url is not None:
            environment["DATABASE_URL"] = url
        environment.update({k: str(v) for k, v in settings.items()})
        self._log = tempfile.TemporaryFile("w+")
        self._last_log = None
        self.process = subprocess.Popen(
            [PROGRAM, *arguments], env=environment, stdout=self._log, stderr=self._log,
            stdin=subprocess.DEVNULL)
        if wait:
            self.wait_ready()

    def wait_ready(self, limit_s=10):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}: {self.log()}")
            try:
                return self.get("/readyz").status == 200
            except OSError:
                return False
        eventually(ready, limit_s * SLOW, "/readyz answers 200")

    def wait_listening(self):
        def listening():
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}: {self.log()}")
            try:
                self.connect().close()
                return True
            except OSError:
                return False
        eventually(listening, 10 * SLOW, "the port is open")

    def wait_log(self, text):
        """Its log, once it holds `text`: lines come from a thread of their own."""
        def said():
            if text in self.log():
                return True
            if self.process.poll() is not None and text not in self.log():
                raise AssertionError(f"ended with {self.process.returncode}, and did not say {text}: {self.log()}")
            return False
        eventually(said, 10 * SLOW, f"the log says {text}")
        return self.log()

    def log(self):
        if self._last_log is not None:
            return self._last_log
        self._log.seek(0)
        return self._log.read()

    def stop(self, how=signal.SIGTERM, limit_s=15):
        """Sends a signal and waits; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.ended(limit_s)

    def ended(self, limit_s=15):
        """Waits for the end; the exit status."""
        try:
            return self.process.wait(limit_s * SLOW)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("did not end in time: " + self.log()[-2000:])
        finally:
            if self._last_log is None:
                self._last_log = self.log()
                self._log.close()

    def connect(self, timeout_s=10):
        return Connection(self.port, timeout_s * SLOW)

    def get(self, target, method="GET", headers=()):
        """One request on a connection of its own."""
        with self.connect() as connection:
            return connection.request(target, method, headers)


class Response:
    def __init__(self, status, headers, body, head):
        self.status, self.headers, self.body, self.head = status, headers, body, head

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:200]!r}"


class Connection:
    """An HTTP/1.1 connection that sends what it is told and reads answers strictly."""

    def __init__(self, port, timeout_s=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def request(self, target, method="GET", headers=()):
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *headers, "", ""]
        self.send("\r\n".join(lines).encode("latin-1"))
        return self.read(method)

    def _fill(self):
        data = self.socket.recv(65536)
        self._rest += data
        return bool(data)

    def read(self, method="GET"):
        """The next answer; None when the server has closed between answers."""
        while b"\r\n\r\n" not in self._rest:
            if not self._fill():
                if self._rest:
                    raise AssertionError(f"closed within a head: {self._rest!r}")
                return None
        head, self._rest = self._rest.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        version, status, _ = (lines[0] + " ").split(" ", 2)
        if version != "HTTP/1.1":
            raise AssertionError(f"no HTTP/1.1 status line: {lines[0]!r}")
        headers = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            if name.lower() in headers:
                raise AssertionError(f"{name} twice in {head!r}")
            headers[name.lower()] = value.strip()
        body = b""
        if method != "HEAD" and int(status) >= 200 and status not in ("204", "304"):
            length = int(headers["content-length"])
            while len(self._rest) < length:
                if not self._fill():
                    raise AssertionError(f"closed within a body: {head!r} {self._rest!r}")
            body, self._rest = self._rest[:length], self._rest[length:]
        return Response(int(status), headers, body, head)

    def at_end(self):
        """True when the server has closed and nothing was left to read."""
        try:
            return not self._rest and not self.socket.recv(1)
        except ConnectionResetError:
            return True


class UnixConnection(Connection):
    def __init__(self, path, timeout_s=10):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout_s)
        self.socket.connect(path)
        self._rest = b""


class Case(unittest.TestCase):
    def assert_unavailable(self, response):
        self.assertEqual((response.status, response.body.decode()), (503, '{"error":"unavailable"}'))
        self.assertEqual(response.headers["retry-after"], "1")
        self.assertEqual(response.headers["content-type"], "application/json")
