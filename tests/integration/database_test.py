"""PostgreSQL away, restarted, frozen, refusing or failing: what clients then see, and how soon all is well again."""
import os
import random
import re
import signal
import threading
import time
import unittest

import stage
from stage import seed_id

cluster = None


def setUpModule():
    global cluster
    cluster = stage.Cluster(rows=1000)
    unittest.addModuleCleanup(cluster.destroy)


class Database(stage.Case):
    def serve(self, url=None, **settings):
        server = stage.Server(url or cluster.url, **settings)
        self.addCleanup(server.stop)
        return server


class Load:
    """Clients that ask for users, each for its own, until told to stop; what they saw, with times."""

    def __init__(self, server, clients=12):
        self.server, self.running = server, True
        self.seen, self.problems, self.slowest = [], [], 0
        self._threads = [threading.Thread(target=self._ask, args=(i,)) for i in range(clients)]
        for thread in self._threads:
            thread.start()

    def _ask(self, seed):
        chance = random.Random(seed)
        connection = self.server.connect()
        try:
            while self.running:
                n = chance.randint(1, 1000)
                start = time.monotonic()
                response = connection.request("/users/" + seed_id(n))
                now = time.monotonic()
                self.slowest = max(self.slowest, now - start)
                if response is None:
                    self.problems.append("closed")
                    return
                if response.status == 200 and response.json()["id"] != seed_id(n):
                    self.problems.append(f"asked for {seed_id(n)}, got {response.body}")
                elif response.status not in (200, 503):
                    self.problems.append(repr(response))
                self.seen.append((now, response.status))
        except (OSError, AssertionError) as error:
            self.problems.append(repr(error))
        finally:
            connection.close()

    def end(self):
        self.running = False
        for thread in self._threads:
            thread.join()

    def last(self, status):
        return max((at for at, s in self.seen if s == status), default=0)


class Restart(Database):
    def restart_under_load(self, immediate):
        server = self.serve()
        load = Load(server)
        time.sleep(0.5)
        cluster.stop(immediate)
        time.sleep(0.7)
        cluster.start()
        back = time.monotonic()
        time.sleep(2.5 * stage.SLOW)
        load.end()
        self.assertEqual(load.problems, [])
        self.assertLess(load.slowest, stage.limit(2.6), "none may hang")
        self.assertLess(load.last(503) - back, stage.limit(2), "all is well within 2 s")
        self.assertGreater(load.last(200), back + 1)
        self.assertGreater(sum(1 for at, status in load.seen if at < back and status == 200), 20)

    def test_fast(self):
        self.restart_under_load(immediate=False)

    def test_immediate(self):
        self.restart_under_load(immediate=True)

    def test_backends_ended_under_load(self):
        """A read whose session was ended by order is asked again, however often that happens to it."""
        server = self.serve(DB_MIN_CONNS=6)
        load = Load(server)
        ended = 0
        for _ in range(8):
            time.sleep(0.15)
            ended += cluster.query("select pg_terminate_backend(pid) from pg_stat_activity"
                                   " where application_name = 'ringpost'").count("t")
        time.sleep(0.5)
        load.end()
        self.assertEqual(load.problems, [])
        self.assertEqual(load.last(503), 0, f"of {len(load.seen)}")
        in_flight = sum(map(int, re.findall(r"why=.*57P01.* in_flight=(\d+)", server.log())))
        self.assertGreater(in_flight, 0, f"were in flight, in {ended} sessions")

    def test_none_is_lost_when_the_server_itself_is_stopped(self):
        """What has come meanwhile is read before anything is called late: the sessions are the same after it."""
        server = self.serve(DB_MIN_CONNS=6)
        load = Load(server)
        time.sleep(0.5)
        before = sorted(cluster.backends())
        for _ in range(3):
            os.kill(server.process.pid, signal.SIGSTOP)
            time.sleep(5.5)  # longer than a session may keep silent
            os.kill(server.process.pid, signal.SIGCONT)
            time.sleep(0.3)
        load.end()
        self.assertEqual(load.problems, [])
        self.assertEqual(sorted(cluster.backends()), before)
        self.assertNotIn("db_connection_lost", server.log())
        self.assertGreater(sum(status == 200 for _, status in load.seen), 30)

    def test_statements_cancelled_under_load(self):
        """A cancelled statement costs its own request (503), and no session."""
        # So slow that many are met while they work.
        with cluster.runs_for_each_row("perform pg_sleep(0.01);", "users"):
            server = self.serve()
            load = Load(server)
            asked = 0
            for _ in range(15):
                time.sleep(0.03)
                asked += cluster.query("select pg_cancel_backend(pid) from pg_stat_activity"
                                       " where application_name = 'ringpost'").count("t")
            load.end()
            self.assertEqual(load.problems, [])
            cancelled = sum(status == 503 for _, status in load.seen)
            self.assertTrue(5 < cancelled <= asked, f"{cancelled} of {asked}")
            self.assertEqual(server.get("/users/" + seed_id(1)).status, 200)
            self.assertNotIn("db_connection_lost", server.log())
            self.assertNotIn("query_failed", server.log())


class Away(Database):
    def test_at_start(self):
        cluster.stop()
        try:
            server = stage.Server(cluster.url, wait=False)
            self.addCleanup(server.stop)
            server.wait_listening()
            self.assertEqual(server.get("/healthz").status, 200)
            for target, deadline in ("/readyz", 1), ("/users/" + seed_id(1), 2), ("/users", 2):
                start = time.monotonic()
                self.assert_unavailable(server.get(target))
                self.assertLess(time.monotonic() - start, stage.limit(deadline + 0.5))
            # What needs no database is answered as ever.
            self.assertEqual(server.get("/users/x").status, 400)
            self.assertEqual(server.get("/nothing").status, 404)
        finally:
            cluster.start()
        server.wait_ready(limit_s=2)
        self.assertEqual(server.get("/users/" + seed_id(1)).status, 200)

    def test_head_of_unavailable(self):
        server = self.serve()
        cluster.stop()
        try:
            response = server.get("/readyz", "HEAD")
            self.assertEqual(response.status, 503)
            self.assertEqual(int(response.headers["content-length"]), len('{"error":"unavailable"}'))
        finally:
            cluster.start()

    def test_ends_at_once_while_it_is_away(self):
        cluster.stop()
        try:
            server = stage.Server(cluster.url, wait=False)
            server.wait_listening()
            time.sleep(0.3)
            start = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.assertLess(time.monotonic() - start, stage.limit(2))
        finally:
            cluster.start()

    def test_frozen(self):
        """Processes that exist but do not answer: 503 at the deadline, then nobody gets an old answer."""
        server = self.serve()
        for n in range(1, 30):
            self.assertEqual(server.get("/users/" + seed_id(n)).status, 200)
        frozen = cluster.backends()
        self.assertTrue(frozen)
        connections = [server.connect() for _ in range(20)]
        stage.signal_all(frozen, signal.SIGSTOP)
        try:
            start = time.monotonic()
            given_up = 0
            for n, connection in enumerate(connections, 100):
                connection.send(f"GET /users/{seed_id(n)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            for n, connection in enumerate(connections, 100):
                response = connection.read()
                if response.status == 200:  # by a connection opened since
                    self.assertEqual(response.json()["id"], seed_id(n))
                else:
                    self.assert_unavailable(response)
                    given_up += 1
            self.assertLess(time.monotonic() - start, stage.limit(2.7))
            self.assertGreater(given_up, 0, "none was asked of those that are frozen")
            self.assertEqual(server.get("/healthz").status, 200)
        finally:
            stage.signal_all(frozen, signal.SIGCONT)
        server.wait_ready(limit_s=3)
        for n, connection in enumerate(connections, 200):
            self.assertEqual(connection.request("/users/" + seed_id(n)).json()["id"], seed_id(n))
            connection.close()

    def test_locked(self):
        """A statement that takes longer than the deadline costs its own request alone."""
        server = self.serve()
        lock = cluster.lock_users()
        start = time.monotonic()
        self.assert_unavailable(server.get("/users/" + seed_id(1)))
        self.assertTrue(1.5 <= time.monotonic() - start <= 2.6 * stage.SLOW)
        lock.communicate("rollback;\n")
        for n in range(1, 50):
            self.assertEqual(server.get("/users/" + seed_id(n)).json()["id"], seed_id(n))

    def test_locked_while_connections_open(self):
        """To prepare waits for the lock. Sessions that are given up leave PostgreSQL: they would use all its places up."""
        lock = cluster.lock_users()
        server = stage.Server(cluster.url + "?connect_timeout=1", wait=False, DB_MAX_CONNS=3, DB_MIN_CONNS=3)
        self.addCleanup(server.stop)
        most, end = 0, time.monotonic() + 4
        while time.monotonic() < end:
            most = max(most, len(cluster.backends()))
            time.sleep(0.1)
        lock.communicate("rollback;\n")
        self.assertTrue(1 <= most <= 3, most)
        server.wait_ready(limit_s=3)

    def test_given_up_by_postgres(self):
        """PostgreSQL's own limits of time end a statement before the deadline does: at once 503, and logged as
        nothing that is ours to repair."""
        for setting in "lock_timeout", "statement_timeout":
            with self.subTest(setting=setting):
                cluster.query(f"alter role ringpost set {setting} = '100ms'")
                try:
                    server = self.serve()
                    lock = cluster.lock_users()
                    start = time.monotonic()
                    self.assert_unavailable(server.get("/users/" + seed_id(1)))
                    self.assertLess(time.monotonic() - start, stage.limit(1))
                    lock.communicate("rollback;\n")
                    self.assertEqual(server.get("/users/" + seed_id(1)).json()["id"], seed_id(1))
                    self.assertEqual(server.stop(), 0)
                    self.assertNotIn("query_failed", server.log())
                finally:
                    cluster.query(f"alter role ringpost reset {setting}")


class Failing(Database):
    def test_an_error_that_is_no_outage(self):
        server = self.serve()
        self.assertEqual(server.get("/users/" + seed_id(1)).status, 200)
        cluster.query("alter table users rename column full_name to whole_name")
        try:
            for target in "/users/" + seed_id(1), "/users?limit=1":
                response = server.get(target)
                self.assertEqual((response.status, response.body), (500, b'{"error":"internal"}'))
                self.assertEqual(response.headers["content-type"], "application/json")
            server.wait_log("42703")
            self.assertEqual(server.get("/healthz").status, 200)
        finally:
            cluster.query("alter table users rename column whole_name to full_name")
        stage.eventually(lambda: server.get("/users/" + seed_id(1)).status == 200, 2, "answers again")

    def test_one_failure_is_one_requests(self):
        """Pipelined with others on the same connection, only the reader of the bad row fails."""
        server = self.serve(SHARDS=1, DB_MAX_CONNS=1)
        try:
            cluster.query("alter table users owner to postgres")  # whom the policy would not bind
            cluster.query("grant select on users to ringpost")
            cluster.query("create policy division_by_zero on users using"
                          " (case when email = 'user7@example.com' then 1 / (age - age) = 0 else true end)")
            cluster.query("alter table users enable row level security")
            connection = server.connect()
            order = [5, 7, 6, 7, 8] * 10
            connection.send(b"".join(
                f"GET /users/{seed_id(n)} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for n in order))
            for n in order:
                response = connection.read()
                if n == 7:
                    self.assertEqual((response.status, response.body), (500, b'{"error":"internal"}'))
                else:
                    self.assertEqual((response.status, response.json()["id"]), (200, seed_id(n)))
            server.wait_log("22012")
            connection.close()
        finally:
            cluster.query("alter table users disable row level security")
            cluster.query("drop policy if exists division_by_zero on users")
            cluster.query("alter table users owner to ringpost")

    def test_notices_do_not_flood_the_log(self):
        """One a request and more: ten a second are logged, and how many were not."""
        try:
            cluster.query("create function noisy() returns boolean language plpgsql as $$ begin raise notice 'look'; return true; end $$")
            cluster.query("alter table users owner to postgres")
            cluster.query("grant select on users to ringpost")
            cluster.query("create policy noisy on users using (noisy())")
            cluster.query("alter table users enable row level security")
            server = self.serve(SHARDS=1)
            for n in range(200):
                self.assertEqual(server.get("/users/" + seed_id(n + 1)).status, 200)
            time.sleep(1.1)
            server.get("/users/" + seed_id(1))
            server.wait_log("event=lines_not_logged kind=db_notice")
            lines = server.log().count("event=db_notice ")
            self.assertTrue(10 <= lines <= 10 * 12 * stage.SLOW, lines)  # 200 requests take some seconds at most
            told = sum(map(int, re.findall(r"event=lines_not_logged kind=db_notice count=(\d+)", server.log())))
            self.assertEqual(lines + told, 201)
        finally:
            cluster.query("alter table users disable row level security")
            cluster.query("drop policy if exists noisy on users")
            cluster.query("drop function if exists noisy")
            cluster.query("alter table users owner to ringpost")

    def test_text_that_is_not_utf8(self):
        """Of a database in UTF-8 PostgreSQL sends what is stored without another look."""
        name = cluster.query(f"select full_name from users where id = '{seed_id(1)}'").replace("'", "''")
        cluster.query("create cast (bytea as text) without function")
        try:
            server = self.serve()
            cluster.query(f"update users set full_name = '\\x5a6feb'::bytea::text where id = '{seed_id(1)}'")
            for target in "/users/" + seed_id(1), "/users?limit=200&offset=" + self.place_of(seed_id(1)):
                response = server.get(target)
                self.assertEqual((response.status, response.body), (500, b'{"error":"internal"}'))
            server.wait_log("statement list_users: a row has text that is not UTF-8")
            self.assertIn("statement find_user: a row has text that is not UTF-8", server.log())
            self.assertEqual(server.get("/users/" + seed_id(2)).json()["id"], seed_id(2))
        finally:
            cluster.query(f"update users set full_name = '{name}' where id = '{seed_id(1)}'")
            cluster.query("drop cast (bytea as text)")

    def place_of(self, user):
        return cluster.query(f"select count(*) from users where id < '{user}'")

    def test_text_of_a_database_in_sql_ascii(self):
        """It holds any bytes; what of them is UTF-8 is answered, the rest PostgreSQL itself refuses to send."""
        cluster.query("create database bytes owner ringpost encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C'"
                      " template template0")
        server = None
        try:
            cluster.query("create table users (id uuid primary key, email text, full_name text, age int,"
                          " country_code char(2), is_active bool, created_at timestamptz)", database="bytes")
            cluster.query("grant select on users to ringpost", database="bytes")
            for n, name in (1, "E'Zo\\xc3\\xab'"), (2, "E'Zo\\xeb'"):
                cluster.query(f"insert into users values ('{seed_id(n)}', '{n}@example.com', {name}, 25, 'NL',"
                              " true, now())", database="bytes")
            server = stage.Server(cluster.url.removesuffix("ringpost") + "bytes")
            self.assertEqual(server.get("/users/" + seed_id(1)).json()["full_name"], "Zo\u00eb")
            for target in "/users/" + seed_id(2), "/users":
                response = server.get(target)
                self.assertEqual((response.status, response.body), (500, b'{"error":"internal"}'))
            server.wait_log("22021")
            self.assertEqual(server.get("/users/" + seed_id(1)).status, 200)
        finally:
            if server:
                server.stop()
            cluster.query("drop database bytes with (force)")


class Budget(Database):
    def test_never_more_than_allowed(self):
        server = self.serve(SHARDS=2, DB_MAX_CONNS=3, DB_MIN_CONNS=1)
        load = Load(server, clients=24)
        most = 0
        for _ in range(15):
            time.sleep(0.05)
            most = max(most, len(cluster.backends()))
        load.end()
        self.assertEqual(load.problems, [])
        self.assertTrue(1 <= most <= 3, most)


if __name__ == "__main__":
    unittest.main()
