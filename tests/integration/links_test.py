"""A second service of the same rooms: examples/links (LINKS in the environment), and the page that walks through it."""
import concurrent.futures
import os
import re
import shutil
import subprocess
import tempfile
import unittest
import unittest.mock

import installed
import stage

FOLDER = os.path.join(stage.ROOT, "examples", "links")
PAGE = os.path.join(stage.ROOT, "docs", "service.md")
cluster = server = None


def setUpModule():
    global cluster, server
    stage.PROGRAM = os.environ["LINKS"]
    cluster = stage.Cluster(rows=1)
    unittest.addModuleCleanup(cluster.destroy)
    subprocess.run([os.path.join(stage.ROOT, "db/migrate"), os.path.join(FOLDER, "migrations")], check=True,
                   env={**os.environ, "DATABASE_URL": cluster.url}, stdout=subprocess.DEVNULL)
    server = stage.Server(cluster.url, CODE_LENGTH=9)
    unittest.addModuleCleanup(server.stop)


def post(body, *headers, target="/links"):
    with server.connect() as connection:
        lines = [f"POST {target} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers, "", ""]
        connection.send("\r\n".join(lines).encode() + body)
        return connection.read()


class Links(unittest.TestCase):
    def make(self, url):
        response = post(url.encode())
        self.assertEqual((response.status, response.json()["target"]), (201, url), response)
        return response.json()["code"]

    def assert_error(self, response, status, error):
        self.assertEqual((response.status, response.json()["error"]), (status, error), response)

    def test_a_link_goes_where_it_was_made_for_and_is_counted(self):
        code = self.make("https://example.com/a?b=c#d")
        self.assertRegex(code, "^[0-9a-z]{9}$")
        for n in range(3):
            self.assertEqual(server.get(f"/links/{code}/visits").json(), {"visits": n})
            response = server.get(f"/links/{code}")
            self.assertEqual((response.status, response.headers["location"], response.body),
                             (302, "https://example.com/a?b=c#d", b""))
        self.assertEqual(server.get(f"/links/{code}", "HEAD").headers["location"], "https://example.com/a?b=c#d")

    def test_visits_at_a_time_are_all_counted(self):
        code = self.make("http://example.com/")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: server.get(f"/links/{code}").status, range(60)))
        self.assertEqual(answers, [302] * 60)
        self.assertEqual(server.get(f"/links/{code}/visits").json(), {"visits": 60})

    def test_what_is_not_there_or_not_allowed(self):
        self.assert_error(server.get("/links/nowhere"), 404, "not_found")
        self.assert_error(server.get("/links/nowhere/visits"), 404, "not_found")
        self.assert_error(server.get("/links/No"), 400, "invalid_code")
        self.assert_error(server.get("/users"), 404, "not_found")
        for url in b"", b"ftp://x", b"https://", b"https://a b", b"https://[a", b'https://"', b"https://a\r\nX: y", "https://é".encode():
            self.assert_error(post(url), 400, "invalid_url")
        self.assert_error(post(b"https://example.com/" + b"x" * 2048), 413, "content_too_large")
        response = server.get("/links", "DELETE")
        self.assert_error(response, 405, "method_not_allowed")
        self.assertEqual(response.headers["allow"], "POST")
        self.assertEqual(server.get("/links/x", "PUT").headers["allow"], "GET, HEAD")

    def test_what_every_service_has(self):
        self.assertEqual(server.get("/healthz").json(), {"status": "ok"})
        paths = server.get("/openapi.json").json()["paths"]
        self.assertEqual(list(paths), ["/links", "/links/{code}", "/links/{code}/visits", "/healthz", "/readyz",
                                       "/metrics", "/openapi.json"])
        self.assertEqual(paths["/links"]["post"]["requestBody"]["content"]["text/plain"]["schema"]["type"], "string")
        self.assertLessEqual({"201", "400", "413", "500", "503"}, set(paths["/links"]["post"]["responses"]))
        metrics = server.get("/metrics").body.decode()
        self.assertIn('http_route="/links/{code}"', metrics)
        self.assertIn('db_query_summary="ping"', metrics)
        self.assertEqual(cluster.query("select count(*) > 0 from pg_stat_activity where application_name = 'links'"), "t")
        self.assertIn("event=listening", server.log())

    def test_its_own_options(self):
        status, out, _ = stage.run(cluster, "--help")
        self.assertEqual(status, 0)
        self.assertTrue(out.startswith("links: short links, counted in PostgreSQL.\n"), out)
        self.assertIn("--code-length", out)
        self.assertEqual(stage.run(cluster, "--version"), (0, "links 1.0.0\n", ""))
        status, _, err = stage.run(cluster, CODE_LENGTH="3")
        self.assertEqual(status, 2)
        self.assertRegex(err, "^links: .*code-length.* from 4 to 32 ")

    def test_without_the_database(self):
        away = stage.Server("postgresql://nobody@127.0.0.1:1/none", wait=False, REQUEST_TIMEOUT_MS=200)
        self.addCleanup(away.stop)
        away.wait_listening()
        for target in "/links/x", "/links/x/visits", "/readyz":
            self.assert_error(away.get(target), 503, "unavailable")


# What docs/service.md says that another route takes: a row, a statement, a handler; a line in each table.
ANOTHER_ROUTE = """
  struct Made {
    std::string day;
    static constexpr auto columns = std::tuple{&Made::day};
  };
  static constexpr auto when_made = read<Made(std::string_view)>(
      "when_made", "select to_char(made_at, 'YYYY-MM-DD') from links where code = $1");

  io::Task<void> made(std::string which, http::Reply reply) {
    auto query = pool().query(when_made, until(reply), which);
    auto rows = co_await query;
    if (!rows) co_return refuse(rows.error(), when_made, std::move(reply));
    const std::optional<Made> found = rows->next();
    if (!found) co_return service::send_not_found(reply);
    send_object(reply, Status::ok, field<"day">(found->day));
  }

"""
STATEMENTS = "  static constexpr std::array<const proto::pg::StatementDescription*, 4> statements{"
ROUTES = "  static constexpr auto routes = std::tuple{\n"


def another_route(text):
    for old, new in [
        (STATEMENTS, ANOTHER_ROUTE + STATEMENTS.replace("4", "5") + "&when_made,"),
        (ROUTES, ROUTES + 'service::get<"/links/{code}/made", &Links::made>({.id = "whenMade", .summary = "When it was made", '
         '.answers = {{{Status::ok, "Then."}, {Status::not_found, "No such link."}}}}, code),'),
    ]:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@unittest.skipUnless("BUILD" in os.environ, "this build is not what others link")
class OutsideThisTree(unittest.TestCase):
    def test_with_another_route_by_what_is_installed(self):
        if shutil.which("pkg-config") is None:
            self.skipTest("there is no pkg-config")
        with tempfile.TemporaryDirectory(prefix="ringpost-service-") as folder:
            flags = installed.flags_of("ringpost-service", os.path.join(folder, "root"))
            with open(os.path.join(FOLDER, "links.cpp"), encoding="utf-8") as example:
                text = another_route(example.read())
            source, program = os.path.join(folder, "mine.cpp"), os.path.join(folder, "mine")
            with open(source, "w", encoding="utf-8") as file:
                file.write(text)
            installed.build(source, program, flags)
            with unittest.mock.patch.object(stage, "PROGRAM", program):
                mine = stage.Server(cluster.url)
            self.addCleanup(mine.stop)
            code = post(b"https://example.com/").json()["code"]
            today = cluster.query("select current_date")
            self.assertEqual(mine.get(f"/links/{code}/made").json(), {"day": today})
            self.assertEqual(mine.get(f"/links/{code}").status, 302)
            self.assertEqual(mine.get("/links/nowhere/made").status, 404)
            self.assertIn("/links/{code}/made", mine.get("/openapi.json").json()["paths"])
            self.assertEqual(mine.stop(), 0)


class Plain(unittest.TestCase):
    """A service without a database, by curl, which knows chunks."""

    @classmethod
    def setUpClass(cls):
        program, stage.PROGRAM = stage.PROGRAM, os.environ["PLAIN"]
        cls.addClassCleanup(setattr, stage, "PROGRAM", program)
        cls.server = stage.Server("nonsense", MAX_BODY_BYTES=3_000_000)
        cls.addClassCleanup(cls.server.stop)

    def curl(self, path, *arguments, body=b""):
        return subprocess.run(["curl", "-sS", *arguments, f"http://127.0.0.1:{self.server.port}{path}"], input=body,
                              stdout=subprocess.PIPE, check=True, timeout=20 * stage.SLOW).stdout

    def test_it_has_no_settings_of_a_database(self):
        status, out, _ = stage.run(cluster, "--help")
        self.assertEqual(status, 0)
        self.assertIn("--max-body-bytes", out)
        self.assertNotIn("db-", out)
        self.assertNotIn("DATABASE_URL", out)
        self.assertNotIn("db_", self.server.get("/metrics").body.decode())
        self.assertNotIn("database", self.server.log())
        self.assertEqual(self.server.get("/readyz").json(), {"status": "ok"})

    def test_bodies_and_answers_in_pieces(self):
        body = os.urandom(2_000_000)
        self.assertEqual(self.curl("/echo", "-T", "-", body=body), body)
        with self.server.connect() as connection:
            connection.send(b"PUT /echo HTTP/1.0\r\nContent-Length: 5\r\n\r\n12345")
            with connection.socket.makefile("rb") as answer:
                self.assertTrue(answer.read().endswith(b"\r\n\r\n12345"))
        lines = "".join(f"{n}\n" for n in range(1, 50_001)).encode()
        self.assertEqual(self.curl("/count?last=50000"), lines)
        self.assertEqual(self.curl("/count?last=50000", "-0"), lines)
        self.assertIn(b"Transfer-Encoding: chunked", self.curl("/count?last=3", "-I"))
        self.assertEqual(self.server.get("/count", "OPTIONS").headers["allow"], "GET, HEAD, OPTIONS")

    def test_a_client_that_goes_harms_nobody(self):
        for _ in range(20):
            with self.server.connect() as connection:
                connection.send(b"GET /count?last=100000 HTTP/1.1\r\nHost: x\r\n\r\n")
                connection.socket.recv(1000)
            with self.server.connect() as connection:
                connection.send(b"PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 5000)
        self.assertEqual(self.curl("/count?last=2"), b"1\n2\n")


class Page(unittest.TestCase):
    def test_its_code_is_the_examples(self):
        """Every ```cpp block, one behind the other, is the program, but for empty lines; ```sql the migration."""
        with open(PAGE, encoding="utf-8") as page:
            text = page.read()
        for language, path in ("cpp", "links.cpp"), ("sql", "migrations/0001_links.sql"):
            blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
            with open(os.path.join(FOLDER, path), encoding="utf-8") as file:
                expected = [line for line in file.read().splitlines() if line]
            self.assertEqual([line for line in "".join(blocks).splitlines() if line], expected)


if __name__ == "__main__":
    unittest.main()
