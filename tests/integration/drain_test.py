"""How the process ends: what was asked is answered, what hangs is cut off, balancers hear of it before."""
import signal
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


class Drain(unittest.TestCase):
    def test_idle_server_ends_at_once(self):
        server = stage.Server(cluster.url)
        idle = [server.connect() for _ in range(30)]
        for connection in idle[:20]:
            self.assertEqual(connection.request("/healthz").status, 200)
        start = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - start, stage.limit(2))
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
        connection closes between two answers. Of the deadline of a request this says nothing: a machine that stands
        still for two seconds is no fault of the drain."""
        server = stage.Server(cluster.url, REQUEST_TIMEOUT_MS=30000)
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
        self.assertEqual(problems, [], server.log())
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
        self.assertLess(time.monotonic() - start, stage.limit(1))
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
        self.assertLess(time.monotonic() - start, stage.limit(1))

    def test_its_range(self):
        for value in "86400001", "-1", "1.5":
            status, _, err = run(DRAIN_DELAY_MS=value)
            self.assertEqual(status, 2)
            self.assertIn("--drain-delay-ms", err)
        server = stage.Server(cluster.url, DRAIN_DELAY_MS=0)
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("event=leaving", server.log())


if __name__ == "__main__":
    unittest.main()
