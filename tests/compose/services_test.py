"""That compose.yaml is what the manifests say, and that another contender joins by its folder alone: needs no engine."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Services(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.copy = pathlib.Path(folder.name)
        (self.copy / "loadtest/compose").mkdir(parents=True)
        for name in "compose.yaml", "loadtest/compose/services":
            shutil.copy2(ROOT / name, self.copy / name)
        for path in ROOT.glob("loadtest/twins/*/contender.toml"):
            target = self.copy / path.relative_to(ROOT)
            target.parent.mkdir(parents=True)
            shutil.copy2(path, target)

    def add(self, name, text):
        (self.copy / "loadtest/twins" / name).mkdir()
        (self.copy / "loadtest/twins" / name / "contender.toml").write_text(text)

    def services(self, *options):
        return subprocess.run(["loadtest/compose/services", *options], cwd=self.copy, capture_output=True, text=True)

    def refused(self, words):
        done = self.services()
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(words, done.stderr)

    def test_the_committed_file_is_up_to_date(self):
        done = self.services("--check")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_contender_joins_by_its_folder(self):
        before = (self.copy / "compose.yaml").read_text()
        self.add("new-api", 'name = "new-api"\n[settings]\nMOST = "{connections}"\nSOME = "7"\n[container]\nport = 9999\nread_only = true\n')
        self.assertEqual(self.services("--check").returncode, 1)
        self.assertEqual((self.copy / "compose.yaml").read_text(), before)
        self.assertEqual(self.services().returncode, 0)
        text = (self.copy / "compose.yaml").read_text()
        self.assertIn("""
  new-api:
    <<: *contender
    profiles: [new, all]
    build: {"context": "loadtest/twins/new-api"}
    read_only: true
    environment:
      <<: *contender-environment
      MOST: "${DB_CONNECTIONS:-30}"
      SOME: "7"
    ports: ["${LISTEN:-127.0.0.1}:${NEW_PORT:-9999}:8080"]
""", text)
        self.assertIn("    new-api: {condition: service_healthy, required: false}\n", text)
        self.assertRegex(text, r"  command: \[.*\bnew-api\b.*\]")
        self.assertEqual(self.services("--check").returncode, 0)
        shutil.rmtree(self.copy / "loadtest/twins/new-api")
        self.services()
        self.assertEqual((self.copy / "compose.yaml").read_text(), before)

    def test_what_is_wrong_is_said(self):
        self.add("new-api", 'name = "new-api"\n')
        self.refused("new-api/contender.toml has no container")
        shutil.rmtree(self.copy / "loadtest/twins/new-api")
        self.add("new-api", "[container]\nport = 8082\n")
        self.refused("port 8082 is of more than one contender")

    def test_make_and_the_example_know_each(self):
        example = (ROOT / ".env.example").read_text()
        for line in re.findall(r"\$\{(\w+_PORT:-\d+)\}", (ROOT / "compose.yaml").read_text()):
            self.assertIn(f"#{line.replace(':-', '=')}\n", example)
        for goal in "bench-rust", "up-node", "logs-db":
            done = subprocess.run(["make", "-n", goal], cwd=ROOT, capture_output=True, text=True,
                                  env={name: value for name, value in os.environ.items() if not name.startswith("M")})
            self.assertEqual(done.stdout, "loadtest/compose/containers {} {}\n".format(*goal.split("-")), done.stderr)


if __name__ == "__main__":
    unittest.main()
