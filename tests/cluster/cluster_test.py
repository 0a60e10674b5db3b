#!/usr/bin/env python3
"""compose.cluster.yaml for real, where a container engine answers, under an open-loop load: what clients see when a primary, a
standby and a ringpost are killed, a standby halts, and when all ringposts are replaced one after the other. Ends with a table; `make cluster-test`."""
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import unittest
import urllib.request

import load

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROJECT = "ringpost-cluster-test"
PORT, STATE_PORT = 18190, 18191
RATE = float(os.environ.get("RATE", "200"))
SERVERS = "pg1", "pg2", "pg3"
RINGPOSTS = "ringpost1", "ringpost2", "ringpost3"
# What takes longer is counted as not yet recovered. Two cores have all of it, the load too.
SLOW_S = 1.0
# Answers by 503 when a server dies under its sessions: a read is asked again once, and its second session may be one of that server's too.
TWICE = 10

environment = {
    **{name: value for name, value in os.environ.items() if not re.match(r"MAKE|MFLAGS|COMPOSE_|.*_PASSWORD$", name)},
    "COMPOSE_PROJECT_NAME": PROJECT, "CLUSTER_PORT": str(PORT), "CLUSTER_STATE_PORT": str(STATE_PORT),
    "DB_MAX_CONN_LIFETIME_MS": "20000",  # the default of compose.cluster.yaml is a longer wait, not another way
}
rows = []


def run(*command, limit_s=60, fails=False):
    done = subprocess.run(command, cwd=ROOT, env=environment, text=True, timeout=limit_s, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0 and not fails:
        raise AssertionError(f"{' '.join(command)}: status {done.returncode}\n{done.stdout[-4000:]}")
    return done.stdout


def compose(*words, **more):
    return run("docker", "compose", "-f", "compose.cluster.yaml", *words, **more)


def docker(verb, service, *more, **options):
    """By the container's name, which Compose makes of the project's and the service's."""
    return run("docker", verb, *more, f"{PROJECT}-{service}-1", **options)


def eventually(check, limit_s, what):
    """Waits until check() is true; its value."""
    end = time.monotonic() + limit_s
    while not (value := check()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit_s} s: {what}")
        time.sleep(0.25)
    return value


def psql(server, sql, database="users"):
    """The answer as text; empty where that server does not answer."""
    done = subprocess.run(["docker", "exec", f"{PROJECT}-{server}-1", "psql", "-qAtX", "-U", "postgres", "-d", database, "-c", sql],
                          env={**environment, "PGCONNECT_TIMEOUT": "3"}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, timeout=60)
    return done.stdout.strip() if done.returncode == 0 else ""


def primary(*of):
    return next((server for server in of or SERVERS if psql(server, "select pg_is_in_recovery()") == "f"), None)


def streaming(server):
    """Names of the standbys that have all but a moment of this primary's changes."""
    return set(psql(server, "select application_name from pg_stat_replication where state = 'streaming'").split())


def sessions(server):
    return int(psql(server, "select count(*) from pg_stat_activity where application_name = 'ringpost'") or 0)


def up():
    """The ringposts that HAProxy sends requests to."""
    with urllib.request.urlopen(f"http://127.0.0.1:{STATE_PORT}/;csv", timeout=5) as response:
        lines = [line.split(",") for line in response.read().decode().splitlines()]
    name, status = lines[0].index("svname"), lines[0].index("status")
    return {line[name] for line in lines[1:] if len(line) > status and line[name] in RINGPOSTS and line[status].startswith("UP")}


def users(server):
    """All users in the order of their ids, as the API is to show them: from the table, not by way of ringpost."""
    told = psql(server, "select encode(convert_to(json_agg(json_build_array(id, email, full_name, age, country_code, is_active,"
                        " (extract(epoch from created_at) * 1000000)::bigint) order by id)::text, 'UTF8'), 'hex') from users")
    keys = "id", "email", "full_name", "age", "country_code", "is_active", "created_at"
    begin = datetime.datetime(1970, 1, 1)
    return [dict(zip(keys, [*row[:-1], (begin + datetime.timedelta(microseconds=row[-1])).isoformat() + "Z"]))
            for row in json.loads(bytes.fromhex(told))]


def setUpModule():
    unittest.addModuleCleanup(compose, "down", "--volumes", "--remove-orphans", limit_s=180)
    compose("down", "--volumes", "--remove-orphans", limit_s=180)
    compose("up", "-d", "--build", "--wait", limit_s=2400)


def all_is_well():
    leader = primary()
    return leader and len(streaming(leader)) == 2 and up() == set(RINGPOSTS)


class Cluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        eventually(all_is_well, 120, "a primary, two standbys that stream, three ringposts")
        cls.load = load.Load(PORT, users(primary()), RATE)
        cls.addClassCleanup(cls.load.end)
        time.sleep(5)  # the first requests open connections

    def setUp(self):
        eventually(all_is_well, 120, "all is well before it begins")
        time.sleep(3)
        self.since = time.monotonic()

    def note(self, what, remark, quiet_s=5, **allowed):
        """Waits for quiet, judges what was asked meanwhile, and makes a row of the table of it."""
        time.sleep(quiet_s)
        end = time.monotonic()
        time.sleep(1)
        asked = self.load.between(self.since - 1, end)
        counts, times = load.summary(asked)
        recovered = load.recovered_s(asked, self.since, SLOW_S)
        others = ", ".join(f"{counts[name]} {name}" for name in load.OUTCOMES[1:] if counts[name])
        rows.append((what, len(asked), others or "none", recovered, times["p99"], times["most"], remark))
        print(f"{what}: {len(asked)} requests, failed: {others or 'none'}; recovered in {recovered:.1f} s; {remark}", flush=True)
        details = [f"{each.due - self.since:+.2f} s, {each.outcome}: {each.detail}" for each in asked if each.outcome != "answered"]
        for name in load.OUTCOMES[1:]:
            self.assertLessEqual(counts[name], allowed.get(name.replace("503", "unavailable"), 0), details[:20])
        self.assertGreater(counts["answered"], RATE * (end - self.since) * 0.9)
        last = [each for each in asked if each.due > end - 2]
        self.assertEqual({each.outcome for each in last}, {"answered"}, "it has not recovered")

    def kill(self, service):
        self.since = time.monotonic()
        self.addCleanup(docker, "start", service)  # whatever comes: the others' turn is next
        docker("kill", service)

    def seconds(self):
        return time.monotonic() - self.since

    def test_1_nothing_happens(self):
        leader = primary()
        # prefer-standby, in a random order: both standbys have sessions, the primary none.
        eventually(lambda: sessions(leader) == 0, 70, "no session stays at the primary")
        self.assertEqual([server for server in SERVERS if sessions(server)], [each for each in SERVERS if each != leader])
        self.since = time.monotonic()
        self.note("nothing", "sessions at the standbys alone", quiet_s=10)

    def test_2_a_standby_is_killed_and_returns(self):
        leader = primary()
        standby = next(server for server in SERVERS if server != leader)
        self.kill(standby)
        self.note("a standby is killed", "sessions move to the other one", quiet_s=10, unavailable=TWICE)
        self.since = time.monotonic()
        docker("start", standby)
        eventually(lambda: len(streaming(leader)) == 2, 90, "it streams again")
        streams_s = self.seconds()
        eventually(lambda: sessions(standby) > 0, 90, "sessions come back to it")
        self.note("it returns", f"it streams after {streams_s:.0f} s, has sessions after {self.seconds():.0f} s")

    def test_3_a_standby_halts(self):
        """No packet says that it is gone."""
        leader = primary()
        standby = next(server for server in SERVERS if server != leader)
        self.since = time.monotonic()
        docker("pause", standby)
        try:
            time.sleep(12)
        finally:
            docker("unpause", standby)
        self.note("a standby halts for 12 s", "requests there wait, then are asked elsewhere", unavailable=RATE * 3)

    def test_4_the_primary_is_killed_and_returns(self):
        old = primary()
        self.kill(old)
        others = [server for server in SERVERS if server != old]
        new = eventually(lambda: primary(*others), 90, "another one is primary")
        elected_s = self.seconds()
        self.note("the primary is killed", f"{new} is primary after {elected_s:.0f} s", quiet_s=15, unavailable=TWICE)
        self.since = time.monotonic()
        docker("start", old)
        eventually(lambda: len(streaming(new)) == 2, 120, "the old one streams from the new one")
        streams_s = self.seconds()
        eventually(lambda: sessions(new) == 0, 120, "no session stays at the new primary")
        self.note("it returns as a standby", f"it streams after {streams_s:.0f} s; no session is at the primary after {self.seconds():.0f} s")

    def test_5_a_ringpost_is_killed_and_returns(self):
        self.kill("ringpost2")
        eventually(lambda: up() == {"ringpost1", "ringpost3"}, 15, "HAProxy knows")
        known_s = self.seconds()
        # Not asked again: what was answered in part.
        self.note("a ringpost is killed", f"HAProxy knows after {known_s:.1f} s", closed=2)
        self.since = time.monotonic()
        docker("start", "ringpost2")
        eventually(lambda: up() == set(RINGPOSTS), 30, "it is up again")
        self.note("it returns", f"it is asked after {self.seconds():.1f} s")

    def test_6_each_ringpost_is_replaced(self):
        self.since = time.monotonic()
        for service in RINGPOSTS:
            before = docker("inspect", service, "--format", "{{.Id}}")
            compose("up", "-d", "--no-deps", "--force-recreate", "--wait", service, limit_s=120)
            self.assertNotEqual(docker("inspect", service, "--format", "{{.Id}}"), before)
            eventually(lambda: up() == set(RINGPOSTS), 60, f"{service} is asked again")
        self.note("all ringposts are replaced, one by one", f"done after {self.seconds():.0f} s")

    def test_7_nothing_was_wrong_throughout(self):
        """Between the events, too."""
        counts, _ = load.summary(self.load.between(0))
        self.assertEqual((counts["wrong"], counts["refused"], counts["other status"]), (0, 0, 0), counts)
        self.assertEqual(self.load._failure, None)


def table():
    lines = [f"{RATE:g} requests/s, half of them on fresh connections; recovered: the last request ended that failed or took over"
             f" {SLOW_S * 1000:g} ms; latencies in ms.", "",
             "| what | requests | not answered | recovered after, s | p99 | slowest | |", "|---|---:|---|---:|---:|---:|---|"]
    for what, count, others, recovered, p99, most, remark in rows:
        lines.append(f"| {what} | {count:,} | {others} | {recovered:.1f} | {p99:.0f} | {most:,.0f} | {remark} |")
    return "\n".join(lines)


if __name__ == "__main__":
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True).returncode != 0:
        print("cluster_test: LEFT OUT: no container engine answers, the cluster was not tried", file=sys.stderr)
        sys.exit(77)
    program = unittest.main(verbosity=2, exit=False)
    print(table())
    sys.exit(not program.result.wasSuccessful())
