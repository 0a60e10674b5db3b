"""The process: its options, what stops it at start, how it drains, that nothing stays when it has gone."""
import fcntl
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import stage
from stage import seed_id

cluster = None


def setUpModule():
    global cluster
    cluster = stage.Cluster(rows=1000)
    unittest.addModuleCleanup(cluster.destroy)


def run(*arguments, **environment):
    """Exit status, standard output, standard error of a start that ends by itself."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PG") and k != "DATABASE_URL"}
    done = subprocess.run(
        [stage.PROGRAM, *arguments], env={**clean, "DATABASE_URL": cluster.url, **environment},
        capture_output=True, text=True, timeout=10 * stage.SLOW)
    return done.returncode, done.stdout, done.stderr


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


class Options(unittest.TestCase):
    def test_help(self):
        status, out, err = run("--help")
        self.assertEqual((status, err), (0, ""))
        for word in ("DATABASE_URL", "PORT", "SHARDS", "DB_MAX_CONNS", "DB_MIN_CONNS", "ANSWER_MEMORY_BYTES",
                     "DRAIN_LIMIT_MS", "--port"):
            self.assertIn(word, out)

    def test_version(self):
        status, out, err = run("--version")
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"^ringpost \d+\.\d+\.\d+\n$")

    def test_wrong_settings_are_one_clear_line(self):
        for arguments, environment, word in [
            (["--nonsense"], {}, "nonsense"),
            (["--port", "0"], {}, "port"),
            (["--port", "65536"], {}, "port"),
            (["--port", "x"], {}, "port"),
            ([], {"PORT": "http"}, "port"),
            ([], {"SHARDS": "0"}, "shards"),
            ([], {"SHARDS": "-1"}, "shards"),
            ([], {"DB_MAX_CONNS": "0"}, "conns"),
            ([], {"DB_MAX_CONNS": "many"}, "conns"),
            ([], {"ANSWER_MEMORY_BYTES": "1048575"}, "from 1048576 to 1125899906842624"),
            ([], {"ANSWER_MEMORY_BYTES": "1125899906842625"}, "from 1048576 to 1125899906842624"),
            ([], {"DATABASE_URL": "postgresql://host:port/x"}, "port"),
            ([], {"DATABASE_URL": "postgresql://u@host/x?sslmode=require"}, "TLS"),
            ([], {"DATABASE_URL": "mysql://host/x"}, "DATABASE_URL"),
            ([], {"DATABASE_URL": "host=localhost nonsense=1"}, "nonsense"),
            ([], {"DATABASE_URL": "host='open"}, "DATABASE_URL"),
        ]:
            with self.subTest(arguments=arguments, environment=environment):
                status, out, err = run(*arguments, **environment)
                self.assertNotEqual(status, 0)
                self.assertEqual(out, "")
                self.assertEqual(len(err.splitlines()), 1, err)
                self.assertIn(word.lower(), err.lower())

    def test_numbers_are_decimal_digits_and_nothing_else(self):
        for variable in ("PORT", "SHARDS", "DB_MAX_CONNS", "DB_MIN_CONNS", "DB_PIPELINE_DEPTH", "DB_WAITING",
                         "DB_PACKING_US", "MAX_CONNECTIONS", "MAX_HEAD_BYTES", "ANSWER_MEMORY_BYTES",
                         "REQUEST_TIMEOUT_MS", "DRAIN_LIMIT_MS"):
            option = "--" + variable.lower().replace("_", "-")
            for value in ("010", "0x10", "0b1", "+5", "-5", " 5", "5 ", "5\t", "5.0", "5e2", "1'000", "1_000", "٥",
                          "five", "18446744073709551616", "18446744073709551624", "99999999999999999999999"):
                with self.subTest(variable=variable, value=value):
                    status, out, err = run(**{variable: value})
                    self.assertEqual((status, out), (2, ""))
                    self.assertEqual(len(err.splitlines()), 1, err)
                    self.assertIn(option, err)
                    self.assertIn(f"{value} is no number from", err)
                    self.assertIn("decimal digits only", err)

    def test_the_command_line_wins(self):
        port = stage.free_port()
        server = stage.Server(cluster.url, ["--port", str(port)], wait=False)
        server.port = port
        server.wait_ready()
        self.assertEqual(server.stop(), 0)


class Ports(unittest.TestCase):
    def test_in_use(self):
        for family, address in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"):
            with self.subTest(address=address), socket.socket(family) as other:
                port = stage.free_port()
                other.bind((address, port))
                other.listen()
                status, _, err = run(PORT=str(port))
                self.assertNotEqual(status, 0)
                self.assertEqual(len(err.splitlines()), 1, err)
                self.assertIn(str(port), err)
                self.assertIn("in use", err)

    def test_in_use_by_itself(self):
        server = stage.Server(cluster.url)
        self.addCleanup(server.stop)
        status, _, err = run(PORT=str(server.port))
        self.assertNotEqual(status, 0)
        self.assertIn("in use", err)
        self.assertEqual(server.get("/healthz").status, 200)

    def test_free_again_at_once(self):
        port = stage.free_port()
        for how in signal.SIGTERM, signal.SIGINT, signal.SIGTERM:
            server = stage.Server(cluster.url, PORT=port)
            connections = [server.connect() for _ in range(20)]
            for connection in connections[:10]:
                self.assertEqual(connection.request("/readyz").status, 200)
            self.assertEqual(server.stop(how), 0)
            with socket.socket() as probe:  # without SO_REUSEPORT: nobody else may listen
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
                probe.listen()
            for connection in connections:
                connection.close()

    def test_ipv6_and_ipv4(self):
        server = stage.Server(cluster.url)
        self.addCleanup(server.stop)
        self.assertEqual(server.get("/healthz").status, 200)
        if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
            self.skipTest("no IPv6 here")
        with socket.create_connection(("::1", server.port), 5) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 200"))


class Healthcheck(unittest.TestCase):
    def check(self, **environment):
        """Exit status and what was said."""
        start = time.monotonic()
        status, out, err = run("--healthcheck", **environment)
        self.assertLess(time.monotonic() - start, 2 + 0.5 * stage.SLOW)
        self.assertEqual(out, "")
        self.assertEqual(len(err.splitlines()), 0 if status == 0 else 1, err)
        return status, err

    def test_ready(self):
        for host in "::", "0.0.0.0", "127.0.0.1", "::1":
            with self.subTest(host=host):
                if host == "::1" and not os.path.exists("/proc/net/if_inet6"):
                    self.skipTest("no IPv6 here")
                server = stage.Server(cluster.url, wait=host != "::1", LISTEN_HOST=host)
                if host == "::1":
                    stage.eventually(lambda: "listening" in server.log(), 5 * stage.SLOW, "it listens")
                port = str(server.port)
                stage.eventually(
                    lambda: self.check(PORT=port, LISTEN_HOST=host)[0] == 0, 5 * stage.SLOW, "it is healthy")
                # The other settings are the server's business.
                self.assertEqual(self.check(PORT=port, LISTEN_HOST=host, DATABASE_URL="nonsense"), (0, ""))
                self.assertEqual(server.stop(), 0)

    def test_no_server(self):
        status, err = self.check(PORT=str(stage.free_port()))
        self.assertEqual(status, 1)
        self.assertIn("no connection", err)

    def test_without_database(self):
        server = stage.Server(f"postgresql://u@127.0.0.1:{stage.free_port()}/x", wait=False)
        self.addCleanup(server.stop)
        server.wait_listening()
        status, err = self.check(PORT=str(server.port))
        self.assertEqual(status, 1)
        self.assertIn("503", err)

    def test_a_server_that_is_silent_or_something_else(self):
        for answer, word in (b"", "in time"), (b"HTTP/1.1 2", "in time"), (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"):
            with self.subTest(answer=answer), socket.create_server(("127.0.0.1", 0)) as other:
                accepted = []

                def speak():
                    connection = other.accept()[0]
                    connection.sendall(answer)
                    accepted.append(connection)
                thread = threading.Thread(target=speak)
                thread.start()
                status, err = self.check(PORT=str(other.getsockname()[1]))
                thread.join()
                accepted[0].close()
                self.assertEqual(status, 1)
                self.assertIn(word, err)


class Drain(unittest.TestCase):
    def test_idle_server_ends_at_once(self):
        server = stage.Server(cluster.url)
        idle = [server.connect() for _ in range(30)]
        for connection in idle[:20]:
            self.assertEqual(connection.request("/healthz").status, 200)
        start = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - start, 2 * stage.SLOW)
        for connection in idle:
            self.assertTrue(connection.at_end())
            connection.close()

    def test_what_waits_for_postgresql_is_answered(self):
        server = stage.Server(cluster.url)
        lock = cluster.session()
        self.addCleanup(lock.wait)
        lock.stdin.write("begin; lock table users in access exclusive mode; select 'locked';\n")
        lock.stdin.flush()
        self.assertEqual(lock.stdout.readline(), "locked\n")
        connections = [server.connect() for _ in range(50)]
        for n, connection in enumerate(connections, 1):
            connection.send(f"GET /users/{seed_id(n)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        self.assertIsNone(server.process.poll(), "ended while requests waited")
        with self.assertRaises(OSError):  # takes no new connections
            server.connect(1).request("/healthz").status
        lock.stdin.write("rollback;\n")
        lock.stdin.close()
        for n, connection in enumerate(connections, 1):
            response = connection.read()
            self.assertEqual((response.status, response.json()["id"]), (200, seed_id(n)))
            self.assertEqual(response.headers.get("connection"), "close")
            connection.close()
        self.assertEqual(server.ended(), 0)
        lock.stdout.close()

    def under_load(self, in_flight):
        """16 clients keep `in_flight` requests on the way each; then SIGTERM. Each request sent before it on a
        connection that was accepted must be answered, rightly; those sent after it may be, or the
        connection closes between two answers."""
        server = stage.Server(cluster.url)
        problems, answered, signalled = [], [], []

        def client(seed):
            connection = server.connect()
            sent, got, closing = [], 0, False
            try:
                while not closing:
                    while len(sent) - got < in_flight:
                        n = 1 + (seed * 101 + len(sent)) % 1000
                        connection.send(f"GET /users/{seed_id(n)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                        sent.append((n, time.monotonic()))
                    response = connection.read()
                    if response is None:
                        break
                    if response.status != 200 or response.json()["id"] != seed_id(sent[got][0]):
                        problems.append(f"not the answer to {sent[got]}: {response}")
                    got += 1
                    closing = response.headers.get("connection") == "close"
            except OSError:
                pass
            except AssertionError as error:
                problems.append(str(error))
            connection.close()
            answered.append(got)
            early = [n for n, at in sent[got:] if not signalled or at < signalled[0]]
            if early:
                problems.append(f"{len(early)} requests lost that were sent before the signal")

        clients = [threading.Thread(target=client, args=(i,)) for i in range(16)]
        for thread in clients:
            thread.start()
        time.sleep(0.7)
        signalled.append(time.monotonic())
        status = server.stop()
        for thread in clients:
            thread.join()
        self.assertEqual(problems, [])
        self.assertEqual(status, 0)
        self.assertGreater(min(answered), 0)

    def test_under_load_of_pipelines(self):
        for _ in range(4):
            self.under_load(in_flight=4)

    def test_under_load_of_single_requests(self):
        for _ in range(4):
            self.under_load(in_flight=1)

    def test_a_request_on_its_way_in_is_answered(self):
        server = stage.Server(cluster.url)
        connection = server.connect()
        self.assertEqual(connection.request("/healthz").status, 200)
        connection.send(f"GET /users/{seed_id(5)} HTTP/1.1\r\nHos".encode())
        time.sleep(0.1)
        server.process.send_signal(signal.SIGTERM)
        connection.send(b"t: x\r\n\r\n")
        response = connection.read()
        self.assertIsNotNone(response)
        self.assertEqual(response.json()["id"], seed_id(5))
        self.assertEqual(server.ended(), 0)
        connection.close()

    def test_the_limit_ends_what_hangs(self):
        server = stage.Server(cluster.url, DRAIN_LIMIT_MS=500, REQUEST_TIMEOUT_MS=60000)
        lock = cluster.session()
        lock.stdin.write("begin; lock table users in access exclusive mode; select 'locked';\n")
        lock.stdin.flush()
        self.assertEqual(lock.stdout.readline(), "locked\n")
        connection = server.connect()
        connection.send(f"GET /users/{seed_id(1)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(0.2)
        start = time.monotonic()
        status = server.stop()
        self.assertTrue(0.4 <= time.monotonic() - start <= 3 * stage.SLOW)
        self.assertNotEqual(status, 0)
        lock.communicate("rollback;\n")  # closes its pipes too
        connection.close()

    def test_a_second_signal_ends_at_once(self):
        server = stage.Server(cluster.url, REQUEST_TIMEOUT_MS=60000)
        lock = cluster.session()
        lock.stdin.write("begin; lock table users in access exclusive mode; select 'locked';\n")
        lock.stdin.flush()
        self.assertEqual(lock.stdout.readline(), "locked\n")
        connection = server.connect()
        connection.send(f"GET /users/{seed_id(1)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(0.2)
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        self.assertIsNone(server.process.poll())
        start = time.monotonic()
        self.assertNotEqual(server.stop(signal.SIGINT), 0)
        self.assertLess(time.monotonic() - start, 1 * stage.SLOW)
        lock.communicate("rollback;\n")
        connection.close()


class DrainDelay(unittest.TestCase):
    def test_all_is_served_but_ready_until_the_drain_begins(self):
        server = stage.Server(cluster.url, DRAIN_DELAY_MS=1500, DRAIN_LIMIT_MS=1400, REQUEST_TIMEOUT_MS=60000)
        kept = server.connect()
        self.addCleanup(kept.close)
        self.assertEqual(kept.request("/readyz").status, 200)
        start = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.wait_log("event=leaving")
        stage.eventually(lambda: kept.request("/readyz").status == 503, 1, "/readyz says no")
        while time.monotonic() - start < 1.2:
            for ask in kept.request, server.get:  # the latter on a new connection
                response = ask("/readyz")
                self.assertEqual((response.status, response.json()), (503, {"error": "unavailable"}))
                self.assertEqual(response.headers.get("retry-after"), "1")
                self.assertNotIn("connection", response.headers)
                self.assertEqual(ask("/healthz").status, 200)
                self.assertEqual(ask("/users/" + seed_id(3)).json()["id"], seed_id(3))
            time.sleep(0.05)
        self.assertNotIn("event=draining", server.log())
        self.assertEqual(server.ended(3), 0)
        self.assertGreaterEqual(time.monotonic() - start, 1.5)
        self.assertTrue(kept.at_end())
        self.assertIn("event=draining", server.log())
        self.assertNotIn("drain_limit_reached", server.log())

    def test_a_second_signal_ends_at_once(self):
        server = stage.Server(cluster.url, DRAIN_DELAY_MS=60000)
        server.process.send_signal(signal.SIGTERM)
        server.wait_log("event=leaving")
        start = time.monotonic()
        self.assertEqual(server.stop(), 128 + signal.SIGTERM)
        self.assertLess(time.monotonic() - start, 1 * stage.SLOW)

    def test_its_range(self):
        for value in "86400001", "-1", "1.5":
            status, _, err = run(DRAIN_DELAY_MS=value)
            self.assertEqual(status, 2)
            self.assertIn("--drain-delay-ms", err)
        server = stage.Server(cluster.url, DRAIN_DELAY_MS=0)
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("event=leaving", server.log())


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
        self.assertLess(time.monotonic() - start, 4 * stage.SLOW)

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
            self.assertLess(time.monotonic() - start, 4 * stage.SLOW)

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


class Shards(unittest.TestCase):
    def test_fewer_connections_than_shards(self):
        server = stage.Server(cluster.url, SHARDS=4, DB_MAX_CONNS=2)
        self.addCleanup(server.stop)
        server.wait_log("shards=2")
        for n in range(1, 20):
            self.assertEqual(server.get("/users/" + seed_id(n)).status, 200)
        self.assertLessEqual(len(cluster.backends()), 2)

    def test_as_many_as_affinity_allows(self):
        cpu = min(os.sched_getaffinity(0))
        port = stage.free_port()
        process = subprocess.Popen(
            [stage.PROGRAM], stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {cpu}),
            env={**os.environ, "DATABASE_URL": cluster.url, "PORT": str(port)})
        try:
            self.assertIn("shards=1", process.stderr.readline())
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()

    def test_each_is_pinned_to_its_share_of_the_cores(self):
        cpus = os.sched_getaffinity(0)
        for settings, expected in [
            ({"SHARDS": len(cpus)}, [{cpu} for cpu in sorted(cpus)]),
            ({"SHARDS": 1}, [cpus]),
            ({"SHARDS": len(cpus), "PIN_SHARDS": "false"}, [cpus for _ in cpus]),
        ]:
            with self.subTest(settings=settings):
                server = stage.Server(cluster.url, **settings)
                shards = {}
                for task in pathlib.Path(f"/proc/{server.process.pid}/task").iterdir():
                    name = (task / "comm").read_text().strip()
                    if name.startswith("shard-"):
                        shards[name] = os.sched_getaffinity(int(task.name))
                self.assertEqual([shards[name] for name in sorted(shards)], expected)
                self.assertEqual(server.stop(), 0)

    def test_budget_is_split(self):
        server = stage.Server(cluster.url, SHARDS=2, DB_MAX_CONNS=5, DB_MIN_CONNS=5)
        self.addCleanup(server.stop)
        stage.eventually(lambda: len(cluster.backends()) == 5, 5 * stage.SLOW, "DB_MIN_CONNS are open")


class Failures(unittest.TestCase):
    @unittest.skipIf(stage.SLOW > 1, "a sanitizer needs descriptors itself, to look at memory")
    def test_a_shard_that_can_not_start_ends_the_process_with_its_reason(self):
        """Descriptors run out at one step of the start or another: where, depends on how many are open before."""
        named = 0
        for spare in range(4, 11):
            with self.subTest(spare=spare):
                limit = 300
                opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(limit - 3 - spare)]
                try:
                    for kept in opened:
                        os.set_inheritable(kept, True)
                    done = subprocess.Popen(
                        [stage.PROGRAM], close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                        stderr=subprocess.PIPE, text=True,
                        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
                        env={**os.environ, "DATABASE_URL": cluster.url, "PORT": str(stage.free_port()),
                             "SHARDS": "2", "DB_MAX_CONNS": "2"})
                finally:
                    for kept in opened:
                        os.close(kept)
                try:
                    err = done.communicate(timeout=2 * stage.SLOW)[1]
                except subprocess.TimeoutExpired:  # enough of them, for a start at least
                    done.terminate()
                    done.communicate()
                    continue
                self.assertEqual(done.returncode, 1, err)
                last = err.splitlines()[-1]
                self.assertRegex(last, r"^ringpost: .*(descriptor|open files)")
                named += re.match(r"ringpost: shard-[01]: ended by an error: io_uring", last) is not None
        self.assertGreater(named, 0)

    @unittest.skipIf(stage.SLOW > 1, "a sanitizer's allocator ends the process itself")
    def test_an_error_that_nobody_catches_is_named(self):
        server = stage.Server(cluster.url, SHARDS=1, DB_MAX_CONNS=2, MAX_HEAD_BYTES=1 << 20)
        self.addCleanup(server.process.wait)
        self.addCleanup(server.process.kill)
        pages = int(pathlib.Path(f"/proc/{server.process.pid}/statm").read_text().split()[0])
        space = pages * resource.getpagesize()
        resource.prlimit(server.process.pid, resource.RLIMIT_AS, (space, space))
        connections = []
        try:
            for _ in range(300):
                connections.append(server.connect())
                connections[-1].send(b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 900_000)
        except OSError:
            pass
        self.assertEqual(server.ended(5), 1)
        for connection in connections:
            connection.close()
        self.assertRegex(server.log().splitlines()[-1], r"ringpost: shard-0: ended by an error: .*bad_alloc")


def limit_of_descriptors(soft, hard):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Descriptors(unittest.TestCase):
    """64 are kept back, 2 for each connection of the database, 1 for each shard; 16 clients of a shard are the least."""

    def test_too_few_are_said_at_start(self):
        for limit, shards, connections, needed in (100, 2, 6, 110), (109, 2, 6, 110), (1000, 4, 1000, 2132):
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
        server = Bare({"preexec_fn": limit_of_descriptors(50, 110)})
        self.addCleanup(server.stop)
        self.assertEqual(server.get("/users/" + seed_id(1)).status, 200)

    def test_more_connections_than_they_allow_are_not_taken(self):
        server = Bare({"preexec_fn": limit_of_descriptors(110, 110)}, MAX_CONNECTIONS=500)
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
        server = Bare({"preexec_fn": limit_of_descriptors(110, 110)}, MAX_CONNECTIONS=16)
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("fewer_connections", server.log())


class Log(unittest.TestCase):
    def test_one_line_per_event_and_none_per_request(self):
        server = stage.Server(cluster.url)
        for n in range(1, 50):
            server.get("/users/" + seed_id(n))
            server.get("/users/x")
        before = server.log()
        self.assertEqual(server.stop(), 0)
        self.assertLess(len(before.splitlines()), 12, before)
        self.assertNotIn("/users", before)
        password = re.search(r":([0-9a-f]{32})@", cluster.url).group(1)
        self.assertNotIn(password, server.log())
        for line in server.log().splitlines():
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z level=\w+ event=\w+")


if __name__ == "__main__":
    unittest.main()
