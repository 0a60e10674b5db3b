"""The types of proto/pg/values.h against a real PostgreSQL: runs values.cpp (VALUES in the environment) on a cluster."""
import os
import subprocess
import unittest

import stage


class Values(unittest.TestCase):
    def test_each_type(self):
        cluster = stage.Cluster(rows=1)
        self.addCleanup(cluster.destroy)
        cluster.query("create type weather as enum ('fair', 'foul')")
        done = subprocess.run(
            [os.environ["VALUES"], "--gtest_brief=1"], env={**os.environ, **cluster.environment},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("[  PASSED  ]", done.stdout)


if __name__ == "__main__":
    unittest.main()
