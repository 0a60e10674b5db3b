"""An idle process sleeps: no thread of it wakes up, and none uses CPU time, until a client or the database speaks or
a time limit that is written down comes."""
import os
import time
import unittest

import stage
from stage import seed_id

# Longer than the 5 s after which a silent connection to the database might be looked at, and the 10 s of a logger's thread.
IDLE_S, SETTLED_S = 11, 11
cluster = None


def setUpModule():
    global cluster
    cluster = stage.Cluster(rows=100)
    unittest.addModuleCleanup(cluster.destroy)


def activity(server):
    """By thread (name and id): how often it has slept and been woken (voluntary context switches), and its ticks of CPU time."""
    folder = f"/proc/{server.process.pid}/task"
    found = {}
    for task in os.listdir(folder):
        with open(f"{folder}/{task}/status") as status:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in status)
        with open(f"{folder}/{task}/stat") as stat:
            ticks = stat.read().rsplit(")", 1)[1].split()[11:13]
        found[f"{fields['Name']} {task}"] = int(fields["voluntary_ctxt_switches"]), sum(map(int, ticks))
    return found


class Idle(unittest.TestCase):
    # Both at once: most of it is waiting.
    def test_no_thread_wakes_up(self):
        with_connections = stage.Server(cluster.url, DB_MAX_CONNS=30, DB_MIN_CONNS=30)
        self.addCleanup(with_connections.stop)
        stage.eventually(lambda: len(cluster.backends()) == 30, 10, "all connections are open")
        with_clients = stage.Server(cluster.url, IDLE_TIMEOUT_MS=600000, WRITE_TIMEOUT_MS=5000)
        self.addCleanup(with_clients.stop)
        for n in range(1, 101):
            client = with_clients.connect()
            self.addCleanup(client.close)
            self.assertEqual(client.request("/users/" + seed_id(n)).status, 200)
        # The time limits of what has just happened ring once for nothing: that of a send to PostgreSQL after 10 s.
        time.sleep(SETTLED_S)
        before = activity(with_connections), activity(with_clients)
        time.sleep(IDLE_S)
        after = activity(with_connections), activity(with_clients)
        self.assertEqual(after[0], before[0], "with 30 connections to PostgreSQL")
        self.assertEqual(after[1], before[1], "with 100 idle clients")


if __name__ == "__main__":
    unittest.main()
