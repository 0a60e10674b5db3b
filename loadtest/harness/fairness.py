"""The contract's rules, checked before a figure counts and while it is made. Each check returns Rule records; one that is
not held voids the run."""
import dataclasses
import http.client
import json
import re
import uuid

from . import processes
from .contender import Problem


@dataclasses.dataclass
class Rule:
    rule: str
    mode: str
    contender: str
    held: bool
    expected: str
    seen: str

    def __str__(self):
        return f"{self.rule} ({self.contender}, {self.mode}): expected {self.expected}; seen {self.seen}"


class Broken(Exception):
    def __init__(self, rule):
        super().__init__(str(rule))
        self.rule = rule


def sample(users):
    """(method, path, status, body as JSON value): good, missing and bad requests, and every name that needs care."""
    ok, error = {"status": "ok"}, lambda name: {"error": name}
    special = [user for user in users if not re.fullmatch(r"User \d+", user["full_name"])][:60]
    by_time = sorted(users, key=lambda user: user["created_at"])
    chosen = users[:5] + users[-5:] + by_time[:2] + by_time[-2:] + special + [user for user in users if "." in user["created_at"]][:5]
    page = lambda limit, offset: {"items": users[offset:offset + limit], "limit": limit, "offset": offset, "total": len(users)}
    cases = [("GET", f"/users/{user['id']}", 200, user) for user in chosen]
    cases += [
        ("GET", f"/users/{users[0]['id'].upper()}", 200, users[0]),
        ("GET", f"/users/{uuid.UUID(int=0)}", 404, error("not_found")),
        ("GET", "/users/nobody", 400, error("invalid_id")),
        ("GET", "/users/" + users[0]["id"].replace("-", ""), 400, error("invalid_id")),
        ("GET", "/users", 200, page(50, 0)),
        ("GET", "/users?limit=200&offset=100", 200, page(200, 100)),
        ("GET", f"/users?limit=1&offset={len(users) - 1}", 200, page(1, len(users) - 1)),
        ("GET", f"/users?offset={len(users) + 7}", 200, page(50, len(users) + 7)),
        ("GET", "/users?limit=0", 400, error("invalid_limit")),
        ("GET", "/users?limit=201", 400, error("invalid_limit")),
        ("GET", "/users?limit=ten&offset=x", 400, error("invalid_limit")),
        ("GET", "/users?offset=-1", 400, error("invalid_offset")),
        ("GET", "/users?offset=9223372036854775808", 400, error("invalid_offset")),
        ("GET", "/nothing", 404, error("not_found")),
        ("POST", "/users", 405, error("method_not_allowed")),
        ("GET", "/healthz", 200, ok),
        ("GET", "/readyz", 200, ok),
    ]
    return cases


def ask(connection, method, path):
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read()
    return answer.status, answer.getheader("Content-Type", ""), body


def same_answers(running, users):
    """Status, Content-Type and body as JSON value, against what the table holds."""
    def rule(held, expected, seen):
        return Rule("the same answers", running.mode.name, running.contender.name, held, expected, seen)

    cases = sample(users)
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    for method, path, status, value in cases:
        try:
            seen_status, content_type, body = ask(connection, method, path)
        except (OSError, http.client.HTTPException) as failure:
            return rule(False, f"{method} {path}: {status}", repr(failure))
        if seen_status != status:
            return rule(False, f"{method} {path}: {status}", str(seen_status))
        if content_type.split(";")[0].strip() != "application/json":
            return rule(False, f"{method} {path}: application/json", content_type or "no Content-Type")
        try:
            seen = json.loads(body)
        except ValueError:
            return rule(False, f"{method} {path}: JSON", repr(body[:80]))
        if difference := first_difference(value, seen):
            return rule(False, f"{method} {path}: {difference[0]}", difference[1])
    connection.close()
    return rule(True, f"{len(cases)} answers as the contract and the table have them", "all of them")


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


def statements(running, database, users):
    """One statement a request: some users asked for repeatedly and some pages, then PostgreSQL's own count."""
    ids = [user["id"] for user in users[:50]] * 4
    pages = [f"/users?limit=50&offset={offset}" for offset in (0, 50, 0, 50, 9000) * 4]
    database.reset_statements()
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    for path in [f"/users/{id}" for id in ids] + pages:
        if (answer := ask(connection, "GET", path))[0] != 200:
            raise Problem(f"{running.contender.name} answered {answer[0]} to GET {path}")
    connection.close()
    expected = sorted([(len(ids), len(ids)), (len(pages), 50 * len(pages))])
    seen = sorted((row["calls"], row["rows"]) for row in on_users(database.statements()))
    others = sorted(row["query"].split()[0].lower() for row in database.statements() if row not in on_users(database.statements()))
    wording = "one statement for {} users ({} rows) and one for {} pages ({} rows)".format(
        len(ids), len(ids), len(pages), 50 * len(pages))
    text = "; ".join(f"{calls} calls, {rows} rows" for calls, rows in reversed(seen)) or "none"
    return Rule("one statement a request, no cache", running.mode.name, running.contender.name, seen == expected, wording,
                text + (f" (at connecting: {', '.join(others)})" if others else ""))


def on_users(rows):
    return [row for row in rows if re.search(r"\bfrom\s*\(?\s*(select|users)", row["query"], re.I) and "users" in row["query"]]


def statements_under_load(running, database, load):
    """As many statements as answers: nothing was answered from elsewhere while it was measured."""
    calls = sum(row["calls"] for row in on_users(database.statements()))
    answered = load.requests - sum(count for kind, count in load.errors.items() if kind.startswith("status"))
    return Rule("a statement for each answer under load", running.mode.name, running.contender.name, calls >= answered,
                f"at least {answered} statements", str(calls))


def connections(running, database, most_seen):
    """`most_seen`: by the contender's application_name, and all of the contenders' role, while it was under load."""
    named, every = most_seen
    budget = running.mode.connections
    held = 0 < named <= budget and every <= budget
    return Rule("the same connection budget", running.mode.name, running.contender.name, held,
                f"1 to {budget} connections, all with application_name {running.contender.name}",
                f"{named} by that name, {every} in all")


def affinity(running):
    seen = processes.affinity(running.pids())
    return Rule("the same CPUs", running.mode.name, running.contender.name, seen == running.mode.cpus,
                f"threads on CPUs {sorted(running.mode.cpus)}", str(sorted(seen)))


def throttling(running, before_s, after_s):
    more = (after_s or 0) - (before_s or 0)
    return Rule("no CPU quota", running.mode.name, running.contender.name, more == 0, "no time throttled",
                "no counter can be read" if after_s is None else f"{more:.2f} s")


def memory(running, peak_mib):
    limit = running.mode.memory_mib
    return Rule("the same memory limit", running.mode.name, running.contender.name, peak_mib <= limit, f"at most {limit} MiB",
                f"{peak_mib:.0f} MiB")


def io_uring(running):
    held = processes.holds_io_uring(running.pids())
    return Rule("io_uring in use", running.mode.name, running.contender.name, held, "a ring among its descriptors",
                "one" if held else "none")
