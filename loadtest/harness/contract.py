"""What is asked of a contender and what the contract has it answer, given the table's rows: docs/contract.md as cases. The harness
asks them before a contender's turns, `loadtest/contract` asks them of any URL, as the twins' tests and the containers' do."""
import argparse
import datetime
import http.client
import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.parse
import uuid

# In hexadecimal: psql drops characters that it can't print.
ROWS = """select encode(convert_to(coalesce(json_agg(json_build_array(id, email, full_name, age, country_code, is_active,
(extract(epoch from created_at) * 1000000)::bigint) order by id), '[]')::text, 'UTF8'), 'hex') from users"""
FIELDS = "id", "email", "full_name", "age", "country_code", "is_active", "created_at"
OK = {"status": "ok"}


def users(query):
    """All users in the order of their ids, as they are answered; `query` gives the text that a statement returns."""
    epoch = datetime.datetime(1970, 1, 1)
    moment = lambda us: (epoch + datetime.timedelta(microseconds=us)).isoformat() + "Z"
    return [dict(zip(FIELDS, [*row[:-1], moment(row[-1])])) for row in json.loads(bytes.fromhex(query(ROWS)))]


def page(users, limit=50, offset=0):
    return {"items": users[offset:offset + limit], "limit": limit, "offset": offset, "total": len(users)}


def cases(users):
    """(method, target, status, body as JSON value, None for any): good, missing and bad requests, and every name that needs care."""
    error = lambda name: {"error": name}
    special = [user for user in users if not re.fullmatch(r"User \d+", user["full_name"])][:60]
    by_time = sorted(users, key=lambda user: user["created_at"])
    chosen = users[:5] + users[-5:] + by_time[:2] + by_time[-2:] + special + [user for user in users if "." in user["created_at"]][:5]
    first, most = users[0], 2**63 - 1
    id = first["id"]

    found = [(f"/users/{user['id']}", user) for user in chosen]
    found += [("/healthz", OK), ("/readyz", OK), ("/healthz?x=1", OK), ("/%68ealthz", OK)]
    found += [(target, first) for target in (f"/users/{id.upper()}", f"/users/{id}?limit=0", f"/users/%{ord(id[0]):02x}{id[1:]}", f"/%75sers/{id}")]
    found += [(f"/users{query}", page(users, limit, offset)) for query, limit, offset in [
        ("", 50, 0), ("?", 50, 0), ("?limit=200&offset=100", 200, 100), ("?offset=100&limit=7", 7, 100), ("?limit=007&offset=0050", 7, 50),
        (f"?limit=1&offset={len(users) - 1}", 1, len(users) - 1), (f"?offset={len(users)}", 50, len(users)), (f"?offset={most}", 50, most),
        ("?limit=%32", 2, 0), ("?%6Cimit=3", 3, 0), ("?other=1&other=2&limit=2&limits=x", 2, 0), ("?Limit=x", 50, 0)]]

    wrong = [("invalid_id", f"/users/{text}") for text in (
        "nobody", "1", "g" * 36, id[1:], id + "0", id.replace("-", ""), id.replace("-", "_"), "{" + id + "}", "urn:uuid:" + id, "%ff", "%00",
        "%20" + id, "..", ".")]
    wrong += [("invalid_limit", f"/users?{query}") for query in (
        "limit=0", "limit=201", "limit=-1", "limit=+1", "limit=%2B1", "limit=1.0", "limit=1e1", "limit=", "limit", "limit=ten", "limit=%201",
        "limit=1%20", "limit=1&limit=1", "limit=1;offset=1", "limit=18446744073709551617", "limit=0&offset=-1", "limit=%D9%A1")]
    wrong += [("invalid_offset", f"/users?{query}") for query in (
        "offset=-1", "offset=+1", "offset=%2B1", "offset=1.5", "offset=", "offset", "offset=x", "offset=0x1", "offset=0&offset=0", "offset=1;limit=1",
        f"offset={most + 1}", "offset=99999999999999999999")]
    wrong += [("invalid_escape", target) for target in ("/users?limit=%", "/users?x=%4g", f"/users/{id}?x=%zz", "/healthz?%")]
    refused = [(target, 400, None) for target in ("/users/%", "/users/%4", "/users/%zz", "/nothing/%g0")]  # by some HTTP servers themselves
    lost = [("not_found", target) for target in (
        f"/users/{uuid.UUID(int=0)}", "/", "/nothing", "/users/", f"/users/{id}/", f"/users/{id}/x", "/users/../users", f"/users/./{id}", "//users",
        "/Users", "/users;x", "/healthz/", "/healthz/x")]
    gets = [(target, 200, body) for target, body in found] + [(target, 400, error(name)) for name, target in wrong]
    gets += [(target, 404, error(name)) for name, target in lost]
    return [*(("GET", *case) for case in gets + refused),
            *(("HEAD", *case) for case in gets if case[0] in ("/healthz", f"/users/{id}", "/users?", "/users/nobody", "/nothing")),
            *((method, target, 405, error("method_not_allowed")) for method, target in [
                ("POST", "/users"), ("PUT", f"/users/{id}"), ("DELETE", f"/users/{id}"), ("PATCH", "/users/nobody"), ("OPTIONS", "/users"),
                ("POST", "/healthz"), ("DELETE", "/readyz")]),
            *((method, target, 404, error("not_found")) for method, target in [("POST", "/nothing"), ("PUT", "/"), ("DELETE", "/users/")])]


class Client:
    """One connection, opened anew when the other side closed it. A request has a Host and no other field, as a load's have."""

    def __init__(self, address, timeout_s=10):
        self.connection = http.client.HTTPConnection(address, timeout=timeout_s)

    def ask(self, method, target):
        """Status, header fields, body; raises OSError or http.client.HTTPException."""
        try:
            self.connection.putrequest(method, target, skip_accept_encoding=True)
            if method not in ("GET", "HEAD"):
                self.connection.putheader("Content-Length", "0")
            self.connection.endheaders()
            answer = self.connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except BaseException:
            self.connection.close()
            raise

    def close(self):
        self.connection.close()


def difference(answer, status, value, method="GET"):
    """Between what Client.ask returned and the status and JSON value that were to be; (expected, seen), or None. Without a value the
    status has its class alone to keep."""
    seen, fields, body = answer
    if value is None:
        return None if seen // 100 == status // 100 else (f"{status // 100}xx", str(seen))
    if seen != status:
        return str(status), str(seen)
    if fields.get("Content-Type", "").split(";")[0].strip() != "application/json":
        return "application/json", fields.get("Content-Type") or "no Content-Type"
    if status == 405 and sorted(re.split(r"\s*,\s*", fields.get("Allow", ""))) != ["GET", "HEAD"]:
        return "Allow: GET, HEAD", fields.get("Allow") or "no Allow"
    if method == "HEAD":
        return ("no body", shorten(body.decode(errors="replace"))) if body else None
    try:
        return first_difference(value, json.loads(body))
    except ValueError:
        return "JSON", repr(body[:80])


def first_difference(expected, seen, where=""):
    if isinstance(expected, dict) and isinstance(seen, dict):
        if list(expected) != list(seen):
            return f"{where or 'the fields'} {list(expected)}", str(list(seen))
        pairs = [(f"{where}.{key}" if where else key, expected[key], seen[key]) for key in expected]
    elif isinstance(expected, list) and isinstance(seen, list) and len(expected) == len(seen):
        pairs = [(f"{where}[{i}]", *pair) for i, pair in enumerate(zip(expected, seen))]
    else:
        same = type(expected) is type(seen) and expected == seen
        return None if same else (f"{where} {shorten(expected)}", shorten(seen))
    return next(filter(None, (first_difference(a, b, name) for name, a, b in pairs)), None)


def shorten(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 80 else text[:77] + "..."


def differences(address, users):
    """(what was asked, what was to be answered, what was), as they are found."""
    client = Client(address)
    try:
        for method, target, status, value in cases(users):
            try:
                answer = client.ask(method, target)
                found = difference(answer, status, value, method)
                if method == "HEAD" and not found:
                    lengths = [len(client.ask("GET", target)[2]), answer[1].get("Content-Length")]
                    found = None if lengths[1] == str(lengths[0]) else tuple(f"Content-Length: {length}" for length in lengths)
            except (OSError, http.client.HTTPException) as failure:
                found = str(status), repr(failure)
            if found:
                yield f"{method} {target}", *found
    finally:
        client.close()


# As a program.

def wait_ready(address, limit_s):
    end = time.monotonic() + limit_s
    while True:
        try:
            if Client(address, 2).ask("GET", "/readyz")[0] == 200:
                return
            why = "it is not ready"
        except (OSError, http.client.HTTPException) as failure:
            why = str(failure)
        if time.monotonic() > end:
            sys.exit(f"contract: no answer from {address} within {limit_s} s: {why}")
        time.sleep(0.05)


def main():
    parser = argparse.ArgumentParser(prog="loadtest/contract", description="Asks an API what docs/contract.md says and compares each answer with "
                                     "it and with the table's rows. Waits up to 30 s until /readyz says that it is ready.")
    parser.add_argument("url", help="where it answers: http://127.0.0.1:8080")
    parser.add_argument("--psql", metavar="COMMAND", help="psql, on the API's database (default: psql with DATABASE_URL, or libpq's own "
                        "variables)")
    options = parser.parse_args()
    address = urllib.parse.urlsplit(options.url).netloc
    if not address:
        parser.error(f"not a URL: {options.url}")

    psql = shlex.split(options.psql) if options.psql else ["psql", *filter(None, [os.environ.get("DATABASE_URL")])]

    def query(sql):
        command = [*psql, "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except OSError as error:
            sys.exit(f"contract: {error}")
        if done.returncode != 0:
            sys.exit(f"contract: {psql[0]}: {done.stderr.strip()}")
        return done.stdout

    table = users(query)
    if not table:
        sys.exit("contract: the table users is empty: db/seed/run fills it")
    wait_ready(address, 30)
    found = list(differences(address, table))
    for asked, expected, seen in found:
        print(f"{asked}: expected {expected}; seen {seen}")
    print(f"{len(cases(table)) - len(found)} of {len(cases(table))} answers are as the contract and the table have them")
    return 1 if found else 0
