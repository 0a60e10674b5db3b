"""What the program is told: options and environment, and what it says of those that are wrong."""
import os
import subprocess
import tempfile
import unittest

import stage

cluster = None


def setUpModule():
    global cluster
    cluster = stage.Cluster(rows=1000)
    unittest.addModuleCleanup(cluster.destroy)


def run(*arguments, **environment):
    return stage.run(cluster, *arguments, **environment)


class Options(unittest.TestCase):
    def test_help(self):
        status, out, err = run("--help")
        self.assertEqual((status, err), (0, ""))
        for word in ("DATABASE_URL", "PORT", "SHARDS", "DB_MAX_CONNS", "DB_MIN_CONNS", "ANSWER_MEMORY_BYTES",
                     "DRAIN_LIMIT_MS", "TURN_WAIT_US", "DB_LEARN_SPREAD", "DB_MAX_CONN_LIFETIME_MS",
                     "DB_MAX_CONN_IDLE_TIME_MS", "--port"):
            self.assertIn(word, out)

    def test_what_can_not_be_written_is_an_error(self):
        for argument in "--help", "--version", "--print-config", "--print-conninfo", "--check":
            with self.subTest(argument=argument), open("/dev/full", "w", encoding="utf-8") as full:
                done = subprocess.run([stage.PROGRAM, argument], env={**os.environ, "DATABASE_URL": cluster.url},
                                      stdout=full, stderr=subprocess.PIPE, text=True, timeout=20 * stage.SLOW)
                self.assertEqual((done.returncode, done.stderr),
                                 (1, "ringpost: can't write to standard output: No space left on device\n"))

    def test_version(self):
        status, out, err = run("--version")
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"^ringpost \d+\.\d+\.\d+\n$")

    def test_wrong_settings_are_one_clear_line(self):
        for arguments, environment, word in [
            (["--nonsense"], {}, "nonsense"),
            (["--port", "0"], {}, "port"),
            (["--port", "65536"], {}, "port"),
            (["--port", "x"], {}, "port"),
            ([], {"PORT": "http"}, "port"),
            ([], {"SHARDS": "0"}, "shards"),
            ([], {"SHARDS": "-1"}, "shards"),
            ([], {"DB_MAX_CONNS": "0"}, "conns"),
            ([], {"DB_MAX_CONNS": "many"}, "conns"),
            ([], {"TURN_WAIT_US": "1001"}, "from 0 to 1000"),
            ([], {"PIN_SHARDS": "2"}, "--pin-shards: 2 is neither true nor false"),
            (["--db-shared-syncs=-1"], {}, "--db-shared-syncs: -1 is neither true nor false"),
            ([], {"DB_LEARN_SPREAD": "perhaps"}, "--db-learn-spread: perhaps is neither"),
            ([], {"ANSWER_MEMORY_BYTES": "1048575"}, "from 1048576 to 1125899906842624"),
            ([], {"ANSWER_MEMORY_BYTES": "1125899906842625"}, "from 1048576 to 1125899906842624"),
            ([], {"DATABASE_URL": "postgresql://host:port/x"}, "port"),
            ([], {"DATABASE_URL": "postgresql://u@host/x?sslmode=verify-ca&sslrootcert=/nowhere/root.crt"},
             "'/nowhere/root.crt' does not exist"),
            ([], {"DATABASE_URL": "postgresql://u@host/x?sslnegotiation=direct"}, "sslmode"),
            ([], {"DATABASE_URL": "mysql://host/x"}, "DATABASE_URL"),
            ([], {"DATABASE_URL": "host=localhost nonsense=1"}, "nonsense"),
            ([], {"DATABASE_URL": "host='open"}, "DATABASE_URL"),
            ([], {"DATABASE_URL": "host=h target_session_attrs=master"}, "target_session_attrs"),
            ([], {"DB_MAX_CONN_LIFETIME_MS": "86400001"}, "from 0 to 86400000"),
            ([], {"PGCHANNELBINDING": "maybe"}, "channel_binding (environment PGCHANNELBINDING)"),
            ([], {"PGSERVICE": "nowhere"}, "service (environment PGSERVICE)"),
        ]:
            with self.subTest(arguments=arguments, environment=environment):
                status, out, err = run(*arguments, **environment)
                self.assertNotEqual(status, 0)
                self.assertEqual(out, "")
                self.assertEqual(len(err.splitlines()), 1, err)
                self.assertIn(word.lower(), err.lower())

    def test_no_error_shows_a_part_of_a_password(self):
        for url in ("postgresql://u:hunter2/x@h/d", "postgresql://u:hunter2%zz@h/d", "postgresql://u:a@hunter2@h/d",
                    "postgresql://u:1/x?hunter2=1@h/d", "postgresql://u:1/x?hunter2@h/d", "postgresql://u:1,[hunter2/x@h",
                    "postgresql://[u/:hunter2@h/d", "postgresql://u:1/hunter2@h/d", "postgresql://u/1:hunter2@h/d",
                    "postgresql://h/d?password=a&hunter2=x", "postgres:/u:hunter2@h/d",
                    "mysql://u:hunter2@h/d", "u:hunter2@h://d", "host=h password=my hunter2", "password=my hunter2=x",
                    "host=h password='my hunter2", "password=a'hunter2 x", "port=1'hunter2", "service=a'hunter2",
                    "sslmode=hunter2"):
            with self.subTest(url=url):
                status, out, err = run(DATABASE_URL=url)
                self.assertEqual((status, out), (2, ""))
                self.assertEqual(len(err.splitlines()), 1, err)
                self.assertNotIn("hunter2", err)

    def test_print_conninfo(self):
        with tempfile.TemporaryDirectory() as home:
            with open(os.path.join(home, ".pg_service.conf"), "w", encoding="utf-8") as services:
                services.write("[orders]\nport=6000\n")
            status, out, err = run("--print-conninfo", DATABASE_URL="postgresql://u:hunter2@h/d?service=orders",
                                   PGSSLMODE="disable", HOME=home)
        self.assertEqual((status, err), (0, ""))
        self.assertNotIn("hunter2", out)
        lines = out.splitlines()
        for line in ("host='h' (string)", "dbname='d' (string)", "user='u' (string)", "password='********' (string)",
                     "service='orders' (string)", "port='6000' (service orders)",
                     "sslmode='disable' (environment PGSSLMODE)", "application_name='ringpost' (default)"):
            self.assertIn(line, lines)
        status, out, err = run("--print-conninfo", DATABASE_URL="host=h port=x")
        self.assertEqual((status, out), (2, ""))
        self.assertIn("port", err)

    def test_a_service_and_the_password_file(self):
        environment = cluster.environment
        with tempfile.TemporaryDirectory() as home:
            passwords = os.path.join(home, ".pgpass")
            with open(os.path.join(home, ".pg_service.conf"), "w", encoding="utf-8") as services:
                services.write(f"[users]\nhost=127.0.0.1\nport={environment['PGPORT']}\nuser=ringpost\n"
                               "dbname=ringpost\n")
            with open(passwords, "w", encoding="utf-8") as lines:
                lines.write(f"*:{environment['PGPORT']}:*:ringpost:{environment['PGPASSWORD']}\n")
            os.chmod(passwords, 0o600)
            server = stage.Server(None, PGSERVICE="users", HOME=home)
            self.assertEqual(server.stop(), 0)
            self.assertNotIn("password_file_not_used", server.log())

            os.chmod(passwords, 0o640)
            server = stage.Server(None, wait=False, PGSERVICE="users", HOME=home)
            server.wait_log("password_file_not_used")
            server.wait_log("others may read or write it")
            server.wait_log("the server asks for a password and none is set")
            self.assertEqual(server.stop(), 0)

    def test_numbers_are_decimal_digits_and_nothing_else(self):
        for variable in ("PORT", "SHARDS", "DB_MAX_CONNS", "DB_MIN_CONNS", "DB_PIPELINE_DEPTH", "DB_WAITING",
                         "MAX_CONNECTIONS", "MAX_HEAD_BYTES", "ANSWER_MEMORY_BYTES",
                         "REQUEST_TIMEOUT_MS", "DRAIN_LIMIT_MS", "TURN_WAIT_US", "DB_MAX_CONN_LIFETIME_MS",
                         "DB_MAX_CONN_IDLE_TIME_MS"):
            option = "--" + variable.lower().replace("_", "-")
            for value in ("010", "0x10", "0b1", "+5", "-5", " 5", "5 ", "5\t", "5.0", "5e2", "1'000", "1_000", "٥",
                          "five", "18446744073709551616", "18446744073709551624", "99999999999999999999999"):
                with self.subTest(variable=variable, value=value):
                    status, out, err = run(**{variable: value})
                    self.assertEqual((status, out), (2, ""))
                    self.assertEqual(len(err.splitlines()), 1, err)
                    self.assertIn(option, err)
                    self.assertIn(f"{value} is no number from", err)
                    self.assertIn("decimal digits only", err)

    def test_the_command_line_wins(self):
        port = stage.free_port()
        server = stage.Server(cluster.url, ["--port", str(port)], wait=False)
        server.port = port
        server.wait_ready()
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
