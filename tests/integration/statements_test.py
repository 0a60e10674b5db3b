"""Prepared statements that are changed under the server, or taken from it: no client sees any of it."""
import time
import unittest

import stage
from database_test import Load
from stage import seed_id

cluster = None


def setUpModule():
    global cluster
    cluster = stage.Cluster(rows=1000)
    unittest.addModuleCleanup(cluster.destroy)


class Statements(unittest.TestCase):
    def answered(self, during):
        """All requests, while `during` runs, and behind it."""
        server = stage.Server(cluster.url)
        self.addCleanup(server.stop)
        load = Load(server)
        during()
        load.end()
        self.assertEqual(load.problems, [])
        self.assertEqual(load.last(503), 0)
        self.assertGreater(len(load.seen), 30)
        for n in range(1, 20):
            self.assertEqual(server.get("/users/" + seed_id(n)).json()["id"], seed_id(n))
        self.assertEqual(len(server.get("/users?limit=50").json()["items"]), 50)
        self.assertNotIn("query_failed", server.log())
        self.assertNotIn("db_connection_lost", server.log())
        return server

    def test_a_type_is_changed(self):
        def change():
            try:
                for kind in "varchar", "text", "varchar(300)", "text", "varchar":
                    time.sleep(0.2)
                    cluster.query(f"alter table users alter column email type {kind}")
                time.sleep(0.2)
            finally:
                cluster.query("alter table users alter column email type text")
        self.answered(change)

    def test_an_integer_is_made_wider(self):
        def change():
            try:
                for kind in "bigint", "int", "bigint":
                    time.sleep(0.2)
                    cluster.query(f"alter table users alter column age type {kind}")
                time.sleep(0.2)
            finally:
                cluster.query("alter table users alter column age type int")
        self.answered(change)

    def test_an_integer_that_is_too_large_is_not_cut_off(self):
        age = cluster.query(f"select age from users where id = '{seed_id(1)}'")
        cluster.query("alter table users alter column age type bigint")
        try:
            server = stage.Server(cluster.url)
            self.addCleanup(server.stop)
            for wide, status in (2147483647, 200), (2147483648, 500):
                cluster.query(f"update users set age = {wide} where id = '{seed_id(1)}'")
                self.assertEqual(server.get("/users/" + seed_id(1)).status, status)
            server.wait_log("an integer or a number of columns that its declaration can't hold")
        finally:
            cluster.query(f"update users set age = {age} where id = '{seed_id(1)}'")
            cluster.query("alter table users alter column age type int")

    def test_a_column_is_added_and_another_dropped(self):
        def change():
            time.sleep(0.2)
            cluster.query("alter table users add column note text default 'x'")
            time.sleep(0.2)
            cluster.query("alter table users drop column note")
            time.sleep(0.2)
        self.answered(change)

    def test_they_are_deallocated(self):
        with cluster.runs_for_each_row("if random() < 0.02 then deallocate all; end if;", "users"):
            server = self.answered(lambda: time.sleep(1 * stage.SLOW))
            server.wait_log("db_statements_not_kept")

    def test_the_search_path_is_changed(self):
        """To a table of the same rows, in which a column has another type."""
        cluster.query("create schema other")
        cluster.query("create table other.users as select * from users")
        cluster.query("alter table other.users alter column email type varchar")
        cluster.query("grant usage on schema other to ringpost")
        try:
            flip = ("if random() < 0.02 then perform set_config('search_path', case current_setting('search_path')"
                    " when 'other' then 'public' else 'other' end, false); end if;")
            with cluster.runs_for_each_row(flip, "users", "other.users"):
                self.answered(lambda: time.sleep(1 * stage.SLOW))
                read = cluster.query("select seq_scan + coalesce(idx_scan, 0) > 10 from pg_stat_user_tables"
                                     " where schemaname = 'other'")
                self.assertEqual(read, "t")
        finally:
            cluster.query("drop schema other cascade")


if __name__ == "__main__":
    unittest.main()
