"""Where a server listens, and who may connect there: UNIX sockets beside TCP, addresses that are taken, limits."""
import os
import pathlib
import signal
import stat
import tempfile
import unittest

import stage
from stage import seed_id

cluster = None


def setUpModule():
    global cluster
    cluster = stage.Cluster(rows=1000)
    unittest.addModuleCleanup(cluster.destroy)


class UnixSocket(unittest.TestCase):
    def test_beside_tcp_and_in_its_place(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "http.sock")
            for host in f"127.0.0.1,unix:{path}", f"unix:{path}":
                with self.subTest(host=host):
                    server = stage.Server(cluster.url, wait=False, LISTEN_HOST=host, UNIX_SOCKET_MODE="0600")
                    server.wait_log("event=listening")
                    mode = os.stat(path).st_mode
                    self.assertEqual((stat.S_ISSOCK(mode), stat.S_IMODE(mode)), (True, 0o600))
                    for _ in range(10):  # both shards
                        connection = stage.UnixConnection(path)
                        self.assertEqual(connection.request("/users/" + seed_id(3)).json()["id"], seed_id(3))
                        connection.close()
                    status, _, err = stage.run(cluster, "--healthcheck", LISTEN_HOST="unix:" + path)
                    self.assertEqual((status, err), (0, ""))
                    status, _, err = stage.run(cluster, LISTEN_HOST="unix:" + path)
                    self.assertEqual(status, 1)
                    self.assertIn("another process listens there", err)
                    if host.startswith("unix:"):
                        with self.assertRaises(OSError):
                            server.connect(1)
                    self.assertEqual(server.stop(), 0)
                    self.assertFalse(os.path.exists(path))

    def test_at_once_after_one_that_was_killed(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "http.sock")
            for settings in ({"LISTEN_HOST": "unix:" + path}, {"PORT": stage.free_port()},
                             {"PORT": stage.free_port(), "TAKEOVER_SOCKET": os.path.join(folder, "takeover")}):
                with self.subTest(**settings):
                    for _ in range(8):
                        server = stage.Server(cluster.url, wait=False, **settings)
                        server.wait_log("event=listening")
                        server.stop(signal.SIGKILL)
            self.assertTrue(os.path.exists(path), "it had no time to remove it")
            server = stage.Server(cluster.url, wait=False, LISTEN_HOST="unix:" + path)
            server.wait_log("event=listening")
            self.assertEqual(server.stop(), 0)

    def test_what_is_wrong_is_one_line(self):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "file")
            pathlib.Path(file).touch()
            for host, words in [("unix:" + file, "no socket; remove it"), ("unix:", "1 to 107 bytes"), ("127.0.0.1,x", "'x' is no"),
                                ("unix:/" + 110 * "x", "1 to 107 bytes"), ("unix:/nowhere/x", "No such file")]:
                with self.subTest(host=host):
                    status, _, err = stage.run(cluster, LISTEN_HOST=host, PORT=str(stage.free_port()))
                    self.assertEqual((status, len(err.splitlines())), (1, 1), err)
                    self.assertIn(words, err)
        for mode in "660x", "9", "00660", "1777":
            self.assertEqual(stage.run(cluster, UNIX_SOCKET_MODE=mode)[0], 2)


class Addresses(unittest.TestCase):
    def test_the_one_too_many_is_closed_at_once(self):
        server = stage.Server(cluster.url, wait=False, SHARDS=1, MAX_CONNECTIONS_PER_ADDRESS=3)
        server.wait_log("event=listening")
        connections = [server.connect() for _ in range(3)]
        for connection in connections:
            self.assertEqual(connection.request("/healthz").status, 200)
        fourth = server.connect()
        self.assertTrue(fourth.at_end())
        fourth.close()
        metrics = connections[0].request("/metrics").body.decode()
        self.assertIn('ringpost_http_connections_refused_total{shard="0",reason="address_limit"} 1\n', metrics)
        connections.pop().close()

        def served():
            with server.connect() as connection:
                try:
                    response = connection.request("/healthz")
                except OSError:
                    return False
                return response is not None and response.status == 200
        stage.eventually(served, 5, "there is room again")
        for connection in connections:
            connection.close()
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
