"""Logging in to PostgreSQL: by which connection string, with which password, and what is told when it is refused."""
import pathlib
import signal
import socket
import tempfile
import unittest
import urllib.parse

import stage
from stage import seed_id

cluster = None


def setUpModule():
    global cluster
    cluster = stage.Cluster(rows=1000)
    unittest.addModuleCleanup(cluster.destroy)


class Login(stage.Case):
    def serve(self, url=None, **settings):
        server = stage.Server(url or cluster.url, **settings)
        self.addCleanup(server.stop)
        return server

    def parts(self):
        return urllib.parse.urlsplit(cluster.url), cluster.environment

    def test_wrong_password(self):
        url = cluster.url.replace(cluster.environment["PGPASSWORD"], "wrong")
        server = stage.Server(url, wait=False)
        self.addCleanup(server.stop)
        server.wait_listening()
        self.assert_unavailable(server.get("/users/" + seed_id(1)))
        server.wait_log("password authentication failed")
        server.wait_log("28P01")
        self.assertEqual(server.get("/healthz").status, 200)

    def test_unknown_database(self):
        server = stage.Server(cluster.url.removesuffix("ringpost") + "nowhere", wait=False)
        self.addCleanup(server.stop)
        server.wait_listening()
        self.assert_unavailable(server.get("/readyz"))
        server.wait_log('database \\"nowhere\\" does not exist')

    def test_too_many_connections(self):
        cluster.query("alter role ringpost connection limit 4")  # one shard takes its three, one is left
        try:
            server = self.serve(DB_MAX_CONNS=6, DB_MIN_CONNS=6, SHARDS=2)
            for n in range(1, 100):
                self.assertEqual(server.get("/users/" + seed_id(n)).status, 200)
        finally:
            cluster.query("alter role ringpost connection limit -1")

    def test_every_way_to_name_it(self):
        parts, environment = self.parts()
        socket_folder, password = environment["PGHOST"], environment["PGPASSWORD"]
        port = parts.port
        for url, settings in [
            (f"postgres://ringpost:{password}@localhost:{port}/ringpost", {}),
            (f"postgresql://ringpost:%{ord(password[0]):02X}{password[1:]}@127.0.0.1:{port}/ringpost", {}),
            (f"postgresql://ringpost@/ringpost?host={urllib.parse.quote(socket_folder, safe='')}&port={port}", {}),
            (f"host=127.0.0.1 port={port} user=ringpost password='{password}' dbname=ringpost", {}),
            (f"host={socket_folder} port={port} user=ringpost dbname=ringpost", {}),
            ("", {"PGHOST": "127.0.0.1", "PGPORT": port, "PGUSER": "ringpost", "PGPASSWORD": password,
                  "PGDATABASE": "ringpost"}),
            (None, {"PGHOST": socket_folder, "PGPORT": port, "PGUSER": "ringpost", "PGDATABASE": "ringpost"}),
        ]:
            with self.subTest(url=url, settings=settings):
                server = stage.Server(url, **settings)
                self.addCleanup(server.stop)
                self.assertEqual(server.get("/users/" + seed_id(1)).status, 200)
                self.assertEqual(
                    cluster.query("select distinct application_name from pg_stat_activity where usename = 'ringpost'"),
                    "ringpost")
                self.assertEqual(server.stop(), 0)

    def test_protocol_versions(self):
        """What PostgreSQL before 18 does not speak it says so, and 3.0 is spoken then, if that is enough."""
        for asked in "max_protocol_version=3.0", "max_protocol_version=3.2", "max_protocol_version=latest":
            with self.subTest(asked=asked):
                server = stage.Server(f"{cluster.url}?{asked}")
                self.addCleanup(server.stop)
                self.assertEqual(server.get("/users/" + seed_id(1)).status, 200)
                self.assertEqual(server.stop(), 0)
        speaks_it = int(cluster.query("show server_version_num")) >= 180000
        server = stage.Server(cluster.url + "?min_protocol_version=3.2", wait=False)
        self.addCleanup(server.stop)
        server.wait_listening()
        self.assertEqual(server.get("/users/" + seed_id(1)).status, 200 if speaks_it else 503)
        if not speaks_it:
            server.wait_log("the server speaks protocol 3.0 at most, and min_protocol_version is 3.2")
            return
        # A key of 32 bytes cancels too.
        lock = cluster.lock_users()
        self.assert_unavailable(server.get("/users/" + seed_id(1)))
        held_up = ("select count(*) from pg_stat_activity where application_name = 'ringpost'"
                   " and wait_event_type = 'Lock'")
        stage.eventually(lambda: cluster.query(held_up) == "0", 3 * stage.SLOW, "the statement is cancelled")
        lock.communicate("rollback;\n")
        self.assertNotIn("db_connection_lost", server.log())

    def test_the_first_of_two_hosts_is_silent(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
            here = f"127.0.0.1:{urllib.parse.urlsplit(cluster.url).port}"
            hosts = f"127.0.0.1:{silent.getsockname()[1]},{here}"
            server = self.serve(cluster.url.replace(here, hosts) + "?connect_timeout=1")
            self.assertEqual(server.get("/users/" + seed_id(1)).status, 200)

    def test_passwords_that_need_care(self):
        _, environment = self.parts()
        for password in "p w'\\\"%/@:?#", "пароль", "\u2168\u00aa", "x" * 500:
            with self.subTest(password=password):
                quoted = password.replace("'", "''")
                cluster.query(f"create role other login password '{quoted}'")
                try:
                    cluster.query("grant select on users to other")
                    server = stage.Server(
                        f"postgresql://other:{urllib.parse.quote(password, safe='')}@127.0.0.1:"
                        f"{environment['PGPORT']}/ringpost")
                    self.addCleanup(server.stop)
                    self.assertEqual(server.get("/users/" + seed_id(1)).status, 200)
                    self.assertEqual(server.stop(), 0)
                finally:
                    cluster.query("revoke select on users from other")
                    cluster.query("drop role other")


    def test_passwords_that_change(self):
        """In the password file they are seen by the next session, in the settings by the next SIGHUP."""
        _, environment = self.parts()
        where = f"127.0.0.1:{environment['PGPORT']}/ringpost"
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        passwords, settings = pathlib.Path(folder.name, "pgpass"), pathlib.Path(folder.name, "ringpost.toml")

        def write(password):
            passwords.write_text(f"*:*:*:other:{password}\n")
            passwords.chmod(0o600)
            settings.write_text(f'database-url = "postgresql://other:{password}@{where}"\n')

        def change(password):
            cluster.query(f"alter role other password '{password}'")
            cluster.query("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'other'")

        def assert_again(server):
            stage.eventually(lambda: server.get("/readyz").status == 200, 3 * stage.SLOW, "it logs in again")

        cluster.query("create role other login password 'first'")
        cluster.query("grant select on users to other")
        self.addCleanup(cluster.query, "drop role other")
        self.addCleanup(cluster.query, "revoke select on users from other")
        write("first")
        by_file = self.serve(f"postgresql://other@{where}?passfile={passwords}", SHARDS=1)
        by_settings = stage.Server(None, ["--config", str(settings)], SHARDS=1)
        self.addCleanup(by_settings.stop)
        change("second")
        for server in by_file, by_settings:
            server.wait_log("28P01")
        write("second")
        assert_again(by_file)
        self.assertEqual(by_settings.get("/readyz").status, 503)
        by_settings.process.send_signal(signal.SIGHUP)
        by_settings.wait_log("event=reloaded differs_from_start=--database-url needs_a_restart=nothing ")
        assert_again(by_settings)
        settings.write_text(f'database-url = "postgresql://other:second@{where}?sslmode=disable"\n')
        by_settings.process.send_signal(signal.SIGHUP)
        by_settings.wait_log("event=reloaded differs_from_start=nothing needs_a_restart=--database-url ")


if __name__ == "__main__":
    unittest.main()
