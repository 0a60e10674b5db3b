"""The man page and the unit, as they are installed: that the one has every option, and that systemd takes the other."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ["RINGPOST"]


class ManPage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.page = subprocess.run([sys.executable, ROOT / "packaging/man.py", PROGRAM], check=True, stdout=subprocess.PIPE, text=True).stdout
        cls.help = subprocess.run([PROGRAM, "--help"], check=True, stdout=subprocess.PIPE, text=True).stdout

    def test_it_has_every_option_with_its_words(self):
        plain = self.page.replace("\\-", "-").replace("\\e", "\\")
        options = re.findall(r"^ +(?:-\w,)?(--[\w-]+)", self.help, re.MULTILINE)
        self.assertGreater(len(options), 25)
        for option in options:
            self.assertIn(f"\\fB{option}\\fR", plain)
        self.assertIn("\\fB--port\\fR N\nTCP port to listen on\nDefault: 8080. Environment: PORT.\n", plain)
        self.assertIn("\\fB--pin-shards\\fR, \\fB--no-pin-shards\\fR\n", plain)

    def test_it_is_well_formed(self):
        if not shutil.which("groff"):
            self.skipTest("there is no groff")
        done = subprocess.run(["groff", "-man", "-ww", "-Tutf8"], input=self.page, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("SYNOPSIS", re.sub(".\b|\x1b\\[[0-9]*m", "", done.stdout))


@unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd-analyze")
class Unit(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        # The program is not installed here: what is started is the one that was built.
        text = re.sub(r"^ExecStart=\S+", f"ExecStart={PROGRAM}", pathlib.Path(os.environ["UNIT"]).read_text(), flags=re.MULTILINE)
        self.unit = pathlib.Path(folder.name, "ringpost.service")
        self.unit.write_text(text)

    def analyze(self, *words):
        done = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def test_systemd_understands_each_line(self):
        status, told = self.analyze("verify", "--man=no", str(self.unit))
        self.assertEqual([line for line in told.splitlines() if "ringpost" in line], [], told)
        self.assertEqual(status, 0, told)

    def test_it_leaves_little_to_attack(self):
        # Of 0 (nothing) to 10: what is left are the networks it is there for, and what a drop-in may want.
        status, told = self.analyze("security", "--offline=true", "--threshold=20", str(self.unit))
        self.assertEqual(status, 0, told)


if __name__ == "__main__":
    unittest.main()
