"""The stub beside PostgreSQL: the same bytes are sent to both, and what they answer is compared, message by message."""
import os
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))
import stage  # noqa: E402

STUB = os.environ.get("STUB", os.path.join(ROOT, "build", "loadtest", "stub", "postgres-stub"))
COLUMNS = "id, email, full_name, age, country_code, is_active, created_at"
FIND = f"select {COLUMNS} from users where id = $1"
LIST = ("select page.id, page.email, page.full_name, page.age, page.country_code, page.is_active, page.created_at, "
        f"counted.total from (select count(*) as total from users) as counted left join (select {COLUMNS} from users "
        "order by id limit $1 offset $2) as page on true order by page.id")
# Users that the seed has not: what timestamps may be, too.
MORE_USERS = """insert into users select gen_random_uuid(), moment || '@example.org', moment, 1, 'x', true, moment::timestamptz
from unnest(array['infinity', '-infinity', '4713-01-01 00:00:00+00 BC', '0044-03-15 12:00:00.5+00 BC', '0001-12-31 23:59:59.999999+00 BC',
'0001-01-01 00:00:00+00', '10000-01-01 00:00:00+00', '294276-12-31 23:59:59.999999+00']) moment"""


def text(word):
    return word.encode() + b"\0"


def message(kind, *parts):
    body = b"".join(parts)
    return kind + struct.pack("!i", len(body) + 4) + body


def int16(value):
    return struct.pack("!h", value)


def int32(value):
    return struct.pack("!i", value)


def int64(value):
    return struct.pack("!q", value)


def startup(**parameters):
    body = b"\0\3\0\0" + b"".join(text(word) for pair in parameters.items() for word in pair) + b"\0"
    return int32(len(body) + 4) + body


def parse(name, sql):
    return message(b"P", text(name), text(sql), int16(0))


def bind(name, values=(), formats=(1,), results=(1,), portal=""):
    return message(b"B", text(portal), text(name), int16(len(formats)), *map(int16, formats), int16(len(values)),
                   *[int32(-1) if value is None else int32(len(value)) + value for value in values],
                   int16(len(results)), *map(int16, results))


def describe(kind, name):
    return message(b"D", kind, text(name))


def close(kind, name):
    return message(b"C", kind, text(name))


def execute(portal="", most=0):
    return message(b"E", text(portal), int32(most))


def query(sql):
    return message(b"Q", text(sql))


SYNC, FLUSH, TERMINATE = message(b"S"), message(b"H"), message(b"X")


class Client:
    def __init__(self, address, family, user):
        self.socket = socket.socket(family)
        self.socket.settimeout(10)
        self.socket.connect(address)
        self.received = b""
        self.socket.sendall(startup(user=user, database="ringpost", TimeZone="UTC", DateStyle="ISO, MDY"))
        self.read(1)

    def take(self, size):
        while len(self.received) < size:
            more = self.socket.recv(1 << 16)
            if not more:
                raise EOFError
            self.received += more
        taken, self.received = self.received[:size], self.received[size:]
        return taken

    def read(self, ready):
        """Messages up to so many ReadyForQuery, or the end of the connection."""
        found = []
        while ready:
            try:
                kind, length = struct.unpack("!ci", self.take(5))
                found.append((kind, self.take(length - 4)))
            except EOFError:
                found.append((b"", b"closed"))
                break
            ready -= kind == b"Z"
        return found

    def ask(self, asked):
        self.socket.sendall(asked)
        return self.read(self.syncs(asked))

    @staticmethod
    def syncs(asked):
        count, at = 0, 0
        while at < len(asked):
            count += asked[at:at + 1] in (b"S", b"Q")
            at += 1 + struct.unpack_from("!i", asked, at + 1)[0]
        return count


def comparable(messages):
    """Without what differs by design: tables and their columns, all of an error but its severity and SQLSTATE, settings."""
    found = []
    for kind, body in messages:
        if kind in (b"S", b"N"):
            continue
        if kind == b"T":
            fields, at = [], 2
            for _ in range(struct.unpack_from("!h", body)[0]):
                end = body.index(b"\0", at)
                fields.append((body[at:end], struct.unpack_from("!ihih", body, end + 7)))
                at = end + 19
            body = fields
        if kind == b"E":
            body = [field for field in body.split(b"\0") if field[:1] in (b"S", b"V", b"C")]
        found.append((kind, body))
    return found


class Conversation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = stage.Cluster(rows=1000)
        cls.addClassCleanup(cls.cluster.destroy)
        cls.cluster.query(MORE_USERS)
        cls.ids = cls.cluster.query("select id from users order by id").split()
        copied = tempfile.NamedTemporaryFile()
        cls.addClassCleanup(copied.close)
        subprocess.run(["psql", "-Xqc", f"copy (select {COLUMNS} from users) to stdout (format binary)", cls.cluster.url],
                       stdout=copied, check=True)
        cls.port = stage.free_port()
        cls.stub = subprocess.Popen([STUB, "--port", str(cls.port), "--threads", "2", copied.name], stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.stub.communicate)
        cls.addClassCleanup(cls.stub.kill)
        cls.said = cls.stub.stdout.readline()

    def clients(self):
        place = self.cluster.environment
        both = (Client(f"{place['PGHOST']}/.s.PGSQL.{place['PGPORT']}", socket.AF_UNIX, "postgres"),
                Client(("127.0.0.1", self.port), socket.AF_INET, "postgres"))
        for client in both:
            self.addCleanup(client.socket.close)
        return both

    def same(self, *turns):
        """In one session each; what the stub answered last."""
        postgresql, stub = self.clients()
        prepared = parse("find", FIND) + parse("list", LIST) + parse("one", "select 1") + SYNC
        for asked in (prepared, *turns):
            expected, seen = postgresql.ask(asked), stub.ask(asked)
            self.assertEqual(comparable(seen), comparable(expected), asked)
        return seen

    def test_says_what_it_is(self):
        self.assertEqual(self.said, f"postgres-stub: 1008 users, listening on port {self.port}\n")
        version = subprocess.run(["psql", "-XAtc", "show server_version", f"host=127.0.0.1 port={self.port} user=me dbname=any"],
                                 capture_output=True, text=True, check=True).stdout
        self.assertEqual(version, "16.0 (ringpost's stub)\n")

    def test_every_user_in_binary_and_as_text(self):
        for formats in (1,), (0,), (), (0, 0, 0, 1, 0, 1, 1):
            asked = b"".join(bind("find", [bytes.fromhex(id.replace("-", ""))], results=formats) + execute() for id in self.ids)
            self.assertEqual(len(self.same(asked + SYNC)), 3 * len(self.ids) + 1)

    def test_every_page_in_binary_and_as_text(self):
        for formats in (1,), (0,), (1, 0, 0, 0, 0, 0, 1, 0):
            self.same(*[bind("list", [int64(limit), int64(offset)], results=formats) + describe(b"P", "") + execute() + SYNC
                        for limit, offset in ((200, 0), (200, 200), (1, 1007), (50, 990), (50, 1008), (0, 0), (50, 2**63 - 1))])

    def test_parameters_as_text_and_null(self):
        one = self.ids[500].encode()
        self.same(*[bind(name, values, formats) + execute() + SYNC for name, values, formats in (
            ("find", [one], ()), ("find", [one.upper()], (0,)), ("find", [None], (1,)), ("find", [b"nonsense"], ()),
            ("list", [b"2", b"3"], ()), ("list", [b"2", int64(3)], (0, 1)), ("list", [b"-1", b"0"], ()),
            ("list", [b"1", b"-1"], ()), ("list", [b"-1", b"-1"], ()), ("list", [b"x", b"0"], ()), ("list", [b"3", None], ()), ("list", [None, b"1000"], ()))])

    def test_descriptions(self):
        self.same(*[describe(b"S", name) + SYNC for name in ("find", "list", "one", "nothing")],
                  bind("one") + describe(b"P", "") + describe(b"P", "other") + SYNC,
                  parse("", "show timezone") + describe(b"S", "") + bind("", results=()) + describe(b"P", "") + execute() + SYNC,
                  parse("", "begin") + describe(b"S", "") + SYNC, parse("", "") + describe(b"S", "") + bind("") + execute() + SYNC)

    def test_rows_in_parts(self):
        page = [int64(5), int64(0)]
        self.same(bind("list", page) + execute(most=2) + execute(most=2) + execute(most=2) + execute(most=2) + SYNC,
                  bind("list", page, portal="p") + execute("p", 5) + execute("p") + execute("p") + SYNC,
                  execute("p") + SYNC, bind("one") + execute(most=1) + execute(most=1) + SYNC,
                  bind("find", [bytes(16)]) + execute(most=1) + SYNC)

    def test_errors_and_what_comes_after_them(self):
        self.same(bind("none") + execute() + SYNC, execute() + SYNC, execute("p") + bind("one") + SYNC,
                  parse("one", "select 1") + bind("one") + SYNC, bind("find") + execute() + SYNC,
                  bind("one", portal="p") + bind("one", portal="p") + SYNC, bind("one", results=(1, 1)) + SYNC,
                  bind("one") + execute() + SYNC)

    def test_closing(self):
        self.same(close(b"S", "one") + close(b"S", "none") + close(b"P", "none") + SYNC, bind("one") + SYNC,
                  bind("find", [None]) + close(b"P", "") + execute() + SYNC,
                  query("deallocate all"), bind("find", [None]) + SYNC, query("discard all"))

    def test_simple_queries(self):
        self.same(*[query(sql) for sql in (
            "select 1", ";", "", " -- ping\n", "SELECT 1;", "select 1; select 1", "select 1;;select 1;", "begin; select 1; commit",
            "show application_name", "set application_name = 'a;b'", "reset all",
            "unlisten *", "close all", "start transaction", "rollback")])

    def test_transactions(self):
        self.same(query("begin"), bind("one") + execute() + SYNC, execute() + SYNC, bind("one", portal="p") + SYNC, execute("p") + SYNC,
                  bind("none") + SYNC, query("select 1"), parse("", "select 1") + SYNC, bind("one") + SYNC, query("commit"),
                  query("select 1"), execute("p") + SYNC, parse("", "begin") + bind("") + execute() + SYNC,
                  parse("", "rollback") + bind("") + execute() + SYNC)

    def test_many_at_once(self):
        one = bind("one") + execute()
        self.same(one * 100 + SYNC, (one + SYNC) * 100, (one + bind("none") + one + SYNC) * 3 + one + SYNC)

    def test_what_is_no_message_ends_the_session(self):
        for asked in message(b"y"), b"S\0\0\0\3":
            for client in self.clients():
                client.socket.sendall(asked)
                found = comparable(client.read(1))
                self.assertEqual([kind for kind, _ in found][-1], b"", "not closed")

    def test_terminate_and_cancel_close(self):
        postgresql, stub = self.clients()
        for client in postgresql, stub:
            client.socket.sendall(TERMINATE)
            self.assertEqual(client.read(1), [(b"", b"closed")])
        with socket.create_connection(("127.0.0.1", self.port), 10) as canceller:
            canceller.sendall(int32(16) + int32(80877102) + int32(1) + int32(0))
            self.assertEqual(canceller.recv(1), b"")

    def test_a_client_that_does_not_read_is_waited_for(self):
        _, stub = self.clients()
        page = bind("list", [int64(200), int64(0)]) + execute()
        stub.socket.sendall(parse("list", LIST) + page * 500 + SYNC)
        _, other = self.clients()
        self.assertEqual(other.ask(query("select 1"))[-1][0], b"Z")
        found = stub.read(1)
        self.assertEqual(sum(kind == b"D" for kind, _ in found), 500 * 200)

    def test_what_it_can_not_serve_is_one_clear_line(self):
        for arguments, why in ((["/nowhere"], "can't read /nowhere"), ([__file__], "not what COPY writes in its binary format"),
                               (["--host", "here", os.devnull], "/dev/null: not what COPY writes"), (["--threads", "0"], "--threads")):
            done = subprocess.run([STUB, *arguments], capture_output=True, text=True, timeout=10)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(why, done.stderr)


if __name__ == "__main__":
    unittest.main()
