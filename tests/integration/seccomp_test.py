"""ringpost under its seccomp profile, as a kubelet sets it: all that it does works, and what it has no use for is refused. The profile under
Docker's engine is tests/compose'."""
import ctypes.util
import errno
import os
import signal
import subprocess
import sys
import unittest

import stage

LAUNCHER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "under_seccomp.py")
cluster = None


def setUpModule():
    global cluster
    cluster = stage.Cluster(rows=1000)
    unittest.addModuleCleanup(cluster.destroy)
    os.environ["PROGRAM_UNDER_SECCOMP"] = stage.PROGRAM
    stage.PROGRAM = LAUNCHER


class Seccomp(unittest.TestCase):
    def test_it_serves_loses_its_sessions_and_drains(self):
        server = stage.Server(cluster.url)
        self.addCleanup(server.stop)
        with open(f"/proc/{server.process.pid}/status") as status:
            self.assertIn("Seccomp:\t2\n", status.read(), "no filter is set")
        with server.connect() as connection:
            user = connection.request("/users/" + stage.seed_id(1))
            self.assertEqual((user.status, user.json()["email"]), (200, "user1@example.com"))
            self.assertEqual(len(connection.request("/users?limit=50").json()["items"]), 50)
            figures = dict(line.split(" ") for line in connection.request("/metrics").body.decode().splitlines() if line.startswith("process_"))
            for name in "cpu_seconds_total", "resident_memory_bytes", "open_fds", "max_fds":
                self.assertGreater(float(figures["process_" + name]), 0, name)
            cluster.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ringpost'")
            stage.eventually(lambda: connection.request("/readyz").status == 200, 5, "sessions are opened again")
        self.assertEqual(stage.run(cluster, "--healthcheck", PORT=str(server.port)), (0, "", ""))
        self.assertEqual(server.stop(signal.SIGTERM), 0)
        self.assertNotIn("Operation not permitted", server.log())

    def test_doctor_finds_nothing_wrong_with_the_filter(self):
        status, told, err = stage.run(cluster, "doctor")
        self.assertEqual((status, [line for line in told.splitlines() if line.startswith("NO")], err), (0, [], ""), told)

    def test_a_name_is_resolved(self):
        port = cluster.environment["PGPORT"]
        with_name = f"postgresql://ringpost:{cluster.environment['PGPASSWORD']}@localhost:{port}/ringpost?sslmode=disable"
        server = stage.Server(with_name)
        self.assertEqual(server.get("/users/" + stage.seed_id(2)).status, 200)
        self.assertEqual(server.stop(), 0)

    def test_what_it_has_no_use_for_is_refused(self):
        environment = {**os.environ, "PROGRAM_UNDER_SECCOMP": os.environ["CALLS"]}
        told = subprocess.run([LAUNCHER], env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
        ended = {name: int(number) for name, number in (line.split() for line in told.splitlines())}
        for name in "io_uring_setup", "socket_inet", "socket_unix", "name_thread":
            self.assertNotIn(ended.pop(name), (errno.EPERM, errno.ENOSYS), name)
        self.assertEqual(ended.pop("clone3"), errno.ENOSYS)
        self.assertEqual(ended, dict.fromkeys(ended, errno.EPERM))
        self.assertLessEqual({"fork", "mkdir", "unlink", "chmod", "kill", "memfd", "unshare", "bpf"}, set(ended))


if __name__ == "__main__":
    if not ctypes.util.find_library("seccomp"):
        print("seccomp_test: LEFT OUT: there is no libseccomp", file=sys.stderr)
        sys.exit(77)
    unittest.main()
