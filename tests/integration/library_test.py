"""The library as others use it, with a real PostgreSQL: library.cpp (LIBRARY in the environment), the example (EXAMPLE), and
the same, built by g++ from nothing but what `meson install` of BUILD installs and pkg-config says of it."""
import os
import shutil
import tempfile
import unittest

import stage
from installed import build, flags_of, run

EXPECTED = """\
added 3
1 Ada
2 Grace
3 Edsger
PostgreSQL did not answer in time
ERROR 23505: duplicate key value violates unique constraint "people_pkey" (Key (id)=(1) already exists.)
"""


class Library(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = stage.Cluster(rows=1)
        cls.addClassCleanup(cls.cluster.destroy)

    def run_example(self, program):
        self.cluster.query("drop table if exists people", database=self.cluster.environment["PGDATABASE"])
        said = run(program, env={**os.environ, **self.cluster.environment}).splitlines(keepends=True)
        # The three lookups may come by several connections.
        said[1:4] = sorted(said[1:4])
        self.assertEqual("".join(said), EXPECTED)

    def test_what_postgresql_answers(self):
        run(os.environ["LIBRARY"], "--gtest_brief=1", env={**os.environ, **self.cluster.environment})

    def test_example(self):
        self.run_example(os.environ["EXAMPLE"])

    @unittest.skipUnless("BUILD" in os.environ, "this build is not what others link")
    def test_example_with_what_is_installed(self):
        if shutil.which("pkg-config") is None:
            self.skipTest("there is no pkg-config")
        with tempfile.TemporaryDirectory(prefix="ringpost-installed-") as folder:
            flags = flags_of("ringpost", os.path.join(folder, "root"))
            source = shutil.copy(os.path.join(stage.ROOT, "examples", "people.cpp"), folder)
            program = os.path.join(folder, "people")
            build(source, program, flags)
            os.chmod(folder, 0o755)
            self.run_example(program)


if __name__ == "__main__":
    unittest.main()
