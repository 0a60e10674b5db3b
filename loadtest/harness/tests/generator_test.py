"""The load generator, by a server that answers as it is told."""
import json
import socket
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

from loadtest.harness import generators

PROGRAM = generators.program()


class Server:
    """Answers each request on each connection by the next of `answers`, the last again and again; None closes."""

    def __init__(self, case, answers, stall_s=0.0):
        self.answers, self.stall_s, self.asked = list(answers), stall_s, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        case.addCleanup(self.listener.close)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        try:
            while True:
                threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()
        except OSError:
            pass

    def serve(self, connection):
        with connection:
            while request := connection.recv(4096):
                self.asked.append(request)
                if len(self.asked) == 1:
                    time.sleep(self.stall_s)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:
                    return
                for part in answer:
                    connection.sendall(part)
                    time.sleep(0.002 * (len(answer) - 1))


FINE = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]


class Generator(unittest.TestCase):
    def load(self, server, seconds, *streams):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "targets").write_text("/users/a\n")
            Path(folder, "others").write_text("/users?limit=20\n")
            words = [f"{name}={folder}/{rest}" for name, rest in (stream.split("=") for stream in streams)]
            done = subprocess.run([PROGRAM, str(server.port), str(seconds), *words], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_what_was_due_while_the_server_stood_still_has_waited(self):
        server = Server(self, [FINE], stall_s=0.5)
        seen = self.load(server, 1, "lookups=targets,100,1")["lookups"]
        self.assertEqual((seen["due"], seen["answered"], seen["errors"]), (100, 100, {}))
        # 50 were due meanwhile, 10 ms apart: the first waited 500 ms, the last 10 ms. Counted from when they left, 99 took none.
        self.assertTrue(480 < seen["latency_ms"]["max"] < 700, seen)
        self.assertTrue(380 < seen["latency_ms"]["p90"] < 600, seen)
        self.assertLess(seen["latency_ms"]["p50"], 100)
        self.assertGreater(seen["late_ms"]["p90"], 380)  # no connection was free

    def test_requests_are_as_many_as_were_due_and_as_written(self):
        server = Server(self, [FINE])
        seen = self.load(server, 1, "lookups=targets,200,4", "pages=others,50,2")
        self.assertEqual((seen["lookups"]["answered"], seen["pages"]["answered"]), (200, 50))
        self.assertEqual(server.asked.count(b"GET /users/a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), 200)
        self.assertEqual(server.asked.count(b"GET /users?limit=20 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), 50)

    def test_answers_in_pieces_and_names_in_any_case(self):
        pieces = [b"HTTP/1.1 200 OK\r\ncontent-le", b"ngth: 5\r\n\r\nab", b"cde"]
        seen = self.load(Server(self, [pieces]), 1, "lookups=targets,20,1")["lookups"]
        self.assertEqual((seen["answered"], seen["errors"]), (20, {}))
        self.assertGreater(seen["latency_ms"]["p50"], 4)  # the last piece comes 4 ms after the first

    def test_errors_have_their_kind(self):
        busy = [b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"]
        seen = self.load(Server(self, [busy, busy, None, FINE]), 1, "lookups=targets,20,1")["lookups"]
        self.assertEqual(seen["errors"], {"closed": 1, "status 503": 2})
        self.assertEqual(seen["answered"], 19)

    def test_without_a_rate_each_connection_asks_when_it_is_answered(self):
        server = Server(self, [FINE])
        seen = self.load(server, 1, "lookups=targets,0,2")["lookups"]
        self.assertEqual(seen["due"], seen["answered"])
        self.assertGreater(seen["answered"], 500)

    def test_a_user_thinks_before_he_asks_again(self):
        seen = self.load(Server(self, [FINE]), 2, "lookups=targets,0,10,50")["lookups"]
        self.assertEqual(seen["due"], seen["answered"])
        self.assertTrue(300 < seen["answered"] < 410, seen["answered"])  # 10 users, 20 times a second at most, for 2 s
        self.assertLess(seen["latency_ms"]["p50"], 20)  # without what he thought

    def test_half_seconds_are_told_apart(self):
        server = Server(self, [FINE], stall_s=0.25)
        seen = self.load(server, 2, "lookups=targets,200,1")["lookups"]
        self.assertEqual([count for count, _ in seen["windows"]], [100, 100, 100, 100])
        self.assertGreater(seen["windows"][0][1], 150)
        self.assertLess(seen["windows"][3][1], 100)
        self.assertEqual(seen["distribution"][0][0], 0)
        self.assertEqual(seen["distribution"][-1][0], 99.99)

    def test_a_server_that_has_gone_is_errors(self):
        server = Server(self, [FINE, None])
        threading.Timer(0.3, server.listener.close).start()
        server.answers = [FINE] * 20 + [None]
        for stream in ("lookups=targets,100,2", "lookups=targets,0,2"):
            with self.subTest(stream):
                if server.listener.fileno() < 0:
                    server = Server(self, [FINE] * 20 + [None])
                    threading.Timer(0.3, server.listener.close).start()
                seen = self.load(server, 1, stream)["lookups"]
                self.assertGreater(seen["errors"]["connect"], 10)
                self.assertEqual(seen["due"], seen["answered"] + sum(seen["errors"].values()))

    def test_pages_are_a_share_of_the_targets(self):
        ids = [f"id{number}" for number in range(100)]
        with tempfile.TemporaryDirectory() as folder:
            lines = generators.write_targets(f"{folder}/x", ids, 0.2).read_text().splitlines()
            self.assertEqual(lines[:100], [f"/users/{id}" for id in ids])
            self.assertEqual(len(lines), 125)
            for line in lines[100:]:
                self.assertTrue(0 <= int(line.removeprefix("/users?limit=50&offset=")) <= 50, line)
            self.assertEqual(len(generators.write_targets(f"{folder}/x", ids).read_text().splitlines()), 100)

    def test_no_stream_is_one_clear_line(self):
        done = subprocess.run([PROGRAM, "1", "1", "lookups"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (1, "load_generator: no stream: lookups\n"))


if __name__ == "__main__":
    unittest.main()
