"""A second PostgreSQL that streams from another, and what can happen to the two: crash, promotion, a halt, return."""
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

import stage


def server_user():
    """Whom db/cluster runs PostgreSQL as: it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


class Node:
    """A PostgreSQL on a port of 127.0.0.1, by its data folder; `socket` is the folder of its UNIX socket."""

    def __init__(self, bindir, data, port, socket):
        self.bindir, self.data, self.port, self.socket = bindir, data, port, socket
        self.folder = None

    @classmethod
    def of(cls, cluster):
        """The primary that a stage.Cluster has started; it is still the cluster's to destroy."""
        place = os.path.join(cluster.folder, "pg")

        def remembered(name):
            with open(os.path.join(place, name)) as file:
                return file.read().strip()
        return cls(remembered("bindir"), os.path.join(remembered("place"), "data"), int(remembered("port")),
                   remembered("socket"))

    def standby(self, port=None):
        """A running copy of this one that streams from it."""
        folder = tempfile.mkdtemp(prefix="ringpost-test-")
        user = server_user()
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        node = Node(self.bindir, os.path.join(folder, "data"), port or stage.free_port(), folder)
        node.folder = folder
        self._run("pg_basebackup", "-D", node.data, "-R", "-X", "stream", "--checkpoint=fast", "--no-sync",
                  "-h", self.socket, "-p", str(self.port), "-U", "postgres")
        node.start()
        stage.eventually(lambda: node.query("select count(*) from pg_stat_wal_receiver where status = 'streaming'") == "1",
                         10 * stage.SLOW, "the standby streams")
        return node

    def _run(self, program, *arguments):
        user = server_user()
        identity = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        done = subprocess.run([os.path.join(self.bindir, program), *arguments], cwd="/", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, **identity)
        if done.returncode != 0:
            raise AssertionError(f"{program} {arguments}: {done.stdout}")

    def _control(self, *arguments):
        self._run("pg_ctl", "-D", self.data, "-w", "-t", "30", "-s", *arguments)

    def start(self):
        # Its log is no pipe of this process: it would be waited for.
        self._control("-l", os.path.join(os.path.dirname(self.data), "log"), "-o",
                      f"-p {self.port} -k '{self.socket}' -F", "start")

    def crash(self):
        self._control("-m", "immediate", "stop")

    def promote(self):
        self._control("promote")

    def query(self, sql):
        return subprocess.run(
            [os.path.join(self.bindir, "psql"), "-X", "-qAt", "-h", self.socket, "-p", str(self.port), "-U", "postgres",
             "-d", "ringpost", "-c", sql],
            check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def sessions(self, name="ringpost"):
        """How many the server program has here, by its application_name; a standby's own has the cluster's name."""
        return int(self.query("select count(*) from pg_stat_activity where backend_type = 'client backend'"
                              f" and application_name = '{name}'"))

    def processes(self):
        """The postmaster and its children."""
        with open(os.path.join(self.data, "postmaster.pid")) as file:
            postmaster = int(file.readline())
        found = [postmaster]
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat") as file:
                    if int(file.read().rsplit(")", 1)[1].split()[1]) == postmaster:
                        found.append(int(pid))
            except OSError:
                continue
        return found

    def halt(self):
        """Nothing is answered any more, and nobody is told; returns what goes on with it."""
        stage.signal_all(self.processes()[:1], signal.SIGSTOP)  # so that there are no new ones
        halted = self.processes()
        stage.signal_all(halted, signal.SIGSTOP)
        return lambda: stage.signal_all(halted, signal.SIGCONT)

    def destroy(self):
        try:
            self.crash()
        except AssertionError:
            pass  # it does not run
        shutil.rmtree(self.folder)
