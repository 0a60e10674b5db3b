"""The process: its port, its health, its shards, what ends it at start, what it logs."""
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
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
    return stage.run(cluster, *arguments, **environment)


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
        self.assertLess(time.monotonic() - start, 2 + stage.limit(0.5))
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
        for spare in range(4, 20):
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
