"""What idle connections cost: 10,000 of them add less than 40 MiB to the server's memory, and harm nobody."""
import re
import resource
import socket
import sys
import time
import unittest

import stage
from stage import seed_id

IDLE = 10_000
cluster = None


def setUpModule():
    global cluster
    cluster = stage.Cluster(rows=1000)
    unittest.addModuleCleanup(cluster.destroy)


def resident_kib(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))


class Memory(unittest.TestCase):
    def test_idle_connections(self):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        if most < IDLE + 500:
            print(f"SKIPPED: {IDLE} connections need ulimit -n {IDLE + 500}, the limit here is {most}", file=sys.stderr)
            self.skipTest("too few descriptors allowed")
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        server = stage.Server(cluster.url, IDLE_TIMEOUT_MS=600000)
        self.addCleanup(server.stop)
        request = f"GET /users/{seed_id(1)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        # What is allocated once, by the first requests, is not what is measured.
        for _ in range(200):
            server.get("/users/" + seed_id(1))
        before = resident_kib(server)
        connections = []
        try:
            for i in range(IDLE):
                # Source addresses of their own, so that no range of ports runs out.
                connection = socket.create_connection(
                    ("127.0.0.1", server.port), timeout=10, source_address=(f"127.0.0.{2 + i % 8}", 0))
                connections.append(connection)
                connection.sendall(request)
            for connection in connections:
                received = b""
                while b'"created_at"' not in received:
                    received += connection.recv(4096)
            time.sleep(0.5)
            added_mib = (resident_kib(server) - before) / 1024
            print(f"{IDLE} idle connections add {added_mib:.1f} MiB", file=sys.stderr)
            self.assertLess(added_mib, 40)
            for n in range(1, 100):
                self.assertEqual(server.get("/users/" + seed_id(n)).json()["id"], seed_id(n))
            for connection in connections[::97]:
                connection.sendall(request)
                self.assertTrue(connection.recv(4096).startswith(b"HTTP/1.1 200"))
        finally:
            for connection in connections:
                connection.close()

    def test_steady_under_load(self):
        """Twice the requests, the same memory."""
        server = stage.Server(cluster.url)
        self.addCleanup(server.stop)
        connections = [server.connect() for _ in range(64)]
        for connection in connections:
            self.addCleanup(connection.close)

        def ask(rounds):
            for i in range(rounds):
                for n, connection in enumerate(connections):
                    target = f"/users?limit=200&offset={i}" if n % 16 == 0 else "/users/" + seed_id(1 + (i + n) % 1000)
                    connection.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                for connection in connections:
                    self.assertEqual(connection.read().status, 200)
        ask(200)
        before = resident_kib(server)
        ask(400)
        added_kib = resident_kib(server) - before
        print(f"{400 * 64} requests add {added_kib} KiB", file=sys.stderr)
        self.assertLess(added_kib, 2048)  # 80 bytes a request


if __name__ == "__main__":
    unittest.main()
