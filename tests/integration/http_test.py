"""HTTP/1.1 as it comes over a socket: keep-alive, pipelines, splits, bodies, smuggling, limits, deadlines."""
import random
import re
import socket
import time
import unittest

import http_cases
import http_servers
import stage
from stage import seed_id

cluster = server = None
HEALTHY = b'{"status":"ok"}'


def setUpModule():
    global cluster, server
    cluster = stage.Cluster(rows=1000)
    unittest.addModuleCleanup(cluster.destroy)
    server = stage.Server(
        cluster.url, HEAD_TIMEOUT_MS=700, BODY_TIMEOUT_MS=700, IDLE_TIMEOUT_MS=2500, WRITE_TIMEOUT_MS=1500,
        MAX_BODY_BYTES=65536)
    unittest.addModuleCleanup(server.stop)


def get(target="/healthz", *headers):
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: x", *headers, "", ""]).encode("latin-1")


class Http(unittest.TestCase):
    def open(self):
        connection = server.connect()
        self.addCleanup(connection.close)
        return connection

    def answer(self, data, method="GET"):
        connection = self.open()
        connection.send(data)
        return connection.read(method), connection

    def assert_kept(self, connection):
        self.assertEqual(connection.request("/healthz").body, HEALTHY)

    def assert_refused(self, data, status):
        """Answered with the status, and closed: what follows is never taken for a request."""
        connection = self.open()
        connection.send(data + get("/users?limit=1"))
        response = connection.read()
        self.assertIsNotNone(response, "closed without an answer")
        self.assertEqual(response.status, status, response)
        self.assertEqual(response.headers.get("connection"), "close")
        self.assertIsNone(connection.read(), "answered what followed")


class Connections(Http):
    def test_keep_alive(self):
        connection = self.open()
        for _ in range(100):
            self.assert_kept(connection)

    def test_close_is_honoured(self):
        for value in "close", "Close", "x, close", "close, x", "CLOSE":
            with self.subTest(value=value):
                response, connection = self.answer(get("/healthz", "Connection: " + value) + get())
                self.assertEqual((response.status, response.headers["connection"]), (200, "close"))
                self.assertTrue(connection.at_end())

    def test_http_1_0_closes(self):
        response, connection = self.answer(b"GET /healthz HTTP/1.0\r\n\r\n")
        self.assertEqual((response.status, response.body), (200, HEALTHY))
        self.assertTrue(connection.at_end())

    def test_http_1_0_keeps_alive_when_asked(self):
        request = b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        response, connection = self.answer(request)
        self.assertEqual(response.headers["connection"].lower(), "keep-alive")
        connection.send(request)
        self.assertEqual(connection.read().status, 200)

    def test_a_client_that_has_ended_its_side_is_answered(self):
        connection = self.open()
        connection.send(get("/users/" + seed_id(1)) + get("/users/" + seed_id(2)))
        connection.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(connection.read().json()["id"], seed_id(1))
        self.assertEqual(connection.read().json()["id"], seed_id(2))
        self.assertIsNone(connection.read())

    def test_a_client_that_vanishes_harms_nobody(self):
        for _ in range(200):
            connection = server.connect()
            connection.send(get("/users/" + seed_id(random.randint(1, 1000))) * 3)
            if random.random() < 0.5:  # a reset instead of an orderly end
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
        self.assert_kept(self.open())

    def test_empty_lines_before_a_request(self):
        response, connection = self.answer(b"\r\n" + get())
        self.assertEqual(response.status, 200)
        connection.send(b"\r\n" + get())
        self.assertEqual(connection.read().status, 200)


class Pipelines(Http):
    def test_answers_in_order(self):
        requests, expected = [], []
        random.seed(7)
        for _ in range(400):
            n = random.randint(1, 1000)
            kind = random.choice(["user", "health", "missing", "invalid", "page", "head", "post"])
            if kind == "user":
                requests.append(get("/users/" + seed_id(n)))
                expected.append(("GET", 200, seed_id(n)))
            elif kind == "health":
                requests.append(get())
                expected.append(("GET", 200, '"ok"'))
            elif kind == "missing":
                requests.append(get("/users/00000000-0000-0000-0000-000000000000"))
                expected.append(("GET", 404, "not_found"))
            elif kind == "invalid":
                requests.append(get("/users/x"))
                expected.append(("GET", 400, "invalid_id"))
            elif kind == "page":
                requests.append(get(f"/users?limit=3&offset={n}"))
                expected.append(("GET", 200, f'"offset":{n},'))
            elif kind == "head":
                requests.append(get("/users/" + seed_id(n)).replace(b"GET", b"HEAD", 1))
                expected.append(("HEAD", 200, ""))
            else:
                requests.append(b"POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nGET ")
                expected.append(("POST", 405, "method_not_allowed"))
        connection = self.open()
        connection.send(b"".join(requests))
        for i, (method, status, part) in enumerate(expected):
            response = connection.read(method)
            self.assertEqual(response.status, status, (i, response))
            self.assertIn(part, response.body.decode(), i)

    def test_many_connections_each_in_order(self):
        connections = [self.open() for _ in range(60)]
        for round_number in range(10):
            for i, connection in enumerate(connections):
                for n in range(3):
                    connection.send(get("/users/" + seed_id(1 + (i * 31 + round_number * 7 + n) % 1000)))
            for i, connection in enumerate(connections):
                for n in range(3):
                    expected = seed_id(1 + (i * 31 + round_number * 7 + n) % 1000)
                    self.assertEqual(connection.read().json()["id"], expected)


class Splits(Http):
    def test_every_split_of_a_request(self):
        request = (b"POST /users/" + seed_id(3).encode() + b"?a=%41 HTTP/1.1\r\nHost: x\r\n"
                   b"Transfer-Encoding: chunked\r\n\r\n3;e=1\r\nabc\r\n0\r\nT: 1\r\n\r\n")
        connection = self.open()
        for at in range(1, len(request)):
            connection.send(request[:at])
            time.sleep(0.001)
            connection.send(request[at:])
            self.assertEqual(connection.read().status, 405, at)

    def test_byte_by_byte(self):
        connection = self.open()
        for byte in get("/users/" + seed_id(3)):
            connection.send(bytes([byte]))
            time.sleep(0.001)
        self.assertEqual(connection.read().json()["id"], seed_id(3))


class Bodies(Http):
    def test_bodies_are_read_and_dropped(self):
        connection = self.open()
        for request in (
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 57\r\n\r\n" + b"GET /x HTTP/1.1\r\n\r\n" * 3,
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 000005\r\n\r\nabcde",
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"A;x=y;z=\"q\"\r\n0123456789\r\n00\r\nTrailer: t\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n" + b"x" * 65536,
        ):
            connection.send(request)
            response = connection.read()
            self.assertEqual((response.status, response.body), (200, HEALTHY), request[:120])

    def test_too_large(self):
        self.assert_refused(b"POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", 413)
        self.assert_refused(
            b"POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n", 413)

    def test_too_large_in_chunks(self):
        response, connection = self.answer(
            b"POST /users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"8000\r\n" + b"x" * 32768 +
            b"\r\n8001\r\n" + b"x" * 32769 + b"\r\n0\r\n\r\n")
        self.assertEqual(response.status, 413)
        self.assertIsNone(connection.read())

    def test_expect_continue(self):
        connection = self.open()
        connection.send(b"POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        self.assertEqual(connection.read().status, 405)  # at once: what the body is changes nothing
        self.assertIsNone(connection.read())
        connection = self.open()
        connection.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        self.assertEqual(connection.read().status, 100)
        connection.send(b"abc")
        self.assertEqual(connection.read().status, 200)

    def test_expect_something_else(self):
        response, _ = self.answer(b"GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: 200-ok\r\n\r\n")
        self.assertEqual(response.status, 417)


class Smuggling(Http):
    def test_two_readings_of_a_message(self):
        for head in (
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 5",
            "Content-Length: 5\r\nContent-Length: 6",
            "Content-Length: 5, 6",
            "Content-Length: +5", "Content-Length: -5", "Content-Length: 5 5", "Content-Length: 0x5",
            "Content-Length: ", "Content-Length: 5a", "Content-Length: 99999999999999999999999",
            "Content-Length : 5", " Content-Length: 5", "Content-Length\t: 5", "X: 1\r\n Content-Length: 5",
            "X: 1\r\n\tfolded", "Content-Length: 5\nX: y", "X: a\rb", "X: a\x00b", "X\x00: a", "X: a\x7fb",
            "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: \x0bchunked", ": empty", "no colon", "X y: z", "(x): y", "é: y",
        ):
            with self.subTest(head=head):
                data = f"POST /users HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode("latin-1")
                self.assert_refused(data, 400)

    def test_chunks(self):
        for body in (
            b"5\nabcde\r\n0\r\n\r\n", b"5\r\nabcdeX\r\n0\r\n\r\n", b"5\r\nabcde0\r\n\r\n", b"-5\r\nabcde\r\n0\r\n\r\n",
            b"0x5\r\nabcde\r\n0\r\n\r\n", b" 5\r\nabcde\r\n0\r\n\r\n", b"\r\nabcde\r\n0\r\n\r\n", b"g\r\n\r\n",
            b"5;\x00\r\nabcde\r\n0\r\n\r\n", b"5;\r\nabcde\r\n0\r\n\r\n", b"5;a=\"b\r\nabcde\r\n0\r\n\r\n",
            b"5;a \r\nabcde\r\n0\r\n\r\n", b"5\r\nabcde\n0\r\n\r\n", b"5;a\nb\r\nabcde\r\n0\r\n\r\n",
            b"0\r\nX : y\r\n\r\n", b"0\r\n folded\r\n\r\n", b"0\r\nX: y\n\r\n\r\n",
        ):
            with self.subTest(body=body):
                connection = self.open()
                connection.send(
                    b"POST /users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body + get())
                answers = [connection.read()]
                while answers[-1] is not None:
                    answers.append(connection.read())
                # The head may have been answered before the body came; what follows the body may not.
                self.assertIn([a.status for a in answers[:-1]], ([400], [405, 400]), answers)

    def test_size_of_a_chunk_overflows(self):
        for size in b"ffffffffffffffffff", b"10000000000000005":
            response, connection = self.answer(
                b"POST /users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\nabcde\r\n0\r\n\r\n")
            self.assertIn(response.status, (400, 413))
            self.assertIsNone(connection.read())

    def test_transfer_coding_that_is_not_spoken(self):
        for coding, status in ("gzip", 400), ("gzip, chunked", 501), ("identity", 400), ("xchunked", 400):
            with self.subTest(coding=coding):
                self.assert_refused(f"POST /users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {coding}\r\n\r\n".encode(), status)

    def test_transfer_encoding_in_http_1_0(self):
        response, connection = self.answer(
            b"POST /users HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n" + get())
        self.assertEqual(response.status, 400)
        self.assertIsNone(connection.read())


class RequestLines(Http):
    def test_refused(self):
        for line, status in [
            ("GET  /healthz HTTP/1.1", 400), (" GET /healthz HTTP/1.1", 400), ("GET /healthz", 400),
            ("GET /healthz HTTP/1.1 ", 400), ("GET /healthz http/1.1", 400), ("GET /healthz HTTP/1", 400),
            ("GET /healthz HTTP/1.1x", 400), ("GET healthz HTTP/1.1", 400), ("G T /healthz HTTP/1.1", 400),
            ("GET /a\x01b HTTP/1.1", 400), ("GET /a\tb HTTP/1.1", 400), ("GET /a\x7fb HTTP/1.1", 400),
            ("GET /é HTTP/1.1", 400), ("G\x00T / HTTP/1.1", 400), ("(GET) / HTTP/1.1", 400),
            ("GET /healthz HTTP/2.0", 505), ("GET /healthz HTTP/0.9", 505), ("GET /healthz HTTP/3.1", 505),
        ]:
            with self.subTest(line=line):
                self.assert_refused(f"{line}\r\nHost: x\r\n\r\n".encode("latin-1"), status)

    def test_bare_line_feeds(self):
        for data in (b"GET /healthz HTTP/1.1\nHost: x\n\n", b"GET /healthz HTTP/1.1\nHost: x\r\n\r\n",
                     b"GET /healthz HTTP/1.1\r\nHost: x\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\n",
                     b"GET /healthz HTTP/1.1\rHost: x\r\r"):
            with self.subTest(data=data):
                self.assert_refused(data, 400)

    def test_host(self):
        for headers in ("", "Host: a\r\nHost: a\r\n", "Host: a\r\nHost: b\r\n", "Host: a b\r\n", "Host: a/b\r\n",
                        "Host: a, b\r\n", "Host: user@a\r\n", "Host:\r\n", "Host: \r\n"):
            with self.subTest(headers=headers):
                self.assert_refused(f"GET /healthz HTTP/1.1\r\n{headers}\r\n".encode(), 400)
        for host in "localhost", "127.0.0.1:8080", "[::1]", "[::1]:80", "EXAMPLE.com.":
            with self.subTest(host=host):
                response, _ = self.answer(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                self.assertEqual(response.status, 200)

    def test_absolute_form(self):
        for target, status in [
            ("http://localhost/healthz", 200), ("HTTP://x:80/healthz", 200), ("http://x/users?limit=0", 400),
            ("http://x", 404), ("http://x?limit=1", 404),
        ]:
            with self.subTest(target=target):
                response, _ = self.answer(get(target))
                self.assertEqual(response.status, status)

    def test_methods_that_are_unknown(self):
        for method in "BREW", "get", "GETX", "X" * 20:
            with self.subTest(method=method):
                response, _ = self.answer(get().replace(b"GET", method.encode(), 1))
                self.assertIn(response.status, (405, 501))

    def test_connect(self):
        self.assert_refused(b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", 501)
        self.assert_refused(b"CONNECT /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400)

    def test_optional_white_space_around_values(self):
        response, _ = self.answer(b"GET /healthz HTTP/1.1\r\nHost:x\r\nA:\r\nB: \t b \t\r\nC:\xe9\r\n\r\n")
        self.assertEqual(response.status, 200)


class Limits(Http):
    def test_target_too_long(self):
        self.assert_refused(get("/" + "a" * 70000), 414)

    def test_head_too_large(self):
        self.assert_refused(get("/healthz", "X: " + "y" * 70000), 431)
        self.assert_refused(get("/healthz", *(f"X{i}: y" for i in range(9000))), 431)

    def test_a_browsers_head_is_taken(self):
        response, _ = self.answer(get("/healthz", *(f"X-{i}: {'v' * 90}" for i in range(40))))
        self.assertEqual(response.status, 200)


class Deadlines(Http):
    def elapsed(self, connection):
        start = time.monotonic()
        response = connection.read()
        return response, time.monotonic() - start

    def test_a_head_that_does_not_end(self):
        connection = self.open()
        connection.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        response, seconds = self.elapsed(connection)
        self.assertEqual(response.status, 408)
        self.assertTrue(0.5 <= seconds <= 2 * stage.SLOW, seconds)
        self.assertIsNone(connection.read())

    def test_a_head_that_drips(self):
        connection = self.open()
        start = time.monotonic()
        try:
            for byte in get("/healthz", "X: " + "y" * 100):
                connection.send(bytes([byte]))
                time.sleep(0.05)
        except OSError:
            pass
        self.assertLess(time.monotonic() - start, 10)

    def test_a_body_that_does_not_come(self):
        connection = self.open()
        connection.send(b"POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        answers = []
        start = time.monotonic()
        while (response := connection.read()) is not None:
            answers.append(response.status)
        self.assertLess(time.monotonic() - start, stage.limit(4))
        self.assertIn(answers, ([408], [405], [405, 408]))

    def test_idle(self):
        connection = self.open()
        self.assert_kept(connection)
        start = time.monotonic()
        self.assertIsNone(connection.read())
        self.assertTrue(2 <= time.monotonic() - start <= 5 * stage.SLOW)

    def test_a_fresh_connection_that_says_nothing(self):
        connection = self.open()
        start = time.monotonic()
        while connection.read() is not None:
            pass
        self.assertLess(time.monotonic() - start, stage.limit(5))

    def test_a_reader_that_does_not_read(self):
        with open(f"/proc/{server.process.pid}/status") as status:
            before = int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))
        connection = self.open()
        connection.socket.settimeout(0.5)
        sent = 0
        try:
            for _ in range(20000):  # 200 users each: gigabytes, were they all answered
                connection.send(get("/users?limit=200"))
                sent += 1
        except OSError:
            pass
        with open(f"/proc/{server.process.pid}/status") as status:
            after = int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))
        self.assertLess(after - before, 32 * 1024 * stage.SLOW, f"kB more after {sent} requests")
        time.sleep(2.5 * stage.SLOW)  # its write deadline
        connection.socket.settimeout(5)
        try:
            while connection.socket.recv(1 << 20):
                pass
        except ConnectionResetError:
            pass
        self.assert_kept(self.open())


class Cases(unittest.TestCase):
    def test_answers_as_the_page_says(self):
        """docs/http.md has a table of what three servers answer; here ringpost's column. tests/integration/http_servers.py
        --update-ours writes it."""
        written = http_servers.read_table(http_servers.read_page())
        answers = http_servers.ask_all(server.port)
        for group, cases in http_cases.GROUPS.items():
            for case in cases:
                with self.subTest(group=group, case=case.name):
                    self.assertEqual(answers[group][case.name], written[0][group].get(case.name))
        self.assertEqual({group: list(cases) for group, cases in written[0].items()},
                         {group: list(cases) for group, cases in answers.items()}, "the page has other cases")
        self.assertEqual(http_servers.unexplained(written), [])


if __name__ == "__main__":
    unittest.main()
