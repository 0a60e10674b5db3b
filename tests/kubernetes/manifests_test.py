"""deploy/kubernetes and compose.cluster.yaml: against the schemas of Kubernetes' API, against each other, and against what the program
knows. Needs no cluster and no engine."""
import os
import pathlib
import re
import subprocess
import unittest

import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/kubernetes"
PROGRAM = os.environ["RINGPOST"]
# The oldest that still knows all of it, and the newest that the schemas are of.
RELEASES = "1.31", "1.35"
# Not resources of the API: for kustomize, and the values of a chart.
OTHERS = "kustomization.yaml", "prometheus-adapter.yaml"
# Of CloudNativePG's Cluster (postgresql.cnpg.io/v1) what is used here; its schema is in none of the packages.
CLUSTER = {
    "instances": int, "storage": {"size": str},
    "affinity": {"enablePodAntiAffinity": bool, "podAntiAffinityType": str, "topologyKey": str},
    "resources": {"requests": {"cpu": str, "memory": str}, "limits": {"cpu": str, "memory": str}},
    "bootstrap": {"initdb": {"database": str, "owner": str, "postInitApplicationSQL": [str]}},
    "managed": {"roles": [{"name": str, "ensure": str, "login": bool, "passwordSecret": {"name": str}}]},
    "postgresql": {"parameters": {"max_connections": str, "shared_buffers": str, "hot_standby_feedback": str}},
}
manifests = {}


def setUpModule():
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.name not in OTHERS:
            for each in yaml.safe_load_all(path.read_text()):
                manifests[each["kind"], each["metadata"]["name"]] = each


def told(*arguments, **environment):
    done = subprocess.run([PROGRAM, *arguments], env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout + done.stderr


def fits(value, shape):
    """What of `value` is not of `shape`, or None."""
    if isinstance(shape, dict):
        if not isinstance(value, dict) or not value.keys() <= shape.keys():
            return value
        return next((wrong for key, each in value.items() if (wrong := fits(each, shape[key])) is not None), None)
    if isinstance(shape, list):
        return next((wrong for each in value if (wrong := fits(each, shape[0])) is not None), None) if isinstance(value, list) else value
    return None if type(value) is shape else value


def seconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(ms|s|m)?", str(text)).groups()
    return float(number) * {"ms": 0.001, "s": 1, "m": 60, None: 1}[unit]


class Kubernetes(unittest.TestCase):
    def setUp(self):
        self.pod = manifests["Deployment", "ringpost"]["spec"]["template"]["spec"]
        self.container = self.pod["containers"][0]
        self.settings = {each["name"]: each.get("value") for each in self.container["env"]}

    def test_the_api_takes_them(self):
        for (kind, name), each in manifests.items():
            if kind == "Cluster":
                continue
            for release in RELEASES:
                with self.subTest(kind=kind, name=name, release=release):
                    kubernetes_validate.validate(each, release, strict=True)

    def test_a_wrong_one_is_not_taken(self):
        wrong = yaml.safe_load(yaml.safe_dump(manifests["Deployment", "ringpost"]))
        wrong["spec"]["template"]["spec"]["terminationGracePeriod"] = 25
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(wrong, RELEASES[0], strict=True)

    def test_cloudnative_pg(self):
        cluster = manifests["Cluster", "users-db"]
        self.assertEqual(cluster["apiVersion"], "postgresql.cnpg.io/v1")
        self.assertIsNone(fits(cluster["spec"], CLUSTER))
        self.assertEqual(cluster["spec"]["instances"], 3)

    def test_all_are_listed_and_in_one_namespace(self):
        listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
        self.assertEqual(set(listed["resources"]), {path.name for path in FOLDER.glob("*.yaml")} - set(OTHERS))
        for each in manifests.values():
            self.assertEqual(each["metadata"].get("namespace", each["metadata"]["name"]), listed["namespace"])

    def test_they_mean_each_other(self):
        labels = manifests["Deployment", "ringpost"]["spec"]["template"]["metadata"]["labels"]
        for kind in "Deployment", "PodDisruptionBudget":
            self.assertEqual(manifests[kind, "ringpost"]["spec"]["selector"]["matchLabels"], labels)
        self.assertEqual(manifests["Service", "ringpost"]["spec"]["selector"], labels)
        self.assertEqual(manifests["NetworkPolicy", "ringpost"]["spec"]["podSelector"]["matchLabels"], labels)
        self.assertEqual(manifests["HorizontalPodAutoscaler", "ringpost"]["spec"]["scaleTargetRef"]["name"], "ringpost")
        self.assertNotIn("replicas", manifests["Deployment", "ringpost"]["spec"])
        port = {each["name"]: each["containerPort"] for each in self.container["ports"]}
        self.assertEqual(str(port["http"]), self.settings["PORT"])
        role = manifests["Cluster", "users-db"]["spec"]["managed"]["roles"][0]
        password = next(each for each in self.container["env"] if each["name"] == "PGPASSWORD")
        self.assertEqual(password["valueFrom"]["secretKeyRef"]["name"], role["passwordSecret"]["name"])
        for service in "users-db-ro", "users-db-rw":  # as CloudNativePG names them
            self.assertIn(service, self.settings["DATABASE_URL"])

    def test_the_program_knows_the_settings(self):
        help_text = told("--help")[1]
        for name in self.settings.keys() - {"PGPASSWORD"}:
            self.assertIn(f"Env:{name})", help_text)
        status, explained = told("--print-conninfo", DATABASE_URL=self.settings["DATABASE_URL"], PGPASSWORD="x")
        self.assertEqual(status, 0, explained)
        for word in "users-db-ro", "users-db-rw", "verify-full", "prefer-standby":
            self.assertIn(word, explained)

    def test_it_has_time_to_drain(self):
        leave_ms, drain_ms = int(self.settings["DRAIN_DELAY_MS"]), int(self.settings["DRAIN_LIMIT_MS"])
        # 5 s: cancel_limit of src/main.cpp.
        self.assertGreaterEqual(self.pod["terminationGracePeriodSeconds"] * 1000, leave_ms + drain_ms + 5000)
        ready = self.container["readinessProbe"]
        self.assertGreater(leave_ms / 1000, ready["periodSeconds"] * ready["failureThreshold"] + ready["timeoutSeconds"])
        self.assertEqual((ready["httpGet"]["path"], self.container["livenessProbe"]["httpGet"]["path"]), ("/readyz", "/healthz"))

    def test_every_postgresql_has_room_for_all_sessions(self):
        most = manifests["HorizontalPodAutoscaler", "ringpost"]["spec"]["maxReplicas"] + 1  # the surge of an update
        room = int(manifests["Cluster", "users-db"]["spec"]["postgresql"]["parameters"]["max_connections"])
        self.assertLessEqual(most * int(self.settings["DB_MAX_CONNS"]) + 10, room)

    def test_the_autoscaler_and_the_adapter_ask_for_a_metric_that_is_there(self):
        asked = manifests["HorizontalPodAutoscaler", "ringpost"]["spec"]["metrics"][0]["pods"]["metric"]["name"]
        rule = yaml.safe_load((FOLDER / "prometheus-adapter.yaml").read_text())["rules"]["custom"][0]
        self.assertEqual(rule["name"]["as"], asked)
        series = re.match(r"\w+", rule["seriesQuery"])[0]
        sources = [path.read_text() for path in ROOT.glob("src/**/*metrics.cpp")]
        self.assertTrue(any(f'"{series}"' in text for text in sources), series)

    def test_it_can_do_little(self):
        pod, container = self.pod["securityContext"], self.container["securityContext"]
        self.assertEqual(pod["seccompProfile"], {"type": "Localhost", "localhostProfile": "profiles/ringpost.json"})
        self.assertTrue(pod["runAsNonRoot"] and container["readOnlyRootFilesystem"])
        self.assertEqual((container["allowPrivilegeEscalation"], container["capabilities"]), (False, {"drop": ["ALL"]}))
        self.assertTrue((FOLDER / "seccomp.json").samefile(ROOT / "loadtest/compose/seccomp.json"))


class Compose(unittest.TestCase):
    def setUp(self):
        self.services = yaml.safe_load((ROOT / "compose.cluster.yaml").read_text())["services"]
        self.ringposts = [name for name in self.services if name.startswith("ringpost")]
        self.haproxy = (ROOT / "deploy/cluster/haproxy.cfg").read_text()
        self.patroni = yaml.safe_load((ROOT / "deploy/cluster/patroni.yaml").read_text())

    def test_there_are_three_of_each(self):
        names = {kind: [name for name in self.services if re.fullmatch(kind + r"\d", name)] for kind in ("etcd", "pg", "ringpost")}
        self.assertEqual({kind: len(found) for kind, found in names.items()}, {"etcd": 3, "pg": 3, "ringpost": 3})
        self.assertEqual(re.findall(r"^  server (\w+) \1:8080$", self.haproxy, re.MULTILINE), names["ringpost"])
        self.assertEqual(self.patroni["etcd3"]["hosts"], [f"{name}:2379" for name in names["etcd"]])
        for name in names["pg"]:
            self.assertEqual(self.services[name]["environment"]["PATRONI_NAME"], name)
            self.assertIn(name, self.services["ringpost1"]["environment"]["DATABASE_URL"])

    def test_the_program_knows_the_settings(self):
        help_text = told("--help")[1]
        settings = self.services["ringpost1"]["environment"]
        for name in settings:
            self.assertIn(f"Env:{name})", help_text)
        url = re.sub(r"\$\{\w+:-(\w+)\}", r"\1", settings["DATABASE_URL"])
        status, explained = told("--print-conninfo", DATABASE_URL=url)
        self.assertEqual(status, 0, explained)
        for word in "pg1", "pg2", "pg3", "prefer-standby", "random":
            self.assertIn(word, explained)

    def test_a_ringpost_is_led_away_from_before_it_stops(self):
        inter, fall = re.search(r"check inter (\S+) fall (\d+)", self.haproxy).groups()
        settings = self.services["ringpost1"]["environment"]
        self.assertGreater(int(settings["DRAIN_DELAY_MS"]) / 1000, seconds(inter) * (int(fall) + 1))
        drain_s = 10  # DRAIN_LIMIT_MS by default
        self.assertGreaterEqual(seconds(self.services["ringpost1"]["stop_grace_period"]), int(settings["DRAIN_DELAY_MS"]) / 1000 + drain_s + 5)
        self.assertLess(2, seconds(re.search(r"timeout server (\S+)", self.haproxy)[1]), "REQUEST_TIMEOUT_MS by default")

    def test_patroni(self):
        dcs = self.patroni["bootstrap"]["dcs"]
        self.assertLessEqual(dcs["loop_wait"] + 2 * dcs["retry_timeout"], dcs["ttl"])
        sessions = len(self.ringposts) * int(self.services["ringpost1"]["environment"]["DB_MAX_CONNS"])
        self.assertGreaterEqual(dcs["postgresql"]["parameters"]["max_connections"], 2 * sessions + 10)


if __name__ == "__main__":
    unittest.main()
