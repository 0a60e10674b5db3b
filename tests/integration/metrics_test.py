"""`/metrics`: Prometheus's text format, strictly read, and figures that are those of what was asked."""
import json
import os
import re
import time
import unittest

import stage
from stage import seed_id

cluster = None
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? ([^ ]+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')


def setUpModule():
    global cluster
    cluster = stage.Cluster(rows=100)
    unittest.addModuleCleanup(cluster.destroy)


def parse(text):
    """{family: (type, {(name, labels): value})}; each family once, its HELP and TYPE first, no sample twice."""
    families, family = {}, None
    if not text.endswith("\n"):
        raise AssertionError("the last line does not end")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            family = line.split(" ", 3)[2]
            if family in families:
                raise AssertionError(f"{family} twice")
            families[family] = (None, {})
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            if name != family or families[family][0]:
                raise AssertionError(line)
            families[family] = (kind, {})
        else:
            name, labels, value = SAMPLE.fullmatch(line).groups()
            kind, samples = families[family]
            suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
            if name not in [family + suffix for suffix in suffixes]:
                raise AssertionError(f"{line} within {family}")
            key = name, tuple(sorted(LABEL.findall(labels or "")))
            if key in samples:
                raise AssertionError(f"{line} twice")
            samples[key] = float(value)
    return families


class Metrics(unittest.TestCase):
    def setUp(self):
        self.server = stage.Server(cluster.url, SHARDS=2, DB_MAX_CONNS=4)
        self.addCleanup(self.server.stop)

    def scrape(self, server=None):
        response = (server or self.server).get("/metrics")
        self.assertEqual(response.status, 200)
        self.assertEqual(response.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
        return parse(response.body.decode())

    def value(self, families, family, suffix="", **labels):
        """The sum of the samples with these labels."""
        wanted = set((k, str(v)) for k, v in labels.items())
        return sum(value for (name, have), value in families[family][1].items()
                   if name == family + suffix and wanted <= set(have))

    def test_requests_are_counted_over_all_shards(self):
        for n in range(20):  # connections of their own: both shards have some
            self.assertEqual(self.server.get("/users/" + seed_id(n + 1)).status, 200)
        self.assertEqual(self.server.get("/users/" + seed_id(101)).status, 404)
        self.assertEqual(self.server.get("/users/x").status, 400)
        self.assertEqual(self.server.get("/users?limit=3", "HEAD").status, 200)
        self.assertEqual(self.server.get("/nothing").status, 404)
        self.assertEqual(self.server.get("/users", "DELETE").status, 405)
        found = self.scrape()
        name = "http_server_request_duration_seconds"
        self.assertEqual(found[name][0], "histogram")

        def count(**labels):
            return self.value(found, name, "_count", **labels)
        self.assertEqual(count(http_route="/users/{id}", http_response_status_code=200, http_request_method="GET"), 20)
        self.assertEqual(count(http_route="/users/{id}", http_response_status_code=404), 1)
        self.assertEqual(count(http_route="/users/{id}", http_response_status_code=400), 1)
        self.assertEqual(count(http_route="/users", http_request_method="HEAD", http_response_status_code=200), 1)
        self.assertEqual(count(http_route="/users", http_request_method="DELETE", http_response_status_code=405), 1)
        self.assertEqual(count(http_response_status_code=404), 2)
        name = "db_client_operation_duration_seconds"
        self.assertEqual(self.value(found, name, "_count", db_query_summary="find_user", db_system_name="postgresql"), 21)
        self.assertEqual(self.value(found, name, "_count", db_query_summary="list_users"), 1)
        # Each statement of users was sent in a query; /readyz of the start were others.
        self.assertGreaterEqual(self.value(found, "ringpost_pg_queries_total"), 22)
        self.assertLessEqual(self.value(found, "ringpost_pg_syncs_total"), self.value(found, "ringpost_pg_queries_total"))
        self.assertEqual(self.value(found, "ringpost_http_active_requests"), 1)  # this one
        self.assertGreaterEqual(self.value(found, "ringpost_http_connections_accepted_total"), 25)
        self.assertEqual(self.value(found, "db_client_connection_max"), 4)
        self.assertTrue(1 <= self.value(found, "db_client_connection_count") <= 4)
        self.assertEqual(len({dict(labels)["shard"] for _, labels in found["ringpost_reactor_turns_total"][1]}), 2)
        # A second one has all that the first had.
        again = self.scrape()
        for family, (_, samples) in found.items():
            self.assertLessEqual(samples.keys(), again[family][1].keys(), family)

    def test_buckets_add_up(self):
        for n in range(10):
            self.server.get("/users/" + seed_id(n + 1))
        _, samples = self.scrape()["http_server_request_duration_seconds"]
        series = {}
        for (name, labels), value in samples.items():
            rest = tuple((k, v) for k, v in labels if k != "le")
            if name.endswith("_bucket"):
                series.setdefault(rest, []).append((float(dict(labels)["le"]), value))
        self.assertTrue(series)
        for labels, buckets in series.items():
            buckets.sort()
            values = [value for _, value in buckets]
            self.assertEqual(values, sorted(values))
            self.assertEqual(buckets[-1], (float("inf"), samples["http_server_request_duration_seconds_count", labels]))
            for (low, _), (high, _) in zip(buckets[:-2], buckets[1:-1]):
                self.assertLess(high / low, 1.091)

    def test_failures_are_told_apart(self):
        server = stage.Server(cluster.url, SHARDS=1, DB_MAX_CONNS=1)  # another connection would wait for the lock to open
        self.addCleanup(server.stop)
        lock = cluster.session()
        lock.stdin.write("begin; lock table users in access exclusive mode; select 'locked';\n")
        lock.stdin.flush()
        self.assertEqual(lock.stdout.readline(), "locked\n")
        self.assertEqual(server.get("/users/" + seed_id(1)).status, 503)
        waiting = self.scrape(server)
        lock.communicate("rollback;\n")
        self.assertEqual(self.value(waiting, "db_client_operation_duration_seconds", "_count",
                                    db_query_summary="find_user", error_type="timed_out"), 1)
        self.assertEqual(self.value(waiting, "http_server_request_duration_seconds", "_count", http_route="/users/{id}",
                                    http_response_status_code=503, error_type="503"), 1)
        took = self.value(waiting, "http_server_request_duration_seconds", "_sum", http_response_status_code=503)
        self.assertTrue(1.9 <= took <= 2.6 * stage.SLOW, took)
        self.assertEqual(self.value(waiting, "db_client_connection_count", db_client_connection_state="used"), 1)
        stage.eventually(lambda: self.value(self.scrape(server), "db_client_connection_count", db_client_connection_state="used") == 0,
                         3 * stage.SLOW, "none is used")

    def test_lost_sessions_are_counted(self):
        self.assertEqual(self.value(self.scrape(), "ringpost_pg_sessions_lost_total"), 0)
        before = self.value(self.scrape(), "ringpost_pg_sessions_total")
        cluster.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ringpost'")

        def back():
            found = self.scrape()
            return (self.value(found, "ringpost_pg_sessions_lost_total") >= 1
                    and self.value(found, "ringpost_pg_sessions_total") > before)
        stage.eventually(back, 3 * stage.SLOW, "a session is counted as lost, and another as opened")

    def test_the_dashboard_and_the_alerts_name_what_there_is(self):
        self.server.get("/users/" + seed_id(1))
        there = set()
        for family, (kind, samples) in self.scrape().items():
            there |= {family} | {name for name, _ in samples}
            there |= {label for _, labels in samples for label, _ in labels}
        there |= {"job", "instance", "le", "error_type", "http_route"}  # Prometheus's own, and of what has not happened
        folder = os.path.join(stage.ROOT, "docs/monitoring")
        with open(os.path.join(folder, "grafana.json")) as file:
            dashboard = json.load(file)
        expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        with open(os.path.join(folder, "alerts.yaml")) as file:
            rules = re.findall(r"expr: (>-\n(?: {10}.*\n)+|.*\n)", file.read())
        self.assertEqual((len(expressions) >= 20, len(rules)), (True, 8))
        functions = {"sum", "max", "by", "rate", "histogram_quantile", "and", "on"}
        for expression in expressions + rules:
            bare = re.sub(r'"(?:[^"\\]|\\.)*"|\$\w+|\[[^]]*\]', "", expression)
            names = set(re.findall(r"[a-zA-Z_]\w*", bare))
            self.assertLessEqual(names - functions - there, {"m", "s"}, expression)

    def test_the_process_itself(self):
        found = self.scrape()
        self.assertGreater(self.value(found, "process_resident_memory_bytes"), 1 << 20)
        self.assertGreater(self.value(found, "process_open_fds"), 5)
        self.assertGreater(self.value(found, "process_cpu_seconds_total"), 0)
        self.assertLess(abs(self.value(found, "process_start_time_seconds") - time.time()), 60)
        self.assertEqual(self.server.get("/metrics", "POST").status, 405)
        head = self.server.get("/metrics", "HEAD")
        self.assertEqual((head.status, head.body), (200, b""))


if __name__ == "__main__":
    unittest.main()
