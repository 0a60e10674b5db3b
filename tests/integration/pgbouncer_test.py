"""Behind PgBouncer, which lends PostgreSQL's sessions to its clients: for a session, or for a transaction, and then what
one client prepares is seen by the next, and by it no more."""
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
import unittest

import stage
from database_test import Load
from stage import seed_id

# Another release than the distribution's: PGBOUNCER=/path/to/it.
PGBOUNCER = os.environ.get("PGBOUNCER") or shutil.which(
    "pgbouncer", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
cluster = None


def setUpModule():
    if PGBOUNCER is None:
        raise unittest.SkipTest("pgbouncer is not installed")
    global cluster
    cluster = stage.Cluster(rows=1000)
    unittest.addModuleCleanup(cluster.destroy)


class Bouncer:
    """A PgBouncer before the cluster, on a port that it keeps; `settings` are its own."""

    def __init__(self, **settings):
        self.port = stage.free_port()
        target = cluster.environment["PGPORT"]
        folder = os.path.join(cluster.folder, f"pgbouncer-{self.port}")
        os.mkdir(folder)
        self.folder, self.config = folder, os.path.join(folder, "pgbouncer.ini")
        users = os.path.join(folder, "users.txt")
        with open(users, "w") as file:
            file.write(f'"ringpost" "{cluster.environment["PGPASSWORD"]}"\n')
        settings = {"listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": "",
                    "auth_type": "trust", "auth_file": users, "server_login_retry": 0.2, **settings}
        with open(self.config, "w") as file:
            file.write(f"[databases]\nringpost = host=127.0.0.1 port={target} dbname=ringpost\n[pgbouncer]\n")
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())
        self.start()

    def start(self):
        command = [PGBOUNCER, "-q", self.config]
        if os.geteuid() == 0:  # which PgBouncer refuses to be
            command = ["setpriv", "--reuid=nobody", "--clear-groups", *command]
        with open(os.path.join(self.folder, "log"), "a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

        def listens():
            if self.process.poll() is not None:
                raise AssertionError("PgBouncer ended: " + self.log())
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0
        stage.eventually(listens, 5 * stage.SLOW, "PgBouncer listens")

    def log(self):
        with open(os.path.join(self.folder, "log")) as log:
            return log.read()

    def stop(self):
        """At once, whoever is connected."""
        self.process.kill()  # other signals let it wait for its clients, each in other releases
        self.process.wait(10)

    def destroy(self):
        self.stop()
        shutil.rmtree(self.folder)

    def url(self):
        return cluster.url.replace(":" + cluster.environment["PGPORT"], f":{self.port}")


def message(kind, body):
    return kind + struct.pack("!i", len(body) + 4) + body


class OtherProgram:
    """Leaves statements behind in PostgreSQL's sessions, without a name and by ours, that bring another user."""

    SQL = (b"select id, email, full_name, age, country_code, is_active, created_at from users where id <> $1"
           b" order by id limit 1")

    def __init__(self, port):
        self.left = 0
        self._running = True
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._rest = b""
        parameters = b"user\0ringpost\0database\0ringpost\0application_name\0other\0\0"
        self._socket.sendall(struct.pack("!ii", len(parameters) + 8, 3 << 16) + parameters)
        self._until_ready()
        self._thread = threading.Thread(target=self._leave)
        self._thread.start()

    def end(self):
        self._running = False
        self._thread.join()
        self._socket.close()

    def _leave(self):
        named = message(b"C", b"Sfind_user\0") + message(b"P", b"find_user\0" + self.SQL + b"\0\0\1\0\0\x0b\x86")
        unnamed = message(b"P", b"\0" + self.SQL + b"\0\0\1\0\0\x0b\x86")
        while self._running:
            self._socket.sendall(named + unnamed + message(b"S", b""))
            self._until_ready()
            self.left += 1

    def _until_ready(self):
        """Reads to ReadyForQuery."""
        while True:
            while len(self._rest) >= 5:
                size = 1 + struct.unpack("!i", self._rest[1:5])[0]
                if len(self._rest) < size:
                    break
                kind, body, self._rest = self._rest[:1], self._rest[5:size], self._rest[size:]
                if kind == b"E":
                    raise AssertionError(repr(body))
                if kind == b"Z":
                    return
            data = self._socket.recv(65536)
            if not data:
                raise AssertionError("PgBouncer closed")
            self._rest += data


def keeps_statements():
    """From 1.21 on, unless told not to."""
    version = subprocess.run([PGBOUNCER, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return tuple(map(int, version.split()[1].split(".")[:2])) >= (1, 21)


class Pooled(unittest.TestCase):
    def bounce(self, **settings):
        bouncer = Bouncer(**settings)
        self.addCleanup(bouncer.destroy)
        return bouncer

    def serve(self, url, **settings):
        server = stage.Server(url, **settings)
        self.addCleanup(server.stop)
        return server

    def assert_all_answered(self, *loads):
        for load in loads:
            load.end()
        for load in loads:
            self.assertEqual(load.problems, [])
            self.assertEqual(load.last(503), 0)
            self.assertGreater(sum(status == 200 for _, status in load.seen), 30)


class Transactions(Pooled):
    def bounce(self, **settings):
        return super().bounce(pool_mode="transaction", **settings)

    def forgetful(self, **settings):
        return self.bounce(**settings, **({"max_prepared_statements": 0} if keeps_statements() else {}))

    def test_two_programs_whose_sessions_are_mixed(self):
        """Each query may reach another session, with what the other programs have left in it."""
        servers = self.mix(self.forgetful(default_pool_size=5))
        self.assertTrue(any("db_statements_not_kept" in server.log() for server in servers))
        if keeps_statements():
            for server in self.mix(self.bounce(default_pool_size=5)):
                self.assertNotIn("db_statements_not_kept", server.log())

    def mix(self, bouncer):
        servers = [self.serve(bouncer.url(), DB_MAX_CONNS=8, DB_MIN_CONNS=8) for _ in range(2)]
        others = [OtherProgram(bouncer.port) for _ in range(2)]
        loads = [Load(server, clients=8) for server in servers]
        time.sleep(1.2 * stage.SLOW)
        self.assert_all_answered(*loads)
        for other in others:
            other.end()
            self.assertGreater(other.left, 20)
        for server in servers:
            self.assertEqual(server.get("/users?limit=3").status, 200)
            self.assertNotIn("query_failed", server.log())
        return servers

    def test_sessions_that_are_discarded_behind_each_transaction(self):
        """DISCARD ALL takes all statements away, each time."""
        bouncer = self.forgetful(default_pool_size=2, server_reset_query_always=1)
        server = self.serve(bouncer.url())
        load = Load(server, clients=6)
        time.sleep(1 * stage.SLOW)
        self.assert_all_answered(load)
        server.wait_log("db_statements_not_kept")
        self.assertIn("26000", server.log())

    def test_fewer_sessions_than_connections(self):
        bouncer = self.bounce(default_pool_size=1)
        server = self.serve(bouncer.url(), DB_MAX_CONNS=6, DB_MIN_CONNS=6)
        load = Load(server)
        time.sleep(1 * stage.SLOW)
        self.assertEqual(len(cluster.backends()), 1)
        self.assert_all_answered(load)

    def test_a_column_of_another_type(self):
        """Its statement is prepared anew, or described with each answer: no row is read by another's shape."""
        bouncer = self.bounce(default_pool_size=3)
        server = self.serve(bouncer.url(), DB_MAX_CONNS=6, DB_MIN_CONNS=6)
        load = Load(server, clients=8)
        try:
            for kind in "varchar", "text", "varchar":
                time.sleep(0.3)
                cluster.query(f"alter table users alter column full_name type {kind}")
            time.sleep(0.3)
        finally:
            cluster.query("alter table users alter column full_name type text")
        self.assert_all_answered(load)


class Sessions(Pooled):
    def test_two_programs(self):
        bouncer = self.bounce(pool_mode="session", default_pool_size=20)
        servers = [self.serve(bouncer.url()) for _ in range(2)]
        other = OtherProgram(bouncer.port)
        loads = [Load(server, clients=6) for server in servers]
        time.sleep(1 * stage.SLOW)
        self.assert_all_answered(*loads)
        other.end()
        for server in servers:
            self.assertNotIn("db_statements_not_kept", server.log())

    def test_fewer_sessions_than_connections(self):
        """Those that PgBouncer has no session for are given up, one after the other; the others serve."""
        bouncer = self.bounce(pool_mode="session", default_pool_size=2)
        server = self.serve(bouncer.url() + "?connect_timeout=1", SHARDS=1, DB_MAX_CONNS=6, DB_MIN_CONNS=6)
        load = Load(server)
        time.sleep(2.5 * stage.SLOW)
        self.assertLessEqual(len(cluster.backends()), 2)
        self.assert_all_answered(load)


class Restart(Pooled):
    def test_under_load(self):
        for mode in "session", "transaction":
            with self.subTest(mode=mode):
                bouncer = self.bounce(pool_mode=mode, default_pool_size=6)
                server = self.serve(bouncer.url())
                load = Load(server)
                time.sleep(0.4)
                bouncer.stop()
                time.sleep(0.4)
                bouncer.start()
                back = time.monotonic()
                time.sleep(1.5 * stage.SLOW)
                load.end()
                self.assertEqual(load.problems, [])
                self.assertLess(load.slowest, stage.limit(2.6), "none may hang")
                self.assertLess(load.last(503) - back, stage.limit(1))
                self.assertGreater(load.last(200), back + 1)
                self.assertGreater(sum(at < back and status == 200 for at, status in load.seen), 20)
                self.assertEqual(server.stop(), 0)


class Startup(Pooled):
    def test_what_pgbouncer_refuses_is_said(self):
        bouncer = self.bounce(pool_mode="transaction")
        server = stage.Server(bouncer.url() + "?options=-c%20geqo%3Doff", wait=False)
        self.addCleanup(server.stop)
        server.wait_listening()
        self.assertEqual(server.get("/users/" + seed_id(1)).status, 503)
        log = server.wait_log("unsupported startup parameter")
        self.assertIn("ignore_startup_parameters", log)
        self.assertIn("options", log)


if __name__ == "__main__":
    unittest.main()
