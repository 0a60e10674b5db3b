"""The contract's rules, checked before a figure counts and while it is made. Each check returns Rule records; one that is
not held voids the run."""
import dataclasses
import re

from . import contract, generators, processes
from .contender import Problem

# The contract's two statements. Which wording is equal is PostgreSQL's to say (Database.identifier).
LOOKUP = "uuid", "select id, email, full_name, age, country_code, is_active, created_at from users where id = $1"
PAGE = "bigint, bigint", """select page.id, page.email, page.full_name, page.age, page.country_code, page.is_active, page.created_at, counted.total
from (select count(*) as total from users) as counted left join
(select id, email, full_name, age, country_code, is_active, created_at from users order by id limit $1 offset $2) as page on true
order by page.id"""
PAGE_ROWS = generators.PAGE_ROWS
# Statements of requests that were on their way when the count began or ended: no load has more connections.
ON_THEIR_WAY = 256


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


def judged(rule, running, held, expected, seen):
    return Rule(rule, running.mode.name, running.contender.name, held, expected, seen)


# Before a contender's turns.

def same_answers(running, users):
    """Status, Content-Type and body as JSON value, against what the contract says and the table holds."""
    for asked, expected, seen in contract.differences(f"127.0.0.1:{running.port}", users):
        return judged("the same answers", running, False, f"{asked}: {expected}", seen)
    return judged("the same answers", running, True, f"{len(contract.cases(users))} answers as the contract and the table have them", "all of them")


def same_table(running, database):
    difference = contract.first_difference(database.made, database.state()) or (database.made["rows"], database.made["rows"])
    return judged("the same table", running, difference[0] == difference[1], *difference)


def statements(running, database, users):
    """One statement a request: some users asked for repeatedly and some pages, then PostgreSQL's own count."""
    ids = [user["id"] for user in users[:50]] * 4
    pages = [f"/users?limit={PAGE_ROWS}&offset={offset}" for offset in (0, 50, 0, 50, 9000) * 4]
    database.reset_statements()
    client = contract.Client(f"127.0.0.1:{running.port}")
    for path in [f"/users/{id}" for id in ids] + pages:
        if (status := client.ask("GET", path)[0]) != 200:
            raise Problem(f"{running.contender.name} answered {status} to GET {path}")
    client.close()
    rows = database.statements()
    expected = sorted([(len(ids), len(ids)), (len(pages), PAGE_ROWS * len(pages))])
    seen = sorted((row["calls"], row["rows"]) for row in on_users(rows))
    others = sorted(row["query"].split()[0].lower() for row in rows if row not in on_users(rows))
    wording = "one statement for {} users ({} rows) and one for {} pages ({} rows)".format(
        len(ids), len(ids), len(pages), PAGE_ROWS * len(pages))
    text = "; ".join(f"{calls} calls, {rows} rows" for calls, rows in reversed(seen)) or "none"
    return judged("one statement a request, no cache", running, seen == expected, wording,
                  text + (f" (at connecting: {', '.join(others)})" if others else ""))


def on_users(rows):
    return [row for row in rows if re.search(r"\bfrom\s*\(?\s*(select|users)", row["query"], re.I) and "users" in row["query"]]


def same_sql(running, database):
    """Every statement on the table since the count began is one of the contract's."""
    known = [database.identifier(*statement) for statement in (LOOKUP, PAGE)]
    others = [row["query"] for row in on_users(database.statements()) if row["id"] not in known]
    return judged("the same SQL", running, not others, f"two statements, as PostgreSQL understands them: {LOOKUP[1]}; {' '.join(PAGE[1].split())}",
                  " ".join(others[0].split()) if others else "these")


def io_uring(running):
    held = processes.holds_io_uring(running.pids())
    return judged("io_uring in use", running, held, "a ring among its descriptors", "one" if held else "none")


# While it is under load.

def answers_under_load(running, sampled):
    """`sampled`: the watch's, whose bodies were compared with the table throughout."""
    asked, expected, seen = sampled.difference or (None, None, None)
    held = not asked and sampled.compared + sampled.failed > 0
    return judged("the same answers under load", running, held, f"{asked}: {expected}" if asked else "answers as the table has them, all the time",
                  seen if asked else f"{sampled.compared} compared")


def statements_under_load(running, database, load, sampled=0):
    """A statement for each answer, and its rows: nothing was answered from elsewhere while it was measured, nor two requests by one
    statement. `sampled`: answers that the watch asked for beside the load."""
    rows = on_users(database.statements())
    lookups = [row for row in rows if row["id"] == database.identifier(*LOOKUP)]
    calls, looked_up = sum(row["calls"] for row in rows), sum(row["calls"] for row in lookups)
    failed = sum(load.errors.values())
    answered = load.requests + sampled
    returned = looked_up + PAGE_ROWS * (calls - looked_up)
    seen = sum(row["rows"] for row in rows)
    held = answered <= calls <= answered + failed + ON_THEIR_WAY and seen == returned
    return judged("a statement for each answer under load", running, held,
                  f"{answered} statements (and at most {failed + ON_THEIR_WAY} whose answers did not count), a row a user and {PAGE_ROWS} a page",
                  f"{calls}, {looked_up} of them for a user; {seen} rows instead of {returned}" if seen != returned else str(calls))


def connections(running, database, most):
    """`most`: how many the contenders' role had at any time while it was under load; their names are looked at when it is over."""
    named, every = database.connections(running.contender.name)
    if every and not most:
        raise processes.Unreadable("connections: PostgreSQL's processes do not say whom they serve (update_process_title)")
    every, budget = max(every, most), running.mode.connections
    held = 0 < named <= budget and every <= budget
    return judged("the same connection budget", running, held, f"1 to {budget} connections, all with application_name {running.contender.name}",
                  f"{named} by that name, {every} in all")


def affinity(running, seen=None):
    """`seen`: every CPU that one of its threads could have run on."""
    seen = processes.affinity(running.pids()) if seen is None else seen
    return judged("the same CPUs", running, seen == running.mode.cpus, f"threads on CPUs {sorted(running.mode.cpus)}", str(sorted(seen)))


def grouped(running, outside):
    """`outside`: those of its processes that were seen in another control group than the one they were started in."""
    return judged("its own control group", running, not outside, "all of its processes in the one that they were started in",
                  f"{len(outside)} outside" if outside else "all")


def throttling(running, before_s, after_s):
    more = after_s - before_s
    return judged("no CPU quota", running, more == 0, "no time throttled", f"{more:.2f} s")


def memory(running, peak_mib):
    """By the kernel, where it enforces the limit; and by what it says was the most."""
    limit, killed = running.mode.memory_mib, running.group.killed() if running.group else 0
    return judged("the same memory limit", running, peak_mib <= limit and not killed, f"at most {limit} MiB",
                  f"{peak_mib:.0f} MiB" + (f", {killed} processes ended by the kernel for more" if killed else ""))


def unreadable(running, why):
    return judged("counters that can be read", running, False, "all of them", str(why))
