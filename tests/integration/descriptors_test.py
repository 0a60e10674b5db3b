"""The descriptors of the process: those that it is started with, and how many it may have."""
import fcntl
import os
import resource
import signal
import subprocess
import tempfile
import time
import unittest

import stage
from stage import seed_id

cluster = None


def setUpModule():
    global cluster
    cluster = stage.Cluster(rows=1000)
    unittest.addModuleCleanup(cluster.destroy)


class Bare(stage.Server):
    """A server whose descriptors and limits are the test's: `how` goes to subprocess.Popen."""

    def __init__(self, how, wait=True, **settings):
        self.port = stage.free_port()
        self._log = how.get("stderr") or tempfile.TemporaryFile("w+")
        self._last_log = None
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        clean.update(PORT=str(self.port), SHARDS="2", DB_MAX_CONNS="6", DATABASE_URL=cluster.url)
        clean.update({k: str(v) for k, v in settings.items()})
        self.process = subprocess.Popen([stage.PROGRAM], env=clean, **{"stderr": self._log, **how})
        if wait:
            self.wait_ready()


def full_pipe():
    """Both ends of a pipe that takes nothing more: the end to read, the end to write."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 512)
    except BlockingIOError:
        pass
    os.set_blocking(writing, True)
    return os.fdopen(reading), os.fdopen(writing, "w")


class StandardDescriptors(unittest.TestCase):
    def test_those_that_are_closed_are_dev_null(self):
        for closed in [2], [1], [0], [0, 1], [0, 1, 2]:
            with self.subTest(closed=closed):
                server = Bare({"preexec_fn": lambda: [os.close(fd) for fd in closed]}, wait=False)
                try:
                    server.wait_ready()
                    for fd in closed:
                        self.assertEqual(os.readlink(f"/proc/{server.process.pid}/fd/{fd}"), "/dev/null")
                    self.assertEqual(server.get("/users/" + seed_id(1)).status, 200)
                finally:
                    status = server.stop()
                self.assertEqual(status, 0)

    def served_with_a_full_pipe_as_log(self, **settings):
        reading, writing = full_pipe()
        self.addCleanup(reading.close)
        self.addCleanup(writing.close)
        server = Bare({"stderr": writing}, **settings)
        server._last_log = "(a pipe)"
        self.addCleanup(server.process.wait)
        self.addCleanup(server.process.kill)
        self.assertEqual(server.get("/users/" + seed_id(1)).status, 200)
        return server

    def test_a_log_that_nobody_reads_holds_up_no_drain(self):
        server = self.served_with_a_full_pipe_as_log()
        start = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - start, stage.limit(4))

    def test_a_log_that_nobody_reads_holds_up_no_second_signal(self):
        server = self.served_with_a_full_pipe_as_log(REQUEST_TIMEOUT_MS=60000)
        with server.connect() as connection:
            lock = cluster.session()
            lock.stdin.write("begin; lock table users in access exclusive mode; select 'locked';\n")
            lock.stdin.flush()
            self.assertEqual(lock.stdout.readline(), "locked\n")
            connection.send(f"GET /users/{seed_id(1)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            time.sleep(0.2)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            self.assertIsNone(server.process.poll())
            start = time.monotonic()
            try:
                self.assertEqual(server.stop(), 128 + signal.SIGTERM)
            finally:
                lock.communicate("rollback;\n")
            self.assertLess(time.monotonic() - start, stage.limit(4))

    def test_a_reason_that_nobody_reads_holds_up_no_end(self):
        server = stage.Server(cluster.url)
        self.addCleanup(server.stop)
        reading, writing = full_pipe()
        with reading, writing:
            failing = subprocess.Popen(
                [stage.PROGRAM], stderr=writing,
                env={**os.environ, "DATABASE_URL": cluster.url, "PORT": str(server.port), "SHARDS": "2",
                     "DB_MAX_CONNS": "1"})
            try:
                self.assertEqual(failing.wait(5 * stage.SLOW), 1)
            finally:
                failing.kill()
                failing.wait()


def limit_of_descriptors(soft, hard):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Descriptors(unittest.TestCase):
    """64 are kept back, 2 for each connection of the database, 6 for each shard; 16 clients of a shard are the least."""

    def test_too_few_are_said_at_start(self):
        for limit, shards, connections, needed in (100, 2, 6, 120), (119, 2, 6, 120), (1000, 4, 1000, 2152):
            with self.subTest(limit=limit):
                done = subprocess.run(
                    [stage.PROGRAM], preexec_fn=limit_of_descriptors(limit, limit), capture_output=True, text=True,
                    timeout=10 * stage.SLOW,
                    env={**os.environ, "DATABASE_URL": cluster.url, "PORT": str(stage.free_port()),
                         "SHARDS": str(shards), "DB_MAX_CONNS": str(connections)})
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                for word in f"ulimit -n is {limit}", f"{needed} descriptors", "raise":
                    self.assertIn(word, done.stderr)

    def test_just_enough_serve(self):
        server = Bare({"preexec_fn": limit_of_descriptors(50, 120)})
        self.addCleanup(server.stop)
        self.assertEqual(server.get("/users/" + seed_id(1)).status, 200)

    def test_more_connections_than_they_allow_are_not_taken(self):
        server = Bare({"preexec_fn": limit_of_descriptors(120, 120)}, MAX_CONNECTIONS=500)
        self.addCleanup(server.stop)
        self.assertRegex(server.wait_log("fewer_connections"), "max_connections=16 wanted=500")
        clients = [server.connect() for _ in range(100)]
        try:  # within the limit, descriptors for PostgreSQL are left
            for client in clients:
                client.send(f"GET /users/{seed_id(1)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            for client in clients:
                self.assertEqual(client.read().status, 200)
        finally:
            for client in clients:
                client.close()
        self.assertNotIn("db_connect_failed", server.log())

    def test_what_they_allow_is_not_warned_of(self):
        server = Bare({"preexec_fn": limit_of_descriptors(120, 120)}, MAX_CONNECTIONS=16)
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("fewer_connections", server.log())


if __name__ == "__main__":
    unittest.main()
