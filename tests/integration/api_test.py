"""The API's contract, row by row, over a real PostgreSQL: paths, parameters, bodies to the byte, HEAD, errors."""
import email.utils
import json
import re
import time
import unittest

import stage
from stage import seed_id

cluster = server = users = None


def setUpModule():
    global cluster, server, users
    cluster = stage.Cluster()
    unittest.addModuleCleanup(cluster.destroy)
    # What a session is set to must not show in the answers.
    cluster.query("alter role ringpost set timezone = 'Asia/Kathmandu'")
    cluster.query("alter role ringpost set datestyle = 'German'")
    cluster.query("alter role ringpost set intervalstyle = 'sql_standard'")
    cluster.query("alter role ringpost set extra_float_digits = 0")
    server = stage.Server(cluster.url)
    unittest.addModuleCleanup(server.stop)
    users = cluster.users()


def text_of(value):
    """JSON as the contract wants it: no blanks, no escape that RFC 8259 does not ask for."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def with_lower_escapes(body):
    """RFC 8259 leaves the case of \\u001f's digits open."""
    return re.sub(r"\\u00[0-9A-F]{2}", lambda found: found.group().lower(), body.decode())


class Contract(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.connection = server.connect()
        self.addCleanup(self.connection.close)

    def get(self, target, method="GET", headers=()):
        return self.connection.request(target, method, headers)

    def assert_answer(self, response, status, body):
        self.assertEqual((response.status, response.body.decode()), (status, body))
        self.assertEqual(response.headers["content-type"], "application/json")


class Health(Contract):
    def test_healthz(self):
        self.assert_answer(self.get("/healthz"), 200, '{"status":"ok"}')

    def test_readyz(self):
        self.assert_answer(self.get("/readyz"), 200, '{"status":"ok"}')

    def test_query_is_ignored(self):
        self.assert_answer(self.get("/healthz?a=1&limit=x"), 200, '{"status":"ok"}')
        self.assert_answer(self.get("/readyz?limit=0"), 200, '{"status":"ok"}')


class OneUser(Contract):
    def test_first_user_is_the_contracts_example(self):
        self.assert_answer(
            self.get("/users/b4a46417-ee17-348f-91fd-42c29e366670"), 200,
            '{"id":"b4a46417-ee17-348f-91fd-42c29e366670","email":"user1@example.com","full_name":"User 1",'
            '"age":25,"country_code":"US","is_active":true,"created_at":"2026-01-31T08:00:00Z"}')

    def test_special_users_to_the_byte(self):
        by_id = {user["id"]: user for user in users}
        for n in range(1, 121):
            with self.subTest(n=n):
                response = self.get("/users/" + seed_id(n))
                self.assertEqual(response.status, 200)
                self.assertEqual(with_lower_escapes(response.body), text_of(by_id[seed_id(n)]))

    def test_control_characters_are_escaped_and_nothing_else(self):
        body = self.get("/users/" + seed_id(15)).body.decode()
        name = re.search(r'"full_name":"(.*)","age"', body).group(1)
        self.assertEqual(
            name.lower(),
            r"\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f\u0010")

    def test_fractions(self):
        for n, expected in [
            (71, "2000-01-01T00:00:00Z"),
            (72, "1999-12-31T23:59:59.999999Z"),
            (73, "1970-01-01T00:00:00Z"),
            (74, "1969-12-31T23:59:59.500000Z"),
            (75, "2024-02-29T12:00:00.000001Z"),
            (76, "2100-02-28T23:59:59.100000Z"),
            (77, "1900-03-01T00:00:00Z"),
            (78, "0001-01-01T00:00:00Z"),
            (79, "9999-12-31T23:59:59.999999Z"),
        ]:
            with self.subTest(n=n):
                self.assertEqual(self.get("/users/" + seed_id(n)).json()["created_at"], expected)

    def test_numbers_and_padding(self):
        self.assertEqual(self.get("/users/" + seed_id(61)).json()["age"], 2147483647)
        self.assertEqual(self.get("/users/" + seed_id(62)).json()["age"], -2147483648)
        self.assertEqual(self.get("/users/" + seed_id(97)).json()["country_code"], "X ")
        self.assertEqual(self.get("/users/" + seed_id(64)).json()["country_code"], "ÄÖ")

    def test_either_case_and_escapes(self):
        plain = self.get("/users/" + seed_id(4))
        self.assertEqual(plain.status, 200)
        mixed = "".join(c.upper() if i % 2 else c for i, c in enumerate(seed_id(4)))
        escaped = "".join(f"%{ord(c):02x}" for c in seed_id(4))
        for spelling in seed_id(4).upper(), mixed, escaped, seed_id(4).replace("-", "%2D"):
            with self.subTest(spelling=spelling):
                self.assert_answer(self.get("/users/" + spelling), 200, plain.body.decode())

    def test_query_is_ignored(self):
        self.assertEqual(self.get("/users/" + seed_id(4) + "?limit=0&x").status, 200)

    def test_unknown(self):
        for spelling in ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
                         "123e4567-e89b-12d3-a456-426614174000"):
            with self.subTest(spelling=spelling):
                self.assert_answer(self.get("/users/" + spelling), 404, '{"error":"not_found"}')

    def test_invalid(self):
        good = seed_id(1)
        for spelling in (
            "1", "abc", good[:-1], good + "0", good.replace("-", ""), "{" + good + "}", "g" + good[1:],
            good[:8] + good[9:13] + "--" + good[14:], "-" + good[1:], good[:-1] + "%00", good + "%20",
            "%20" + good, "urn:uuid:" + good, "..", "%2e%2e", "%C3%A9" + good[2:], "0x" + good[2:],
            good[:7] + "-" + good[8:], good.replace("-", "_"), "a" * 2000,
        ):
            with self.subTest(spelling=spelling):
                self.assert_answer(self.get("/users/" + spelling), 400, '{"error":"invalid_id"}')

    def test_malformed_escapes(self):
        for spelling in ("%", "%4", "%zz", "%4z", seed_id(1)[:-1] + "%", seed_id(1) + "%2"):
            with self.subTest(spelling=spelling):
                self.assertEqual(self.get("/users/" + spelling).status, 400)


class Page(Contract):
    def assert_page(self, query, limit, offset):
        response = self.get("/users" + query)
        self.assertEqual(response.status, 200, response)
        self.assertEqual(
            with_lower_escapes(response.body),
            text_of({"items": users[offset:offset + limit], "limit": limit, "offset": offset,
                     "total": len(users)}))

    def test_defaults(self):
        for query in "", "?", "?&", "?x=1", "?LIMIT=3", "?limit[]=3", "?=3":
            with self.subTest(query=query):
                self.assert_page(query, 50, 0)

    def test_every_row_by_pages(self):
        for offset in range(0, len(users), 200):
            self.assert_page(f"?limit=200&offset={offset}", 200, offset)

    def test_limits_and_offsets_at_their_edges(self):
        last = 2**63 - 1
        for query, limit, offset in [
            ("?limit=1", 1, 0), ("?limit=200", 200, 0), ("?offset=0", 50, 0), ("?offset=1", 50, 1),
            ("?limit=0000000000000000000000001", 1, 0), ("?offset=000000000000000000000000007", 50, 7),
            ("?offset=9999", 50, 9999), ("?offset=10000", 50, 10000), ("?offset=10001", 50, 10001),
            ("?limit=200&offset=9900", 200, 9900), (f"?offset={last}", 50, last),
            ("?offset=3&limit=2", 2, 3), ("?a=%20&limit=2&b&offset=3&c=", 2, 3), ("?&&limit=2&&", 2, 0),
            ("?%6cimit=%32", 2, 0), ("?lim%69t=2&%6Fffset=%33", 2, 3),
        ]:
            with self.subTest(query=query):
                self.assert_page(query, limit, offset)

    def test_invalid(self):
        for query, error in [
            *((f"?limit={value}", "limit") for value in (
                "0", "201", "-1", "+1", "1.0", "1e1", "", "%201", "1%20", "+", "x", "0x10", "1,2",
                "99999999999999999999", "18446744073709551617", "4294967297", "%00", "%EF%BC%91", "1;", "1%0A")),
            *((f"?offset={value}", "offset") for value in (
                "-1", "+1", "0.5", "", "%200", "x", "9223372036854775808", "18446744073709551616",
                "99999999999999999999999")),
            ("?limit", "limit"), ("?offset", "offset"), ("?limit=", "limit"),
            ("?limit=1&limit=1", "limit"), ("?limit=1&x&limit=2", "limit"), ("?offset=1&offset=1", "offset"),
            ("?limit=1&%6cimit=1", "limit"),
            ("?limit=1;offset=2", "limit"), ("?offset=1;limit=2", "offset"),
            ("?limit=0&offset=-1", "limit"), ("?offset=-1&limit=0", "limit"), ("?offset=-1&limit=1", "offset"),
        ]:
            with self.subTest(query=query):
                self.assert_answer(self.get("/users" + query), 400, f'{{"error":"invalid_{error}"}}')

    def test_malformed_escapes(self):
        for query in "?limit=%", "?limit=%3", "?limit=%zz", "?x=%", "?%=1", "?offset=1&x=%g1":
            with self.subTest(query=query):
                self.assertEqual(self.get("/users" + query).status, 400)


class Head(Contract):
    def test_same_head_without_a_body(self):
        for target in ("/healthz", "/readyz", "/users", "/users?limit=200&offset=100", "/users?limit=0",
                       "/users/" + seed_id(1), "/users/1", "/users/00000000-0000-0000-0000-000000000000",
                       "/nothing"):
            with self.subTest(target=target):
                get, head = self.get(target), self.get(target, "HEAD")
                self.assertEqual(head.status, get.status)
                self.assertEqual({**head.headers, "date": ""}, {**get.headers, "date": ""})
                self.assertEqual(int(head.headers["content-length"]), len(get.body))
        # Nothing of a body came late.
        self.assertEqual(self.get("/healthz").body, b'{"status":"ok"}')


class OtherMethodsAndPaths(Contract):
    def test_method_not_allowed(self):
        for target in "/healthz", "/readyz", "/users", "/users/" + seed_id(1):
            for method in "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE":
                with self.subTest(method=method, target=target):
                    response = self.get(target, method, ["Content-Length: 0"])
                    self.assert_answer(response, 405, '{"error":"method_not_allowed"}')
                    self.assertEqual(response.headers["allow"], "GET, HEAD")

    def test_not_found(self):
        for target in ("/", "//", "/user", "/usersx", "/Users", "/HEALTHZ", "/healthz/", "/readyz/x",
                       "/users/" + seed_id(1) + "/", "/users/" + seed_id(1) + "/x", "//users", "/healthz%20",
                       "/users/../healthz", "/./healthz", "/../healthz", "/healthz/..", "/healthz%00",
                       "/favicon.ico", "/users;x=1"):
            for method in "GET", "POST", "DELETE":
                with self.subTest(method=method, target=target):
                    response = self.get(target, method, ["Content-Length: 0"])
                    self.assert_answer(response, 404, '{"error":"not_found"}')

    def test_escaped_path(self):
        self.assertEqual(self.get("/%68ealthz").status, 200)
        self.assertEqual(self.get("/%75%73ers?limit=1").status, 200)


class Heads(Contract):
    def test_date_is_now(self):
        date = email.utils.parsedate_to_datetime(self.get("/healthz").headers["date"]).timestamp()
        self.assertLess(abs(time.time() - date), 3)

    def test_content_length_is_the_body(self):
        for target in "/healthz", "/users", "/users/1", "/x":
            response = self.get(target)
            self.assertEqual(int(response.headers["content-length"]), len(response.body))
            self.assertNotIn("transfer-encoding", response.headers)


class Statements(Contract):
    """The rules of comparison: one statement a request, under the server's own name, nothing cached."""

    def test_one_statement_a_request(self):
        cluster.query("select pg_stat_statements_reset()")
        for n in range(1, 21):
            self.get("/users/" + seed_id(n))
        for _ in range(5):
            self.get("/users?limit=10&offset=30")
        rows = cluster.query(
            "select calls, rows from pg_stat_statements s join pg_roles r on r.oid = userid"
            " where rolname = 'ringpost' and query ilike '%from users%' order by calls desc")
        calls = [tuple(map(int, row.split("|"))) for row in rows.split("\n")]
        self.assertEqual([c for c, _ in calls], [20, 5])
        self.assertEqual(calls[0][1], 20)

    def test_a_change_shows_at_once(self):
        target = "/users/" + seed_id(9)
        before = self.get(target).json()
        cluster.query(f"update users set full_name = 'Changed' where id = '{seed_id(9)}'")
        try:
            self.assertEqual(self.get(target).json()["full_name"], "Changed")
        finally:
            cluster.query(f"update users set full_name = 'User 9' where id = '{seed_id(9)}'")
        self.assertEqual(self.get(target).json(), before)

    def test_connections_keep_to_the_budget(self):
        self.assertTrue(1 <= len(cluster.backends()) <= 6, cluster.backends())


if __name__ == "__main__":
    unittest.main()
