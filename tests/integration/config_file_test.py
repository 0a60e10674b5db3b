"""--config and --print-config: settings from a file, what wins over it, and what is said of a wrong one. Needs no database."""
import os
import re
import signal
import stat
import subprocess
import tempfile
import tomllib
import unittest

import stage


def run(*arguments, **environment):
    """Exit status, standard output, standard error."""
    done = subprocess.run([stage.PROGRAM, *arguments], env={"PATH": os.environ["PATH"], **environment},
                          capture_output=True, text=True, timeout=20 * stage.SLOW)
    return done.returncode, done.stdout, done.stderr


class ConfigFile(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "ringpost.toml")

    def write(self, text):
        with open(self.path, "w") as file:
            file.write(text)

    def conninfo(self, text, *arguments, **environment):
        self.write(text)
        status, out, err = run("--config", self.path, *arguments, "--print-conninfo", **environment)
        self.assertEqual((status, err), (0, ""))
        return out

    def refused(self, text, *words):
        self.write(text)
        status, out, err = run("--config", self.path, "--print-conninfo")
        self.assertEqual((status, out, err.count("\n")), (2, "", 1), err)
        for word in (self.path, *words):
            self.assertIn(word, err)

    def test_command_line_then_environment_then_file(self):
        text = 'database-url = "postgresql://file@from-file/x"\n'
        self.assertIn("from-file", self.conninfo(text))
        self.assertIn("from-variable", self.conninfo(text, DATABASE_URL="postgresql://v@from-variable/x"))
        told = self.conninfo(text, "--database-url", "host=from-line", DATABASE_URL="postgresql://v@from-variable/x")
        self.assertIn("from-line", told)
        for other in "from-file", "from-variable":
            self.assertNotIn(other, told)
        # As with every other setting: an empty variable is none.
        self.assertIn("from-file", self.conninfo(text, DATABASE_URL=""))

    def test_values_are_read_whole(self):
        """A password may have all that ends a value elsewhere; hosts are joined by commas."""
        told = self.conninfo('database-url = "host=one,two user=\'a # b\' dbname=\'c, d = e\'" # a comment\n')
        for word in "one,two", "a # b", "c, d = e":
            self.assertIn(word, told)

    def test_from_a_pipe(self):
        done = subprocess.run(["bash", "-c", f"{stage.PROGRAM} --config <(echo 'database-url = \"host=from-pipe\"') --print-conninfo"],
                              env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=20 * stage.SLOW)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("from-pipe", done.stdout)

    def test_a_pipe_is_not_read_again(self):
        """Who opens one that nobody writes to waits for ever, and answers no signal."""
        port = stage.free_port()
        os.mkfifo(self.path)
        with tempfile.TemporaryFile("w+") as log:
            server = subprocess.Popen([stage.PROGRAM, "--config", self.path], stdout=log, stderr=log,
                                      env={"PATH": os.environ["PATH"], "DATABASE_URL": "host=127.0.0.1 port=1", "PORT": str(port)})

            def said(words):
                log.seek(0)
                return words in log.read()
            try:
                self.write("shards = 1\n")
                stage.eventually(lambda: said("event=listening"), 10 * stage.SLOW, "it listens")
                server.send_signal(signal.SIGHUP)
                stage.eventually(lambda: said("is no file that can be read again"), 10 * stage.SLOW, "it is refused")
                server.terminate()
                self.assertEqual(server.wait(10 * stage.SLOW), 0)
            finally:
                server.kill()
                server.wait()

    def test_a_mode_is_what_stands_there(self):
        for text in "0o660", "660", "'0660'":
            path = os.path.join(os.path.dirname(self.path), "http.sock")
            self.write(f"unix-socket-mode = {text}\nhost = 'unix:{path}'\nshards = 1\ndb-max-conns = 1\n")
            server = stage.Server("host=127.0.0.1 port=1", ["--config", self.path], wait=False, SHARDS="", DB_MAX_CONNS="")
            try:
                server.wait_log("event=listening")
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o660, text)
            finally:
                self.assertEqual(server.stop(), 0)
        self.write("unix-socket-mode = 0o999\n")
        self.assertEqual(run("--config", self.path, "--print-conninfo")[0], 2)

    def test_an_empty_name_is_none(self):
        status, out, err = run("--config", "", "--print-conninfo")
        self.assertEqual((status, out), (2, ""))
        self.assertIn("--config: the name of the file is empty", err)

    def test_it_is_served_by(self):
        port, other = stage.free_port(), stage.free_port()
        self.write(f"port = {port}\nshards = 1\npin-shards = false\nhost = '127.0.0.1'\nlog-level = 'warning'\n")
        server = stage.Server("host=127.0.0.1 port=1", ["--config", self.path], wait=False, PORT=other, SHARDS="", DB_MAX_CONNS="2")
        self.addCleanup(server.stop)
        server.wait_listening()  # at the variable's port
        self.assertEqual(server.get("/healthz").status, 200)
        with open(f"/proc/{server.process.pid}/net/tcp") as sockets:
            self.assertIn(f" 0100007F:{other:04X} ", sockets.read())  # at the file's address
        self.assertNotIn("level=info", server.log(), "below the file's level")

    def test_what_is_wrong_is_said_with_its_line(self):
        self.refused("port = 1\nprot = 2\n", "line 2", "there is no setting 'prot'")
        self.refused("\n\nport = \n", "line 3")
        self.refused("port = 1\nport = 2\n", "line 2")
        self.refused("healthcheck = true\n", "line 1", "command line alone")
        self.refused("config = 'x'\n", "line 1", "command line alone")
        self.refused("port = [1, 2]\n", "line 1", "'port'")
        self.refused("port = 1.5\n", "line 1", "'port'")
        self.refused("[listening]\nport = 1\n", "line 1", "'listening'")
        self.refused("no-pin-shards = true\n", "line 1", "no-pin-shards")

    def test_values_are_judged_as_on_the_command_line(self):
        for text, word in ("port = 0", "port"), ("port = -1", "port"), ("shards = 'many'", "shards"), ("log-level = 'loud'", "log-level"), \
                ("pin-shards = 'perhaps'", "pin-shards"), ("database-url = 'mysql://x'", "DATABASE_URL"):
            self.write(text)
            status, out, err = run("--config", self.path, "--print-conninfo")
            self.assertEqual((status, out), (2, ""), text)
            self.assertIn(word, err)

    def test_a_file_that_is_not_there(self):
        for path in "/nowhere/ringpost.toml", "/":
            status, out, err = run("--config", path)
            self.assertEqual((status, out, err.count("\n")), (2, "", 1), err)
            self.assertIn(path, err)

    def test_print_config_has_every_setting_with_its_default(self):
        status, printed, err = run("--print-config")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(tomllib.loads(printed), {}, "as it is it changes nothing")
        self.assertLessEqual(max(map(len, printed.splitlines())), 110)
        told = run("--help")[1]
        variables = set(re.findall(r"\(Env:(\w+)\)", told))
        self.assertGreater(len(variables), 20)
        self.assertEqual(set(re.findall(r"\[(\w+)\]$", printed.replace("\n# ", " "), re.MULTILINE)), variables)
        # With every default taken out of its comment it is read, and says what it said.
        settings = re.sub(r"^#(?=[a-z][\w-]* = [^<])", "", printed, flags=re.MULTILINE)
        defaults = tomllib.loads(settings)
        self.assertEqual((defaults["port"], defaults["host"], defaults["pin-shards"]), (8080, "::", True))
        self.write(settings)
        self.assertEqual(run("--config", self.path, "--print-config"), (0, printed, ""))
        status, out, err = run("--config", self.path, "--print-conninfo")
        self.assertEqual((status, err), (0, ""))


if __name__ == "__main__":
    unittest.main()
