"""`make scale` as its user has it: the quick run measures each axis, draws it, and measures nothing twice; servers are compared; the load
that is due by the clock is."""
import json
import os
import re
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import xml.etree.ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OPEN_LOOP = os.environ.get("OPEN_LOOP", ROOT / "build/bench/scale/open_loop")


def scale(*words):
    return subprocess.run([ROOT / "tools/scale", *words], cwd=ROOT, capture_output=True, text=True)


class Scale(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.out = Path(folder.name)
        begun = time.monotonic()
        cls.run_ = scale("--quick", "--out", str(cls.out))
        cls.seconds = time.monotonic() - begun
        if cls.run_.returncode != 0:
            raise AssertionError(cls.run_.stdout + cls.run_.stderr)
        cls.records = [json.loads(line) for line in (cls.out / "data/measured.jsonl").read_text().splitlines()]

    def test_each_axis_is_measured_and_sane(self):
        seen = {}
        for record in self.records:
            seen.setdefault(record["axis"], []).append(record)
        self.assertEqual(set(seen), {"capacity", "load", "mixed capacity", "mixed", "clients", "users", "deep", "page", "connections",
                                     "shards", "idle"})
        self.assertNotIn("LEFT OUT", self.run_.stdout)
        for record in self.records:
            if record["axis"] == "idle":
                continue
            with self.subTest(axis=record["axis"], value=record["value"]):
                self.assertGreater(record["rps"], 50)
                self.assertEqual(record["errors"], {})
                self.assertGreater(record["p50_ms"], 0)
                self.assertGreaterEqual(record["p99_ms"], record["p50_ms"])
                for name in "server_us", "postgresql_us":
                    self.assertTrue(1 < record[name] < 100_000, record[name])
                self.assertLess(record["server_cpus"], os.cpu_count() + 0.5)
        large, small = (next(r for r in seen["page"] if r["value"] == n) for n in (200, 1))
        self.assertGreater(large["server_us"], small["server_us"])

    def test_a_fifth_of_a_mixed_load_is_pages_and_lookups_have_their_latency(self):
        capacity = next(r["rps"] for r in self.records if r["axis"] == "mixed capacity")
        for record in self.records:
            if record["axis"] == "mixed":
                with self.subTest(value=record["value"]):
                    self.assertAlmostEqual(record["rps"] / (record["value"] * capacity), 1, delta=0.05)
                    self.assertGreater(record["pages_p50_ms"], record["p50_ms"])  # it has PostgreSQL count all users
                    self.assertGreaterEqual(record["alone_p99_ms"], record["alone_p50_ms"])

    def test_idle_costs_no_cpu_and_little_memory(self):
        for record in self.records:
            if record["axis"] == "idle":
                self.assertLess(record["idle_cpu_ms"], 5.0)  # of a second, with others at work on the machine
                self.assertLess(record["server_kib"], 40)  # few connections: first pages of the server's own count

    def test_plots_show_the_data(self):
        for axis in {r["axis"] for r in self.records} - {"idle", "capacity", "mixed capacity"}:
            with self.subTest(axis=axis):
                text = (self.out / f"{axis}.svg").read_text()
                self.assertLess(len(text), 60_000)
                self.assertNotIn("var(--", text)
                xml.etree.ElementTree.fromstring(text)
                said = {(float(x), metric) for x, metric in re.findall(rf'aria-label="{axis} ([\d.]+) (\w+): ', text)}
                for record in self.records:
                    if record["axis"] == axis:
                        self.assertIn((record["value"], "p99_ms"), said)
                        self.assertIn((record["value"], "server_us"), said)

    def test_the_page_names_every_value(self):
        page = (self.out / "README.md").read_text()
        self.assertTrue(page.startswith("# Scale\n"))
        for svg in self.out.glob("*.svg"):
            self.assertIn(f"]({svg.name})", page)
        self.assertIn("| 20,000 |", page)
        self.assertIn("## Idle", page)
        self.assertRegex(page, r"The lookups' p99 with pages among them is, as part of that alone [^.]*: [\d.]+ at 10 %, [\d.]+ at 50 %\.")

    def test_what_is_measured_is_not_measured_again(self):
        again = scale("--quick", "--out", str(self.out))
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(len((self.out / "data/measured.jsonl").read_text().splitlines()), len(self.records))

    def test_data_of_another_program_is_not_gone_on_with(self):
        run = self.out / "data/run.json"
        kept = run.read_text()
        run.write_text(re.sub(r'"program": "\w+"', '"program": "0"', kept))
        refused = scale("--quick", "--out", str(self.out))
        run.write_text(kept)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("is of another program or machine", refused.stderr)

    def test_an_unknown_axis_is_one_clear_line(self):
        done = scale("--quick", "--out", str(self.out), "--only", "nothing")
        self.assertEqual(done.returncode, 1)
        self.assertIn("scale: no axis is called nothing", done.stderr)

    def test_servers_are_compared_on_the_same_loads(self):
        program = os.environ.get("RINGPOST", str(ROOT / "build/ringpost"))
        done = scale("beside", program, f"{program},DB_MAX_CONNS=1,DB_MIN_CONNS=1", "--rounds", "1", "--seconds", "1",
                     "--clients", "4", "--rates", "200,50%", "--mixed-clients", "4", "--mixed-rates", "100")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for title in "4 clients", "200 lookups/s", "4 clients, mixed", "100 lookups/s and pages":
            with self.subTest(title):
                self.assertEqual(done.stdout.count(f"\n{title}\n"), 1)
        self.assertRegex(done.stdout, r"\n[\d,]+ lookups/s, 50% of [\d,]+\n")
        rows = [line for line in done.stdout.splitlines() if line.startswith(f"| {program}")]
        self.assertEqual([row.rsplit("|", 2)[1] for row in rows], [" 0 "] * 10)  # errors
        self.assertIn(f"{program}: p99 of lookups with pages / alone: ", done.stdout)

    def test_what_is_no_contender_is_one_clear_line(self):
        done = scale("beside", "/nothing", "--clients", "1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("scale: /nothing is neither of loadtest/twins nor a program", done.stderr)
        done = scale("beside", "rust-api,DB_MAX_CONNS", "--clients", "1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("scale: DB_MAX_CONNS in rust-api,DB_MAX_CONNS is no NAME=VALUE", done.stderr)


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


class OpenLoop(unittest.TestCase):
    def load(self, server, seconds, *streams):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "targets").write_text("/users/a\n")
            Path(folder, "others").write_text("/users?limit=20\n")
            words = [f"{name}={folder}/{rest}" for name, rest in (stream.split("=") for stream in streams)]
            done = subprocess.run([OPEN_LOOP, str(server.port), str(seconds), *words], capture_output=True, text=True)
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

    def test_no_stream_is_one_clear_line(self):
        done = subprocess.run([OPEN_LOOP, "1", "1", "lookups"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (1, "open_loop: no stream: lookups\n"))


if __name__ == "__main__":
    unittest.main()
