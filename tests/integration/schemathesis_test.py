#!/usr/bin/env python3
"""schemathesis makes requests of what /openapi.json says, right and wrong ones, and compares the answers with that: it
finds nothing, of the users API and of examples/links. Its own requests are drawn anew each time; SEED=n repeats them."""
import os
import random
import subprocess
import tempfile
import unittest

import stage

REQUIREMENTS = os.path.join(stage.ROOT, "tests", "integration", "requirements.txt")
EXAMPLES = os.environ.get("EXAMPLES", "100")
cluster = program = folder = None


def setUpModule():
    global cluster, program, folder
    found = subprocess.run([os.path.join(stage.ROOT, "tools/venv"), "schemathesis", REQUIREMENTS],
                           stdout=subprocess.PIPE, text=True)
    if found.returncode != 0:
        raise unittest.SkipTest("schemathesis can't be had")
    program = os.path.join(os.path.dirname(found.stdout.strip()), "schemathesis")
    folder = tempfile.TemporaryDirectory()  # it writes where it runs
    unittest.addModuleCleanup(folder.cleanup)
    cluster = stage.Cluster(rows=300)
    unittest.addModuleCleanup(cluster.destroy)
    subprocess.run([os.path.join(stage.ROOT, "db/migrate"), os.path.join(stage.ROOT, "examples/links/migrations")],
                   check=True, env={**os.environ, "DATABASE_URL": cluster.url}, stdout=subprocess.DEVNULL)


class Schemathesis(unittest.TestCase):
    def assert_nothing_is_found(self, server, *arguments):
        seed = os.environ.get("SEED", str(random.randrange(1 << 32)))
        done = subprocess.run(
            [program, "run", f"http://127.0.0.1:{server.port}/openapi.json", "--checks", "all", "--max-examples", EXAMPLES,
             "--seed", seed, "--no-color", "--phases", "examples,coverage,fuzzing", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1500, cwd=folder.name)
        self.assertEqual(done.returncode, 0, f"SEED={seed}\n{done.stdout}")
        self.assertEqual(server.get("/readyz").status, 200)
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("query_failed", server.log())

    def test_users(self):
        self.assert_nothing_is_found(stage.Server(cluster.url))

    def test_links(self):
        stage.PROGRAM = os.environ["LINKS"]
        # It would follow a link to where that goes.
        self.assert_nothing_is_found(stage.Server(cluster.url), "--exclude-path", "/links/{code}")


if __name__ == "__main__":
    unittest.main()
