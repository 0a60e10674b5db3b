"""Two PostgreSQL, one that streams from the other, and a NAT: what clients see when hosts die, halt, change their roles,
come back, and when connections are forgotten on their way. 200 requests a second, each for a user of its own."""
import contextlib
import random
import threading
import time
import unittest

import replication
import stage
from proxy import Proxy
from stage import seed_id

CONNECTIONS = 6
DEADLINE_S = 2
cluster = primary = standby = None


def setUpModule():
    global cluster, primary, standby
    cluster = stage.Cluster(rows=1000)
    unittest.addModuleCleanup(cluster.destroy)
    primary = replication.Node.of(cluster)
    standby = primary.standby()
    unittest.addModuleCleanup(standby.destroy)


def url(*ports, settings=""):
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"postgresql://ringpost:{cluster.environment['PGPASSWORD']}@{hosts}/ringpost{settings}"


class Load:
    """Clients that ask in a steady rhythm, whatever they are answered; what they saw, with times."""

    def __init__(self, server, clients=20, every_s=0.1):
        self.server, self.every_s, self.running = server, every_s, True
        self.seen, self.problems = [], []
        self._threads = [threading.Thread(target=self._ask, args=(i, clients)) for i in range(clients)]
        for thread in self._threads:
            thread.start()

    def _ask(self, number, clients):
        chance = random.Random(number)
        due = time.monotonic() + number * self.every_s / clients
        with contextlib.closing(self.server.connect()) as connection:
            while self.running:
                time.sleep(max(0, due - time.monotonic()))
                due = max(due + self.every_s, time.monotonic() - self.every_s)
                user = seed_id(chance.randint(1, 1000))
                began = time.monotonic()
                try:
                    response = connection.request("/users/" + user)
                except (OSError, AssertionError) as error:
                    self.problems.append(repr(error))
                    return
                took = time.monotonic() - began
                if response is None or response.status not in (200, 503):
                    self.problems.append(repr(response))
                    return
                if response.status == 200 and response.json()["id"] != user:
                    self.problems.append(f"asked for {user}, got {response.body}")
                if took > stage.limit(DEADLINE_S + 0.5):
                    self.problems.append(f"{response.status} after {took:.1f} s")
                self.seen.append((began, began + took, response.status))

    def end(self):
        self.running = False
        for thread in self._threads:
            thread.join()

    def failed(self, begin=0, end=float("inf")):
        """How many that were asked within these moments got 503."""
        return sum(status == 503 and begin <= asked <= end for asked, _, status in self.seen)

    def answered(self, begin=0, end=float("inf")):
        return sum(status == 200 and begin <= asked <= end for asked, _, status in self.seen)

    def recovered(self, since):
        """Seconds from that moment to the last 503."""
        return max((told - since for _, told, status in self.seen if status == 503), default=0)


class Case(unittest.TestCase):
    def serve(self, address):
        server = stage.Server(address, SHARDS=2, DB_MAX_CONNS=CONNECTIONS)
        self.addCleanup(server.stop)
        load = Load(server)
        self.addCleanup(load.end)
        return server, load

    def assert_well(self, load):
        self.assertEqual(load.problems, [])

    def say(self, what, load, since):
        print(f"{what}: all is well {load.recovered(since):.1f} s after it; {load.failed()} of {len(load.seen)} got 503",
              flush=True)


class Halt(Case):
    def test_one_of_two_hosts_answers_nothing_for_a_while(self):
        _, load = self.serve(url(primary.port, standby.port))
        time.sleep(1)
        self.assertGreater(primary.sessions(), 0)
        go_on = primary.halt()
        halted = time.monotonic()
        try:
            time.sleep(5 * stage.SLOW)
            self.assertLessEqual(standby.sessions(), CONNECTIONS)
        finally:
            go_on()
        time.sleep(1)
        load.end()
        self.say("one of two hosts halted", load, halted)
        self.assert_well(load)
        self.assertLess(load.recovered(halted), stage.limit(5), "the other one answers: two deadlines, and a moment")
        self.assertGreater(load.answered(halted + 4 * stage.SLOW), 50)


class Nat(Case):
    def test_connections_are_forgotten_on_their_way(self):
        proxy = Proxy(primary.port)
        self.addCleanup(proxy.close)
        _, load = self.serve(url(proxy.port))
        time.sleep(1)
        self.assertGreater(proxy.forget(), 0)
        forgotten = time.monotonic()
        time.sleep(4.5)
        load.end()
        self.say("connections forgotten", load, forgotten)
        self.assert_well(load)
        self.assertEqual(load.failed(forgotten + stage.limit(DEADLINE_S)), 0, "all is well within the first deadline")
        self.assertGreater(load.answered(forgotten + DEADLINE_S), 100)


class Promotion(Case):
    """Last, as the two change their roles: unittest runs classes in the order of their names."""

    def test_the_primary_dies_the_standby_is_promoted_and_the_old_one_comes_back(self):
        hosts = primary.port, standby.port
        _, writers = self.serve(url(*hosts, settings="?target_session_attrs=primary&application_name=writers"))
        _, readers = self.serve(url(*hosts, settings="?target_session_attrs=prefer-standby&application_name=readers"))
        time.sleep(0.7)
        self.assert_sessions(primary, writers=True, readers=False)
        self.assert_sessions(standby, writers=False, readers=True)
        primary.crash()
        time.sleep(0.7)
        standby.promote()
        promoted = time.monotonic()
        time.sleep(1)
        returned = standby.standby(port=primary.port)
        self.addCleanup(returned.destroy)
        back = time.monotonic()
        self.assert_sessions(standby, writers=True, readers=True)

        # Readers go to the standby when it has been there for ten seconds; writers stay.
        stage.eventually(lambda: standby.sessions("readers") == 0, 16 * stage.SLOW, "readers have moved")
        moved = time.monotonic()
        time.sleep(1)
        self.assert_sessions(standby, writers=True, readers=False)
        self.assert_sessions(returned, writers=False, readers=True)
        for load in writers, readers:
            load.end()
            self.assert_well(load)
        self.say("primary dead, standby promoted, writers", writers, promoted)
        self.say(f"the old one back, readers moved after {moved - back:.1f} s, readers", readers, promoted)
        self.assertLess(writers.recovered(promoted), stage.limit(2))
        self.assertEqual(readers.failed(), 0, "they were on the standby, and moved without a loss")
        self.assertGreater(writers.answered(back), 250)
        self.assertGreater(readers.answered(back), 250)

    def assert_sessions(self, node, **expected):
        for name, there in expected.items():
            found = node.sessions(name)
            self.assertTrue(1 <= found <= CONNECTIONS if there else found == 0, f"{found} of {name}")


if __name__ == "__main__":
    unittest.main()
