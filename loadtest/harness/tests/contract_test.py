"""loadtest/contract as its user has it, against a server that keeps the contract and one that does not; and what it calls different."""
import os
import subprocess
import sys
import tempfile
import unittest
from email.message import Message
from pathlib import Path

from loadtest.harness import contender, contract, database, fairness

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = os.path.abspath(os.environ.get("RINGPOST", ROOT / "build/ringpost"))
PROXY = str(Path(__file__).with_name("bad_proxy.py"))


class Differences(unittest.TestCase):
    def seen(self, status=200, body=b'{"error":"x"}', method="GET", expected=200, value={"error": "x"}, **fields):
        head = Message()
        for name, text in {"Content_Type": "application/json", **fields}.items():
            head[name.replace("_", "-")] = text
        return contract.difference((status, head, body), expected, value, method)

    def test_what_is_different(self):
        self.assertIsNone(self.seen())
        self.assertIsNone(self.seen(Content_Type="application/json; charset=utf-8"))
        self.assertEqual(self.seen(404), ("200", "404"))
        self.assertEqual(self.seen(Content_Type="text/plain"), ("application/json", "text/plain"))
        self.assertEqual(self.seen(body=b'{"error":"y"}'), ('error "x"', '"y"'))
        self.assertEqual(self.seen(body=b"{"), ("JSON", "b'{'"))
        self.assertEqual(self.seen(body=b'{"error":"x"}', method="HEAD"), ("no body", '"{\\"error\\":\\"x\\"}"'))
        self.assertIsNone(self.seen(body=b"", method="HEAD"))

    def test_405_says_what_is_allowed(self):
        self.assertEqual(self.seen(405, expected=405), ("Allow: GET, HEAD", "no Allow"))
        self.assertEqual(self.seen(405, expected=405, Allow="GET"), ("Allow: GET, HEAD", "GET"))
        self.assertIsNone(self.seen(405, expected=405, Allow="HEAD,GET"))

    def test_what_a_stack_refuses_itself_keeps_its_class(self):
        self.assertIsNone(self.seen(400, b"Bad Request", expected=400, value=None, Content_Type="text/plain"))
        self.assertEqual(self.seen(500, expected=400, value=None), ("4xx", "500"))


class Program(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.database = database.Database(ROOT, Path(folder.name, "pg"))
        cls.database.renew()
        cls.addClassCleanup(cls.database.destroy)

    def ask(self, *command, url=None):
        port = contender.free_port()
        environment = {**os.environ, "DATABASE_URL": self.database.url, "PORT": str(port), "LOG_LEVEL": "warning"}
        with subprocess.Popen(command, env=environment) as server:
            try:
                return subprocess.run([ROOT / "loadtest/contract", f"http://127.0.0.1:{port}"], env=environment, capture_output=True, text=True)
            finally:
                server.terminate()

    def test_one_that_keeps_it(self):
        done = self.ask(PROGRAM)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"^(\d+) of \1 answers are as the contract and the table have them\n$")

    def test_one_that_does_not(self):
        done = self.ask(sys.executable, PROXY, "full_name", PROGRAM)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stdout, r'(?m)^GET /users/[0-9a-f-]{36}: expected full_name "User \d+"; seen "user \d+"$')
        self.assertRegex(done.stdout, r'(?m)^GET /users: expected items\[0\]\.full_name "User')

    def test_words_that_are_wrong_are_one_clear_line(self):
        for words, said in [(["x"], "not a URL: x"), (["http://127.0.0.1:1", "--psql", "false"], "contract: false: ")]:
            done = subprocess.run([ROOT / "loadtest/contract", *words], capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(said, done.stderr)
            self.assertNotIn("Traceback", done.stderr)

    def test_the_text_has_the_statements_and_as_many_requests_as_are_asked(self):
        text = (ROOT / "docs/contract.md").read_text()
        for _, sql in fairness.LOOKUP, fairness.PAGE:
            self.assertIn(f"```sql\n{sql}\n```", text)
        self.assertIn(f"| the answers | {len(contract.cases(self.database.users()))} good, missing and bad requests", text)

    def test_equal_statements_are_equal_however_they_are_worded(self):
        same = lambda *texts: len({self.database.identifier("uuid", text) for text in texts}) == 1
        lookup = fairness.LOOKUP[1]
        self.assertTrue(same(lookup, lookup.upper(), lookup.replace(" ", "\n"), lookup.replace("from users", "from public.users as u"),
                             lookup.replace("$1", "$1::uuid"), lookup.replace("full_name", "full_name as name")))
        for change in [("full_name, age", "age, full_name"), (", created_at", ""), ("id, email", "id::text, email"), ("id = $1", "id = any(array[$1])"),
                       ("where", "where is_active and"), ("$1", "$1 limit 1")]:
            with self.subTest(change=change):
                self.assertFalse(same(lookup, lookup.replace(*change)))


if __name__ == "__main__":
    unittest.main()
