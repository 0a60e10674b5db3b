"""PROFILE: where the server's time went, by its coroutines, written when it ends."""
import os
import pathlib
import re
import tempfile
import unittest

import stage

cluster = None


def setUpModule():
    global cluster
    cluster = stage.Cluster(rows=1000)
    unittest.addModuleCleanup(cluster.destroy)


class Profile(unittest.TestCase):
    def test_says_which_coroutines_ran_and_what_they_waited_for(self):
        with tempfile.TemporaryDirectory() as parent:
            folder = os.path.join(parent, "made by it")
            server = stage.Server(cluster.url, PROFILE=folder)
            for number in range(1, 301):
                self.assertEqual(server.get(f"/users/{stage.seed_id(number)}").status, 200)
            # A tenth of a second of its own CPU time, some tens of the kernel's ticks: none is missed by chance.
            for _ in range(int(1500 / stage.SLOW)):
                self.assertEqual(server.get("/users?limit=200").status, 200)
            self.assertEqual(server.stop(), 0)
            self.assertEqual(sorted(os.listdir(folder)), ["cpu.folded", "waits.folded", "waits.txt"])
            cpu, waits, table = (pathlib.Path(folder, name).read_text()
                                 for name in ("cpu.folded", "waits.folded", "waits.txt"))
        request = r"http::Listener::run;http::Listener::serve;http::Session::run;app::Routes::get_"
        self.assertRegex(cpu, request + r"page(;[^\n]*)? \d+\n")  # a function below it, where it was not inlined
        self.assertRegex(waits, request + r"user;pg::Query<app::User, proto::pg::Uuid> \d+\n")
        self.assertRegex(waits, request + r"page;pg::Query<app::Listed, long, long> \d+\n")
        self.assertRegex(waits, r"http::Session::run;io::Receiver::Read \d+\n")
        user = re.search(r"^ +300 +([\d.]+) +([\d.]+) +([\d.]+)  .*get_user;pg::Query", table, re.M)
        self.assertIsNotNone(user, table)
        total_ms, p50_us, p99_us = map(float, user.groups())
        self.assertTrue(0 < p50_us <= p99_us, table)
        self.assertGreater(total_ms, 150 * p50_us / 1000 * 0.9, table)  # half of them took so long

    def test_a_folder_that_cant_be_written_is_said(self):
        with tempfile.NamedTemporaryFile() as file:
            server = stage.Server(cluster.url, PROFILE=os.path.join(file.name, "in a file"))
            self.assertEqual(server.stop(), 0)
            self.assertIn("event=profile_not_written", server.log())


if __name__ == "__main__":
    unittest.main()
