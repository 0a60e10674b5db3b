"""The faults scenario: requests due at a fixed rate, their bodies checked, while PostgreSQL is restarted, frozen, loses its
backends, or gets a column. Counted: errors, wrong answers, and how long after the fault's end the last error was due."""
import asyncio
import itertools
import time

import aiohttp  # a client that takes hundreds of requests in flight and tells their failures apart

from . import turn

KINDS = ("restart", "freeze", "terminate", "column")
RATE, TIMEOUT_S, BEFORE_S = 200, 8, 1.0


class Checker:
    """Asks for one user after the other at RATE; keeps (due, kind of failure or None) of each."""

    def __init__(self, url, users):
        self.url, self.users, self.outcomes, self.latency_ms = url, users, [], []

    async def run(self, session, end):
        begin = time.monotonic()
        users = itertools.cycle(self.users)
        flying = set()
        for number in itertools.count():
            due = begin + number / RATE
            if due >= end():
                break
            await asyncio.sleep(max(0, due - time.monotonic()))
            flight = asyncio.create_task(self.ask(session, next(users), due))
            flying.add(flight)
            flight.add_done_callback(flying.discard)
        await asyncio.gather(*flying)

    async def ask(self, session, user, due):
        try:
            async with session.get(f"{self.url}/users/{user['id']}") as answer:
                if answer.status != 200:
                    await answer.read()
                    failure = f"status {answer.status}"
                else:
                    failure = None if await answer.json() == user else "wrong answer"
        except asyncio.TimeoutError:
            failure = "timeout"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = type(error).__name__
        self.outcomes.append((due, failure))
        self.latency_ms.append((time.monotonic() - due) * 1000)


def inject(database, kind, held_s):
    """The fault from its beginning to its end, which it returns (monotonic seconds)."""
    if kind == "restart":
        return database.restart()
    if kind == "freeze":
        database.freeze()
        try:
            time.sleep(held_s)
        finally:
            database.thaw()
    elif kind == "terminate":
        database.query("select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'ringpost'")
    else:
        database.query("alter table users add column added_under_load text not null default 'x'")
    return time.monotonic()


async def drive(running, database, users, kind, held_s, after_s):
    checker = Checker(running.url, users)
    finish_at = [float("inf")]
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session:
        load = asyncio.create_task(checker.run(session, lambda: finish_at[0]))
        await asyncio.sleep(BEFORE_S)
        begin = time.monotonic()
        end = await asyncio.to_thread(inject, database, kind, held_s)
        finish_at[0] = end + after_s
        await load
    return checker, begin, end


def run(running, database, users, kind, repeat, held_s, after_s):
    started = turn.now()
    begun = time.monotonic()
    try:
        checker, begin, end = asyncio.run(drive(running, database, users, kind, held_s, after_s))
    finally:
        if kind == "column":
            database.query("alter table users drop column if exists added_under_load")
    seconds = time.monotonic() - begun
    failures = [(due, failure) for due, failure in checker.outcomes if failure]
    errors = {}
    for _, failure in failures:
        errors[failure] = errors.get(failure, 0) + 1
    wrong = errors.pop("wrong answer", 0)
    latest = max((due for due, _ in failures), default=0)
    recovered_s = max(0.0, latest - end)
    latencies = sorted(checker.latency_ms)
    at = lambda percentile: round(latencies[min(len(latencies) - 1, int(len(latencies) * percentile / 100))], 3)
    return {
        "scenario": "faults", "mode": running.mode.name, "contender": running.contender.name, "repeat": repeat, "step": RATE,
        "variant": None, "started": started, "seconds": round(seconds, 3), "loop": "open",
        "requests": len(checker.outcomes), "rps": round(len(checker.outcomes) / seconds, 2),
        "latency_ms": {"p50": at(50), "p90": at(90), "p95": at(95), "p99": at(99), "p99.9": at(99.9), "max": at(100)},
        "distribution": [], "windows": [], "errors": errors, "cpu_s": None, "memory_mib": None, "context_switches": None,
        "compared": None, "limit": "none", "void": None,
        "fault": {"kind": kind, "errors": sum(errors.values()), "wrong": wrong, "recovered_s": round(recovered_s, 3),
                  "held_s": round(end - begin, 3)}}
