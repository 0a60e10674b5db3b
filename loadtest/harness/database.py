"""The private PostgreSQL of a run: db/cluster in a folder of its own, seeded, on CPUs of the harness's choice."""
import functools
import json
import os
import re
import shlex
import shutil
import signal
import threading
import time
from pathlib import Path

from . import contract, interrupts, processes, programs
from .contender import Problem

# The statement that counts is a SELECT of the contenders' role on its table; what a driver asks at connecting is shown, not judged.
STATEMENTS = """select coalesce(json_agg(json_build_object('id', queryid, 'query', query, 'calls', calls, 'rows', rows)), '[]')
from pg_stat_statements where dbid = (select oid from pg_database where datname = 'ringpost')
and userid = (select oid from pg_roles where rolname = 'ringpost')"""
# What a contender, whose role owns the table, could leave behind for the next one.
STATE = """select json_build_object(
'rows', (select count(*) || ' rows, md5 ' || md5(string_agg(users::text, ',' order by id)) from users),
'columns', (select json_agg(attname || case when attisdropped then ' dropped' else ' ' || format_type(atttypid, atttypmod) end order by attnum)
            from pg_attribute where attrelid = 'users'::regclass and attnum > 0),
'indexes', (select json_object_agg(indexrelid::regclass, pg_get_indexdef(indexrelid) order by indexrelid) from pg_index where indrelid = 'users'::regclass),
'options', (select reloptions from pg_class where oid = 'users'::regclass),
'settings', (select json_agg(setconfig) from pg_db_role_setting))"""
# What a process of PostgreSQL calls itself: cluster, role and database, then where its client is.
CLIENT = re.compile(rb"postgres: ringpost: ringpost ringpost ")
SETTINGS = ("shared_buffers", "max_connections", "work_mem", "effective_cache_size", "jit", "fsync", "synchronous_commit",
            "plan_cache_mode", "max_parallel_workers_per_gather", "shared_preload_libraries")


VERSION = 16  # as compose.yaml has it


def programs_folder(root):
    """Of PostgreSQL VERSION, which is fetched where the distribution has another; None, and that is said, where it can't be had."""
    done = programs.run([Path(root) / "tools/postgres-binaries", str(VERSION)])
    if done.returncode != 0:
        print(f"PostgreSQL is the distribution's: {done.stderr.strip()}", flush=True)
        return None
    return done.stdout.strip()


class Database:
    """`bindir`: the server's programs; None: the distribution's, or what its folder was made with."""

    def __init__(self, root, folder, rows=10_000, bindir=None):
        self.root, self.folder, self.rows, self.bindir = Path(root), Path(folder), rows, bindir
        self.cpus = os.sched_getaffinity(0)

    def _cluster(self, *words):
        with interrupts.held():  # a start that is cut short leaves a server that nobody knows of
            done = programs.run([self.root / "db/cluster", words[0], "--dir", self.folder, *words[1:]])
        if done.returncode != 0:
            raise Problem(f"db/cluster {words[0]}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def make(self):
        """Starts it; when it is new, with the table and its rows."""
        self.start()
        environment = {**os.environ, "DATABASE_URL": self.url, "SEED_ROWS": str(self.rows)}
        for step in "db/migrate", "db/seed/run":
            done = programs.run([self.root / step], env=environment)
            if done.returncode != 0:
                raise Problem(f"{step}: {done.stderr.strip()}")
        if not self.query("select 1 from pg_extension where extname = 'pg_stat_statements'"):
            raise Problem("this PostgreSQL has no pg_stat_statements, by which the rules are checked (on Debian it is in postgresql)")
        self.query("vacuum analyze users")

    def renew(self):
        """A cluster that nobody has used, in place of what was there."""
        self.destroy()
        self.make()
        self.made = self.state()

    def start(self):
        self._cluster("start", *(["--bindir", self.bindir] if self.bindir else []))
        environment = dict(word.split("=", 1) for word in shlex.split(self._cluster("env")))
        self.url, self.socket, self.port = environment["DATABASE_URL"], environment["PGHOST"], environment["PGPORT"]
        self.psql = self.client()
        self.postmaster = int((Path((self.folder / "place").read_text().strip()) / "data/postmaster.pid").read_text().split()[0])
        self.move_to(self.cpus)

    def client(self):
        """The path of a psql, with pg_isready beside it: the server's, else the distribution's."""
        server = Path((self.folder / "bindir").read_text().strip())
        if (server / "psql").exists():
            return str(server / "psql")
        found = programs.run([self.root / "tools/postgres-bindir"]).stdout.strip()
        return str(Path(found) / "psql") if found else shutil.which("psql")

    def url_over_socket(self):
        password = self.url.split("@")[0].rsplit(":", 1)[1]
        return f"host={self.socket} port={self.port} user=ringpost password={password} dbname=ringpost"

    def stop(self):
        self._cluster("stop")

    def destroy(self):
        self._cluster("destroy")

    def restart(self):
        """When it took queries again: earlier than the command that starts it says so."""
        self.stop()
        ready = threading.Thread(target=self._watch)
        ready.start()
        self.start()
        ready.join()
        return self.ready_at

    def _watch(self):
        question = [str(Path(self.psql).with_name("pg_isready")), "-q", "-h", self.socket, "-p", self.port]
        end = time.monotonic() + 30
        while programs.run(question).returncode != 0 and time.monotonic() < end:
            time.sleep(0.01)
        self.ready_at = time.monotonic()

    def move_to(self, cpus):
        """Those that run now; what the postmaster starts from here on inherits it."""
        self.cpus = set(cpus)
        for pid in self.pids():
            try:
                os.sched_setaffinity(pid, self.cpus)
            except ProcessLookupError:
                pass

    def pids(self):
        return processes.tree(self.postmaster)

    def freeze(self):
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in self.pids():
            os.kill(pid, signal.SIGCONT)

    def psql_command(self, *words):
        # Not by db/cluster: a turn asks several times, and bash takes longer than PostgreSQL.
        return [self.psql, "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.socket, "-p", self.port, "-U", "postgres", "-d", "ringpost", *words]

    def query(self, sql):
        """The answer as text, as the superuser."""
        done = programs.run(self.psql_command("-c", sql))
        if done.returncode != 0:
            raise Problem(f"psql: {done.stderr.strip()}")
        return done.stdout.rstrip("\n")

    def reset_statements(self):
        self.query("select pg_stat_statements_reset()")

    def statements(self):
        return json.loads(self.query(STATEMENTS))

    @functools.cache
    def identifier(self, types, sql):
        """PostgreSQL's own for a statement with these parameter types: the same for every wording of the same query tree, whatever its
        blanks, case and aliases."""
        plan = self.query(f"prepare statement ({types}) as {sql}; "
                          f"explain (verbose, format json) execute statement ({', '.join(['null'] * (types.count(',') + 1))})")
        return json.loads(plan)[0]["Query Identifier"]

    def connections(self, application_name):
        """Of the contenders' role: how many by this name, and how many in all."""
        named, every = self.query(
            "select count(*) filter (where application_name = '%s'), count(*) from pg_stat_activity "
            "where usename = 'ringpost' and backend_type = 'client backend'" % application_name.replace("'", "''")).split("|")
        return int(named), int(every)

    def clients(self):
        """The same in all, by the processes' titles: so it costs PostgreSQL nothing, whose CPU time is a figure."""
        return sum(CLIENT.match(title) is not None for title in processes.titles(self.pids()))

    def state(self):
        return json.loads(self.query(STATE))

    @functools.cache
    def users(self):
        """All users in the order of their ids, as the contract has them answered."""
        return contract.users(self.query)

    def settings(self):
        return dict(line.split("|", 1) for line in self.query(
            "select name, current_setting(name) from pg_settings where name in (%s) order by name"
            % ", ".join(f"'{name}'" for name in SETTINGS)).splitlines())

    def version(self):
        return self.query("select version()")
