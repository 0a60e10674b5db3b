"""How a process begins and ends beside others: hand-overs, sockets that were passed, supervisors."""
import contextlib
import ctypes
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import unittest.mock

import stage
from stage import seed_id

cluster = None


def setUpModule():
    global cluster
    cluster = stage.Cluster(rows=1000)
    unittest.addModuleCleanup(cluster.destroy)


class Load:
    """Requests at a fixed rate, on connections that are kept and on fresh ones; what went wrong is in `problems`."""

    def __init__(self, connect, rate=500, kept=8, fresh=8):
        self.connect = connect
        self.problems, self.answered, self.closings = [], 0, 0
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._pause = (kept + fresh) / rate
        self._threads = [threading.Thread(target=self._run, args=(n, n < kept)) for n in range(kept + fresh)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _run(self, seed, keeps):
        connection, due, n = None, time.monotonic() + seed * self._pause / len(self._threads), seed
        while not self._end.is_set():
            time.sleep(max(0, due - time.monotonic()))
            due = max(due + self._pause, time.monotonic() - 0.2)
            n += 1
            id = seed_id(1 + n * 7 % 1000)
            try:
                if connection is None:
                    connection = self.connect()
                response = connection.request("/users/" + id)
                if response is None:
                    raise AssertionError("closed without an answer")
                if response.status != 200 or response.json()["id"] != id:
                    raise AssertionError(f"not the answer: {response}")
            except (OSError, AssertionError) as error:
                with self._lock:
                    self.problems.append(f"{'kept' if keeps else 'fresh'}, {time.monotonic():.3f}: {error!r}")
                response = None
            closes = response is None or response.headers.get("connection") == "close"
            with self._lock:
                self.answered += response is not None
                self.closings += keeps and closes
            if connection is not None and (closes or not keeps):
                connection.close()
                connection = None
        if connection is not None:
            connection.close()


def settings(folder, **others):
    return {"TAKEOVER_SOCKET": os.path.join(folder, "takeover"), "TAKEOVER_GRACE_MS": 2000, "DB_MAX_CONNS": 4,
            "REQUEST_TIMEOUT_MS": int(4000 * stage.SLOW), **others}


class HandOver(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def serve(self, **others):
        server = stage.Server(cluster.url, wait=False, **settings(self.folder, **others))
        self.addCleanup(lambda: server.process.poll() is None and server.stop())
        return server

    def test_three_in_a_row_under_load_lose_nothing(self):
        servers = [self.serve()]
        servers[0].wait_ready()
        port = servers[0].port
        with Load(servers[0].connect, rate=500 / stage.SLOW) as load:
            time.sleep(0.3)
            for shards in 1, 3, 2:  # fewer than there are sockets, more, as many
                before = load.answered
                servers.append(self.serve(PORT=port, SHARDS=shards))
                servers[-1].wait_log("event=took_over")
                self.assertEqual(servers[-2].ended(), 0)
                self.assertIn("event=taken_over", servers[-2].log())
                time.sleep(0.3)
                self.assertGreater(load.answered, before)
        self.assertEqual(load.problems, [], servers[-1].log())
        self.assertGreater(load.answered, 300 / stage.SLOW)
        self.assertGreaterEqual(load.closings, 3 * 8)  # each kept connection was told, each time
        self.assertEqual(servers[-1].stop(), 0)
        with self.assertRaises(OSError):
            servers[-1].connect(1)
        self.assertEqual(os.listdir(self.folder), [])

    def test_who_is_not_ready_leaves_the_old_one_serving(self):
        old = self.serve()
        old.wait_ready()
        with Load(old.connect, rate=100) as load:
            lost = stage.Server(f"postgresql://u@127.0.0.1:{stage.free_port()}/x", wait=False,
                                **settings(self.folder, PORT=old.port, TAKEOVER_LIMIT_MS=700))
            self.assertEqual(lost.ended(), 1)
            self.assertIn("not ready within TAKEOVER_LIMIT_MS=700", lost.log().splitlines()[-1])
            old.wait_log("event=takeover_failed")
            killed = stage.Server(f"postgresql://u@127.0.0.1:{stage.free_port()}/x", wait=False,
                                  **settings(self.folder, PORT=old.port))
            killed.wait_log("event=listening")
            killed.stop(signal.SIGKILL)
            stage.eventually(lambda: old.log().count("event=takeover_failed") == 2, 5, "the old one hears of it")
        # What the others had accepted is theirs: without a database it is answered 503, or reset by SIGKILL; of requests that
        # the old one has, none is lost. So only these may be.
        other = [each for each in load.problems if "503" not in each and "closed" not in each and "Reset" not in each]
        self.assertEqual(other, [])
        self.assertEqual(old.get("/readyz").status, 200)
        new = self.serve(PORT=old.port)  # and the next one takes over as if they had never been
        new.wait_log("event=took_over")
        self.assertEqual(old.ended(), 0)

    def test_a_signal_starts_a_successor_and_a_supervisor_hears_of_it(self):
        with Supervisor() as supervisor:
            old = self.serve(NOTIFY_SOCKET=supervisor.path)
            self.assertTrue(supervisor.next().startswith("READY=1\nSTATUS=serving at "))
            environment = pathlib.Path(f"/proc/{old.process.pid}/environ").read_bytes()
            self.assertNotIn(cluster.environment["PGPASSWORD"].encode(), environment)
            old.process.send_signal(signal.SIGUSR2)
            said = supervisor.next()
            self.assertRegex(said, r"^MAINPID=\d+$")
            successor = int(said.split("=")[1])
            self.assertTrue(supervisor.next().startswith("READY=1\n"))
            self.assertEqual(old.ended(), 0)
            self.assertEqual(old.get("/readyz").status, 200)  # by the same port
            # Both have the database's password, and neither shows it.
            environment = pathlib.Path(f"/proc/{successor}/environ").read_bytes()
            self.assertIn(b"\0PORT=", b"\0" + environment)
            self.assertNotIn(cluster.environment["PGPASSWORD"].encode(), environment)
            os.kill(successor, signal.SIGTERM)
            self.assertEqual(supervisor.next(), "STOPPING=1")

    def test_one_that_was_given_the_sockets_serves_on_alone(self):
        """SIGTERM ends the old one before the new one is ready: it leaves all to it, as it would be missed."""
        old = self.serve()
        old.wait_ready()
        new = stage.Server(f"postgresql://u@127.0.0.1:{stage.free_port()}/x", wait=False,
                           **settings(self.folder, PORT=old.port))
        old.wait_log("event=takeover_begun")
        self.assertEqual(old.stop(), 0)
        new.wait_log("event=old_process_ended")
        self.assertEqual(new.get("/healthz").status, 200)
        third = self.serve(PORT=old.port)  # and it is found by the next one
        third.wait_log("event=took_over")
        self.assertEqual(new.ended(), 0)
        self.assertEqual(third.get("/readyz").status, 200)

    def test_a_second_successor_where_children_were_ignored(self):
        """A parent may have left SIGCHLD ignored: the kernel then tells nobody of an end."""
        program = shutil.copy(stage.PROGRAM, self.folder)
        self.addCleanup(setattr, stage, "PROGRAM", stage.PROGRAM)
        stage.PROGRAM = program
        before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        try:
            server = self.serve()
        finally:
            signal.signal(signal.SIGCHLD, before)
        server.wait_ready()
        os.unlink(program)
        pathlib.Path(program).write_text("#!/bin/sh\nexit 3\n")
        os.chmod(program, 0o755)
        for ends in 1, 2:
            server.process.send_signal(signal.SIGUSR2)
            stage.eventually(lambda: server.log().count("event=successor_ended status=3") == ends, 5, "its end is told")
        self.assertEqual(server.stop(), 0)

    def test_process_1_of_a_container_gives_nothing_away(self):
        """All others end with it: a successor would be one of them. It reaps who has nobody else."""
        unshare = ["unshare", "--fork", "--pid", "--mount-proc", "--kill-child"]
        if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("no namespaces here")
        port, log = stage.free_port(), tempfile.TemporaryFile("w+")
        environment = {**os.environ, "DATABASE_URL": cluster.url, "PORT": str(port), "SHARDS": "1", "DB_MAX_CONNS": "2",
                       "TAKEOVER_SOCKET": os.path.join(self.folder, "one")}
        outer = subprocess.Popen([*unshare, stage.PROGRAM], env=environment, stdout=log, stderr=log)

        def said(words):
            log.seek(0)
            return words in log.read()
        try:
            stage.eventually(lambda: said("event=listening"), 10 * stage.SLOW, "it listens")
            one = int(pathlib.Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text())
            inside = ["nsenter", "--target", str(one), "--pid", "--mount"]
            os.kill(one, signal.SIGUSR2)
            stage.eventually(lambda: said('event=no_successor why="this is process 1 of its container'), 5, "it is refused")
            other = subprocess.run([*inside, stage.PROGRAM], env=environment, capture_output=True, text=True, timeout=20)
            self.assertEqual(other.returncode, 1)
            self.assertIn("gives none: it is process 1 of its container", other.stderr)
            subprocess.run([*inside, "sh", "-c", "(sleep 0.1 &)"], check=True)
            children = pathlib.Path(f"/proc/{one}/task/{one}/children")
            stage.eventually(lambda: children.read_text() == "", 5, "an orphan is reaped")
            os.kill(one, signal.SIGTERM)
            self.assertEqual(outer.wait(10 * stage.SLOW), 0)
        finally:
            outer.kill()
            outer.wait()
            log.close()

    def test_a_successor_without_proc(self):
        hidden = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]
        if subprocess.run([*hidden, "true"], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("no namespaces here")
        told = subprocess.run([*hidden, stage.PROGRAM, "doctor"], env={**os.environ, "DATABASE_URL": cluster.url},
                              capture_output=True, text=True, timeout=30 * stage.SLOW).stdout
        self.assertIn(f"yes  Linux {os.uname().release} ", told)
        program = os.path.join(self.folder, "hidden")
        pathlib.Path(program).write_text(f"#!/bin/sh\nexec {shlex.join(hidden)} {shlex.quote(stage.PROGRAM)}\n")
        os.chmod(program, 0o755)
        with unittest.mock.patch.object(stage, "PROGRAM", program):
            server = self.serve()
        server.wait_ready()
        server.process.send_signal(signal.SIGUSR2)
        server.wait_log("event=took_over")
        self.assertEqual(server.ended(), 0)
        os.kill(int(re.search(r"successor_started pid=(\d+)", server.log())[1]), signal.SIGTERM)

    def test_without_the_setting_there_is_no_successor(self):
        server = stage.Server(cluster.url)
        server.process.send_signal(signal.SIGUSR2)
        server.wait_log("event=no_successor why=\"TAKEOVER_SOCKET is not set")
        self.assertEqual(server.get("/readyz").status, 200)
        self.assertEqual(server.stop(), 0)

    def test_a_grace_beyond_the_limit_is_refused_by_name(self):
        status, _, err = stage.run(cluster, TAKEOVER_SOCKET="@x", TAKEOVER_GRACE_MS="5000", DRAIN_LIMIT_MS="5000")
        self.assertEqual(status, 2)
        self.assertIn("TAKEOVER_GRACE_MS is 5000, and has to be less than DRAIN_LIMIT_MS, which is 5000", err)

    def test_another_port_is_refused_by_name(self):
        old = self.serve()
        old.wait_ready()
        other = self.serve(PORT=stage.free_port())
        self.assertEqual(other.ended(), 1)
        self.assertIn("set them to where it listens", other.log().splitlines()[-1])
        self.assertEqual(old.get("/readyz").status, 200)


class Supervisor:
    """Hears what a service tells of itself."""

    def __enter__(self):
        self.path = f"@ringpost-supervisor-{os.getpid()}-{time.monotonic_ns()}"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + self.path[1:])
        self.socket.settimeout(10 * stage.SLOW)
        return self

    def __exit__(self, *_):
        self.socket.close()

    def next(self):
        return self.socket.recv(4096).decode()

    def hears(self, within_s):
        """All that comes within so long."""
        end, heard = time.monotonic() + within_s, []
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            with contextlib.suppress(TimeoutError, BlockingIOError):
                heard.append(self.next())
        self.socket.settimeout(10 * stage.SLOW)
        return heard


@contextlib.contextmanager
def stopped(thread):
    """That thread alone does not run, as if it hung."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    seize, interrupt, detach, wait_all = 0x4206, 0x4207, 17, 0x40000000
    if libc.ptrace(seize, thread, None, None) != 0 or libc.ptrace(interrupt, thread, None, None) != 0:
        raise unittest.SkipTest("no thread can be stopped here: " + os.strerror(ctypes.get_errno()))
    os.waitpid(thread, wait_all)
    try:
        yield
    finally:
        libc.ptrace(detach, thread, None, None)


class Supervised(unittest.TestCase):
    def test_ready_when_the_database_is(self):
        with Supervisor() as supervisor:
            server = stage.Server(f"postgresql://u@127.0.0.1:{stage.free_port()}/x", wait=False,
                                  NOTIFY_SOCKET=supervisor.path, READY_WHEN="database")
            server.wait_log("event=listening")
            self.assertEqual(supervisor.hears(0.5), [])
            self.assertEqual(server.stop(), 0)
            self.assertEqual(supervisor.next(), "STOPPING=1")
            server = stage.Server(cluster.url, wait=False, NOTIFY_SOCKET=supervisor.path, READY_WHEN="database")
            self.assertTrue(supervisor.next().startswith("READY=1\n"))
            self.assertEqual(server.get("/readyz").status, 200)
            self.assertEqual(server.stop(), 0)

    def test_reloading(self):
        with Supervisor() as supervisor:
            server = stage.Server(cluster.url, NOTIFY_SOCKET=supervisor.path)
            self.assertTrue(supervisor.next().startswith("READY=1\n"))
            server.process.send_signal(signal.SIGHUP)
            self.assertRegex(supervisor.next(), r"^RELOADING=1\nMONOTONIC_USEC=\d+$")
            self.assertTrue(supervisor.next().startswith("READY=1\n"))
            server.wait_log("event=reloaded")
            self.assertEqual(server.get("/readyz").status, 200)
            self.assertEqual(server.stop(), 0)

    def test_what_can_be_taken_from_a_file_is(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "ringpost.toml")
            file.write_text('log-level = "info"\naccess-log = "off"\n')
            server = stage.Server(cluster.url, ["--config", str(file)], SHARDS=1)
            file.write_text('log-level = "warning"\naccess-log = "all"\nhead-timeout-ms = 9000\n')
            server.process.send_signal(signal.SIGHUP)
            server.wait_log('event=reloaded differs_from_start="--access-log --log-level" needs_a_restart=--head-timeout-ms ')
            self.assertNotIn("event=request", server.log())
            server.get("/users/" + seed_id(1))
            server.wait_log("event=request method=GET path=/users/" + seed_id(1))
            file.write_text("nonsense")
            server.process.send_signal(signal.SIGHUP)
            server.wait_log("event=not_reloaded why=")
            file.write_text('log-level = "info"\naccess-log = "off"\n')
            server.process.send_signal(signal.SIGHUP)
            server.wait_log("event=reloaded differs_from_start=nothing needs_a_restart=nothing ")
            before = server.log().count("event=request")
            server.get("/users/" + seed_id(1))
            self.assertEqual(server.stop(), 0)
            self.assertIn("event=stopped", server.log())  # which is of level info
            self.assertEqual(server.log().count("event=request"), before)

    def test_the_watchdog_is_fed_while_each_shard_turns(self):
        with Supervisor() as supervisor:
            server = stage.Server(cluster.url, NOTIFY_SOCKET=supervisor.path, WATCHDOG_USEC=int(800_000 * stage.SLOW))
            self.addCleanup(lambda: server.process.poll() is None and server.stop())
            self.assertTrue(supervisor.next().startswith("READY=1\n"))
            self.assertGreaterEqual(supervisor.hears(1.5 * stage.SLOW).count("WATCHDOG=1"), 4)  # of shards that do nothing
            tasks = pathlib.Path(f"/proc/{server.process.pid}/task")
            shard = next(int(task.name) for task in tasks.iterdir() if (task / "comm").read_text() == "shard-1\n")
            with stopped(shard):
                supervisor.hears(0.5 * stage.SLOW)
                self.assertEqual(supervisor.hears(1 * stage.SLOW), [])
            server.wait_log("event=shard_hangs")
            self.assertIn("WATCHDOG=1", supervisor.hears(1 * stage.SLOW))
            self.assertEqual(server.stop(), 0)


class Passed(unittest.TestCase):
    """LISTEN_FDS: the sockets are the supervisor's, and outlive each server."""

    def start(self, sockets, **others):
        port = sockets[0].getsockname()[1]
        server = stage.Server.__new__(stage.Server)
        for number, each in enumerate(sockets, 100):  # out of the way of 3 and on
            os.dup2(each.fileno(), number, inheritable=True)
        moves = " ".join(f"{3 + i}<&{100 + i} {100 + i}<&-" for i in range(len(sockets)))
        command = f'exec {moves}; export LISTEN_PID=$$ LISTEN_FDS={len(sockets)}; exec "$0"'
        program, stage.PROGRAM = stage.PROGRAM, "/bin/bash"
        popen = subprocess.Popen
        try:
            subprocess.Popen = lambda arguments, **how: popen(["/bin/bash", "-c", command, program], close_fds=False, **how)
            stage.Server.__init__(server, cluster.url, PORT=port, LISTEN_HOST="127.0.0.1,unix:" + sockets[-1].getsockname(),
                                  **{"DRAIN_GRACE_MS": 1500, **others})
        finally:
            stage.PROGRAM, subprocess.Popen = program, popen
            for number in range(100, 100 + len(sockets)):
                os.close(number)
        return server

    def test_a_restart_refuses_nobody(self):
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            path = os.path.join(folder, "http.sock")
            tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=512))
            unix = stack.enter_context(socket.socket(socket.AF_UNIX))
            unix.bind(path)
            unix.listen(512)
            server = self.start([tcp, unix])
            with Load(lambda: stage.Connection(server.port, 20)) as load, Load(
                    lambda: stage.UnixConnection(path, 20), rate=50, kept=2, fresh=2) as by_unix:
                for _ in range(2):
                    time.sleep(0.3)
                    self.assertEqual(server.stop(), 0)
                    self.assertIn("event=draining", server.log())
                    server = self.start([tcp, unix])
                time.sleep(0.3)
            self.assertEqual(load.problems, [])
            self.assertEqual(by_unix.problems, [])
            self.assertGreater(by_unix.answered, 10)
            self.assertEqual(server.stop(), 0)
            self.assertTrue(os.path.exists(path), "it is the supervisor's")

    def test_what_is_no_listening_socket_is_named(self):
        environment = {**os.environ, "DATABASE_URL": cluster.url, "PORT": str(stage.free_port())}
        for fds, words in ("1", "no listening stream socket"), ("x", "LISTEN_FDS is 'x'"):
            done = subprocess.run(
                ["/bin/bash", "-c", f'exec 3</dev/null; export LISTEN_PID=$$ LISTEN_FDS={fds}; exec "$0"', stage.PROGRAM],
                env=environment, capture_output=True, text=True, timeout=10 * stage.SLOW)
            self.assertEqual(done.returncode, 1)
            self.assertIn(words, done.stderr)
        done = subprocess.run(
            ["/bin/bash", "-c", 'exec 3</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$0"', stage.PROGRAM],
            env={**environment, "TAKEOVER_SOCKET": "@nowhere"}, capture_output=True, text=True, timeout=10 * stage.SLOW)
        self.assertIn("unset one of them", done.stderr)


if __name__ == "__main__":
    unittest.main()
