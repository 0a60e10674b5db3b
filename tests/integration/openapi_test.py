"""`/openapi.json`: a sound document, and the server is what it says: each path, parameter and answer is tried."""
import json
import os
import re
import unittest

import stage
from stage import seed_id

cluster = server = None


def setUpModule():
    global cluster, server
    cluster = stage.Cluster(rows=300)
    unittest.addModuleCleanup(cluster.destroy)
    server = stage.Server(cluster.url)
    unittest.addModuleCleanup(server.stop)


class Document(unittest.TestCase):
    def setUp(self):
        response = server.get("/openapi.json")
        self.assertEqual((response.status, response.headers["content-type"]), (200, "application/json"))
        self.document = json.loads(response.body)

    def resolve(self, node):
        while "$ref" in node:
            self.assertEqual(list(node), ["$ref"])
            name, node = node["$ref"], self.document
            for step in name.removeprefix("#/").split("/"):
                node = node[step]
        return node

    def responses(self, path, method="get"):
        return self.document["paths"][path][method]["responses"]

    def check(self, value, schema):
        """The keywords of JSON Schema that the document uses; another one fails."""
        schema = self.resolve(schema)
        types = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
        for keyword, wanted in schema.items():
            if keyword == "type":
                wanted = [wanted] if isinstance(wanted, str) else wanted
                found = ["integer" for kind in wanted if kind == "integer" and type(value) is int]
                found += [kind for kind in wanted if kind != "integer" and isinstance(value, types[kind])]
                self.assertTrue(found, f"{value!r} is no {wanted}")
            elif keyword == "properties":
                for name, inner in wanted.items():
                    if name in value:
                        self.check(value[name], inner)
            elif keyword == "items":
                for one in value:
                    self.check(one, wanted)
            elif keyword == "required":
                self.assertLessEqual(set(wanted), set(value))
            elif keyword == "additionalProperties":
                self.assertLessEqual(set(value), set(schema["properties"]))
            elif keyword == "const":
                self.assertEqual(value, wanted)
            elif keyword == "format" and wanted == "uuid":
                self.assertRegex(value, "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
            elif keyword == "format" and wanted == "int32":
                self.assertTrue(value is None or -2**31 <= value < 2**31)
            elif keyword not in ("description", "examples"):
                self.fail(f"{keyword} is not looked at")

    def ask(self, path, target, status, method="GET", on=None):
        """Asks, and compares with what the document says of that status."""
        response = (on or server).get(target, method)
        self.assertEqual(response.status, status, target)
        said = self.responses(path, "head" if method == "HEAD" else "get")
        answer = self.resolve(said.get(str(status), said["default"]))
        if method == "HEAD":
            self.assertNotIn("content", answer)
            return response
        (kind, content), = answer["content"].items()
        self.assertTrue(response.headers["content-type"].startswith(kind))
        if kind == "application/json":
            self.check(response.json(), content["schema"])
        for name in answer.get("headers", {}):
            self.assertIn(name.lower(), response.headers)
        return response

    def test_is_sound(self):
        self.assertRegex(self.document["openapi"], r"^3\.1\.\d+$")
        used = set(re.findall(r'"#/components/([^"]+)"', json.dumps(self.document)))
        there = {f"{kind}/{name}" for kind, all_ in self.document["components"].items() for name in all_}
        self.assertEqual(used, there)
        names = [operation["operationId"] for path in self.document["paths"].values()
                 for method, operation in path.items() if method != "parameters"]
        self.assertEqual(len(names), len(set(names)))
        for path, item in self.document["paths"].items():
            self.assertEqual(set(item) - {"parameters"}, {"get", "head"}, path)
            self.assertEqual(set(item["get"]["responses"]), set(item["head"]["responses"]), path)
            named = [self.resolve(p)["name"] for p in item.get("parameters", []) if self.resolve(p)["in"] == "path"]
            self.assertEqual(re.findall(r"{(\w+)}", path), named)
        schema = self.document["components"]["schemas"]["User"]
        for example in schema["examples"]:
            self.check(example, schema)

    def test_the_readme_says_the_same(self):
        with open(os.path.join(stage.ROOT, "README.md"), encoding="utf-8") as readme:
            text = readme.read()
        example, = self.document["components"]["schemas"]["User"]["examples"]
        self.assertIn("\n    " + json.dumps(example, separators=(",", ":")) + "\n", text)
        table = re.findall(r"^\| `GET (/[^`?]*)", text, re.MULTILINE)
        self.assertEqual(sorted(table), sorted(self.document["paths"]))

    def test_what_is_answered(self):
        for method in "GET", "HEAD":
            for path in "/users", "/healthz", "/readyz", "/metrics", "/openapi.json":
                self.ask(path, path, 200, method)
            self.ask("/users/{id}", "/users/" + seed_id(1), 200, method)
            self.ask("/users/{id}", "/users/" + seed_id(301), 404, method)
            self.ask("/users/{id}", "/users/x", 400, method)
            self.ask("/users", "/users?limit=x", 400, method)
        for path in self.document["paths"]:
            target = path.replace("{id}", seed_id(1))
            response = self.ask(path, target, 405, "POST")
            self.assertEqual(response.headers["allow"], "GET, HEAD")
            self.ask(path, target + "?%", 400)
        self.assertEqual(set(self.document["paths"]),
                         {path for path in self.document["paths"] if server.get(path.replace("{id}", seed_id(1))).status == 200})

    def test_the_bounds_of_parameters(self):
        for name in "limit", "offset":
            schema = self.resolve(self.document["components"]["parameters"][name])["schema"]
            for value, status in ((schema["minimum"], 200), (schema["maximum"], 200), (schema["minimum"] - 1, 400),
                                  (schema["maximum"] + 1, 400), ("", 400), ("1.5", 400)):
                page = self.ask("/users", f"/users?{name}={value}", status).json()
                if status == 200:
                    self.assertEqual(page[name], value)
            self.assertEqual(self.ask("/users", "/users", 200).json()[name], schema["default"])
        pattern = self.resolve(self.document["components"]["parameters"]["id"])["schema"]["pattern"]
        for text in seed_id(1), seed_id(1).upper(), seed_id(1)[:-1], "{" + seed_id(1) + "}", seed_id(1).replace("-", ""):
            status = 200 if re.fullmatch(pattern, text) else 400
            self.ask("/users/{id}", "/users/" + text.replace("{", "%7B").replace("}", "%7D"), status)

    def test_while_postgresql_is_away(self):
        away = stage.Server("postgresql://nobody@127.0.0.1:1/none", wait=False)
        self.addCleanup(away.stop)
        away.wait_listening()
        for path, target in (("/users/{id}", "/users/" + seed_id(1)), ("/users", "/users"), ("/readyz", "/readyz")):
            self.ask(path, target, 503, on=away)


if __name__ == "__main__":
    unittest.main()
