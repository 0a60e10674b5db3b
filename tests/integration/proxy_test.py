"""A network before PostgreSQL that is slow, cut, silent or torn: what clients then see, and how soon all is well again."""
import re
import time
import unittest

import stage
from database_test import Load
from proxy import Proxy
from stage import seed_id

cluster = None


def setUpModule():
    global cluster
    cluster = stage.Cluster(rows=1000)
    unittest.addModuleCleanup(cluster.destroy)


class Network(unittest.TestCase):
    """Each answer is the right one or 503 within the deadline of 2 s."""

    def setUp(self):
        self.proxy = Proxy(int(cluster.environment["PGPORT"]))
        self.addCleanup(self.proxy.close)
        self.server = stage.Server(self.proxy.url(cluster.url), DB_MIN_CONNS=6)
        self.addCleanup(self.server.stop)

    def end(self, load):
        """Ends the load; how many were not answered."""
        load.end()
        self.assertEqual(load.problems, [])
        self.assertLess(load.slowest, stage.limit(2.6), "none may hang")
        return sum(status == 503 for _, status in load.seen)

    def assert_well(self):
        """As ever, and with no more sessions than there may be."""
        for n in range(1, 100):
            response = self.server.get("/users/" + seed_id(n))
            self.assertEqual((response.status, response.json().get("id")), (200, seed_id(n)))
        self.assertLessEqual(len(cluster.backends()), 6)

    def test_latency(self):
        with self.proxy.fault(latency_s=0.02, jitter_s=0.02):
            load = Load(self.server)
            time.sleep(1)
            self.assertEqual(self.end(load), 0)
        self.assertGreater(load.slowest, 0.04)
        self.assertGreater(len(load.seen), 30)
        self.assertNotIn("db_connection_lost", self.server.log())

    def test_one_byte_at_a_time(self):
        with self.proxy.fault(piece=1):
            load = Load(self.server, clients=6)
            time.sleep(1 * stage.SLOW)
            self.assertEqual(self.end(load), 0)
            page = self.server.get("/users?limit=20").json()
        self.assertEqual(page, self.server.get("/users?limit=20").json())
        self.assertGreater(len(load.seen), 20)
        self.assertNotIn("db_connection_lost", self.server.log())

    def test_resets_of_all_connections(self):
        """A read that got no answer is asked again elsewhere; only one whose next session was reset too is given up."""
        load = Load(self.server)
        for _ in range(5):
            time.sleep(0.2)
            self.assertGreaterEqual(self.proxy.reset(), 1)
        time.sleep(0.3)
        given_up = self.end(load)
        self.server.wait_log("Connection reset by peer")
        in_flight = sum(map(int, re.findall(r"db_connection_lost.* in_flight=(\d+)", self.server.log())))
        self.assertGreater(in_flight, 5)
        self.assertLess(given_up, in_flight / 3)
        self.assert_well()

    def test_resets_by_chance(self):
        with self.proxy.fault(resets=0.02):
            load = Load(self.server)
            time.sleep(1.5)
        well = time.monotonic()
        time.sleep(1 * stage.SLOW)
        self.end(load)
        self.assertGreater(self.server.log().count("db_connection_lost"), 2)
        self.assertLess(load.last(503) - well, stage.limit(1))
        self.assertGreater(sum(status == 200 for _, status in load.seen), 30)
        self.assert_well()

    def test_a_blackhole_shorter_than_the_deadline(self):
        """What was asked is answered when packets come through again."""
        load = Load(self.server)
        time.sleep(0.3)
        with self.proxy.fault(blackhole=True):
            time.sleep(1)
        time.sleep(0.5)
        self.assertEqual(self.end(load), 0)
        self.assertGreater(load.slowest, 0.9)
        self.assert_well()

    def test_a_blackhole_longer_than_the_deadline(self):
        load = Load(self.server)
        time.sleep(0.3)
        with self.proxy.fault(blackhole=True):
            time.sleep(3)
        well = time.monotonic()
        time.sleep(1.5 * stage.SLOW)
        self.assertGreater(self.end(load), 0)
        self.assertLess(load.last(503) - well, stage.limit(1))
        self.assertGreater(load.last(200), well + 1)
        self.assert_well()

    def test_half_open_connections(self):
        """PostgreSQL has lost all sessions and the server hears nothing of it: silence tells."""
        load = Load(self.server)
        time.sleep(0.3)
        self.assertGreaterEqual(self.proxy.half_open(), 1)
        torn = time.monotonic()
        time.sleep(6 * stage.SLOW)
        self.assertGreater(self.end(load), 0)
        self.assertLess(load.last(503) - torn, stage.limit(5))
        self.assertGreater(load.last(200), torn + 5 * stage.SLOW)
        self.assert_well()


if __name__ == "__main__":
    unittest.main()
