"""What an operator looks at: the log, the access log, --check, doctor, probes."""
import json
import os
import re
import shutil
import subprocess
import unittest

import stage
from stage import seed_id

cluster = None


def setUpModule():
    global cluster
    cluster = stage.Cluster(rows=1000)
    unittest.addModuleCleanup(cluster.destroy)


def lines(log, event):
    return [line for line in log.splitlines() if re.search(rf"\bevent={event}\b|\"event\":\"{event}\"", line)]


class Json(unittest.TestCase):
    def test_each_line_is_an_object(self):
        server = stage.Server(cluster.url, LOG_FORMAT="json", ACCESS_LOG="all", SHARDS=1)
        server.get("/users/" + seed_id(1) + "?x=secret", headers=[
            "X-Request-Id: abc-1", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"])
        server.get('/users/"%00\\x', headers=['X-Request-Id: "quoted"'])
        connection = server.connect()
        connection.send(b"nonsense\r\n\r\n")
        self.assertEqual(connection.read().status, 400)
        connection.close()
        self.assertEqual(server.stop(), 0)
        log = server.log()
        objects = [json.loads(line) for line in log.splitlines()]
        for each in objects:
            self.assertRegex(each["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIn(each["level"], ("info", "warning", "error"))
        listening = next(each for each in objects if each["event"] == "listening")
        self.assertEqual((listening["port"], listening["shards"]), (server.port, 1))
        requests = [each for each in objects if each["event"] == "request" and each["path"] != "/readyz"]
        self.assertEqual(len(requests), 3)
        user, odd, nonsense = requests
        self.assertEqual((user["method"], user["path"], user["status"], user["peer"], user["request_id"], user["trace_id"]),
                         ("GET", "/users/" + seed_id(1), 200, "127.0.0.1", "abc-1", "0af7651916cd43dd8448eb211c80319c"))
        self.assertTrue(0 < user["duration_ms"] < 10000 and user["bytes"] > 100)
        self.assertNotIn("secret", log)
        self.assertEqual((odd["path"], odd["status"]), ('/users/"%00\\x', 400))
        self.assertRegex(odd["request_id"], r"^[0-9a-f]{16}$")
        self.assertEqual((nonsense["method"], nonsense["path"], nonsense["status"]), ("-", "-", 400))

    def test_the_last_word_too(self):
        status, _, err = stage.run(cluster, LOG_FORMAT="json", LISTEN_HOST="nowhere")
        self.assertEqual(status, 1)
        last = json.loads(err.splitlines()[-1])
        self.assertEqual(last["event"], "ended")
        self.assertIn("'nowhere' is no IPv4", last["why"])


class AccessLog(unittest.TestCase):
    def test_one_in_so_many_and_what_failed(self):
        server = stage.Server(cluster.url, ACCESS_LOG="10", SHARDS=1)
        for n in range(100):
            server.get("/users/" + seed_id(1 + n))
        try:
            cluster.query("alter table users rename to others")
            for n in range(3):
                self.assertEqual(server.get("/users/" + seed_id(1 + n)).status, 500)
        finally:
            cluster.query("alter table others rename to users")
        self.assertEqual(server.stop(), 0)
        requests = lines(server.log(), "request")
        good = [line for line in requests if " status=200 " in line]
        self.assertTrue(9 <= len(good) <= 14, good)
        self.assertRegex(good[-1], r"^\S+Z level=info event=request method=GET path=/users/\S+ status=200 duration_ms=\d+\.\d{3}"
                                   r" bytes=\d+ peer=127\.0\.0\.1 request_id=[0-9a-f]{16}$")
        self.assertEqual(len([line for line in requests if " level=error " in line and " status=500 " in line]), 3)

    def test_values(self):
        for value in "0", "-1", "some", "1.5", "":
            status, _, err = stage.run(cluster, ACCESS_LOG=value) if value else (2, "", "--access-log")
            self.assertEqual(status, 2)
            self.assertIn("--access-log", err)


class Check(unittest.TestCase):
    def test_good(self):
        status, out, err = stage.run(cluster, "--check")
        self.assertEqual((status, err), (0, ""))
        self.assertIn("yes  the settings can be used\n", out)
        self.assertIn("yes  a session with PostgreSQL 1", out)
        self.assertRegex(out, r"yes  all \d statements can be prepared")
        self.assertNotIn("NO ", out)

    def test_no_database(self):
        status, out, err = stage.run(cluster, "--check", DATABASE_URL=f"postgresql://u@127.0.0.1:{stage.free_port()}/x")
        self.assertEqual((status, err), (1, ""))
        self.assertRegex(out, r"NO   no session with PostgreSQL: .*refused.*\n     -> start PostgreSQL")

    def test_a_wrong_setting(self):
        status, out, err = stage.run(cluster, "--check", DB_MAX_CONNS="many")
        self.assertEqual((status, out), (2, ""))
        self.assertIn("many is no number", err)


class Doctor(unittest.TestCase):
    def ask(self, **environment):
        status, out, err = stage.run(cluster, "doctor", **environment)
        self.assertEqual(err, "")
        for line in out.splitlines():
            self.assertRegex(line, r"^(yes  |but  |NO   |     -> )\S")
        return status, out

    def test_fit(self):
        status, out = self.ask(SHARDS="1")
        self.assertEqual(status, 0, out)
        for words in ("yes  Linux ", "io_uring: a ring", "io_uring: its operations", "locked memory", "ulimit -n is",
                      "frequency", "PostgreSQL is on this machine too", "a session with PostgreSQL 1", "a round trip takes",
                      "nothing stands between", "DB_MAX_CONNS is 10", "statements can be prepared"):
            self.assertIn(words, out)

    def test_what_has_to_be_done(self):
        status, out = self.ask(SHARDS="1", DB_MAX_CONNS="9999")
        self.assertEqual(status, 1)
        self.assertRegex(out, r"NO   DB_MAX_CONNS is 9999, and PostgreSQL has max_connections \d+")
        try:
            cluster.query("alter table users rename column age to years")
            status, out = self.ask(SHARDS="1")
        finally:
            cluster.query("alter table users rename column years to age")
        self.assertEqual(status, 1)
        self.assertRegex(out, r"NO   the statement find_user can't be used: .*age.*\n     -> the schema is not what")
        try:
            cluster.query("alter table users alter column age type float8")
            status, out = self.ask(SHARDS="1")
        finally:
            cluster.query("alter table users alter column age type int")
        self.assertEqual(status, 1)
        self.assertRegex(out, r"NO   the statement find_user can't be used: .*float8")
        wrong = re.sub(r":[0-9a-f]{32}@", ":wrong@", cluster.url)
        status, out = self.ask(SHARDS="1", DATABASE_URL=wrong)
        self.assertEqual(status, 1)
        self.assertRegex(out, r"NO   no session with PostgreSQL: .*28P01.*\n     -> see user and password")


class Probes(unittest.TestCase):
    def test_the_program_has_a_note_of_each(self):
        if not shutil.which("readelf"):
            self.skipTest("no readelf here")
        notes = subprocess.run(["readelf", "--notes", "--wide", stage.PROGRAM], capture_output=True, text=True, check=True).stdout
        if "stapsdt" not in notes and not os.environ.get("USDT"):
            self.skipTest("built without them")
        names = set(re.findall(r"Provider: ringpost\s+Name: (\w+)", notes))
        self.assertEqual(names, {"accept", "parsed", "sent", "row", "answered"})


if __name__ == "__main__":
    unittest.main()
