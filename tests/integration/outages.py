#!/usr/bin/env python3
"""What clients see of outages: 200 requests/s, open loop, while something happens to PostgreSQL; a table, by hand.

    make outages            all of it (five minutes), or ARGS="lock restart" for those whose names hold one of the words

Each line: how long the cause lasted, how many were asked, answered 200, 503 and otherwise, wrong answers, answers that
came later than the deadline of 2 s allows, the slowest, how long after the cause's end the last one failed, and the most
sessions that PostgreSQL had. Exit status 1 when an answer was wrong or late, or sessions were too many.
"""
import asyncio
import dataclasses
import json
import random
import sys
import time

import stage
from proxy import Proxy
from stage import seed_id

RATE, DEADLINE_S, LATE_S = 200, 2.0, 0.5
BUDGET = 6


@dataclasses.dataclass
class Seen:
    due: float
    took: float
    status: int  # 0: the connection was closed
    right: bool


class Load:
    """Asks for users, each at its time, over as many connections as are waited on; runs in the event loop."""

    def __init__(self, port, beside=None):
        self.port, self.beside, self.idle, self.seen, self.running = port, beside, [], [], True
        self.chance = random.Random(1)
        self.flying = set()

    async def run(self):
        start, n = time.monotonic(), 0
        while self.running:
            due = start + n / RATE
            n += 1
            await asyncio.sleep(max(0, due - time.monotonic()))
            wanted = self.beside if self.beside and n % 20 == 0 else seed_id(self.chance.randint(1, 1000))
            task = asyncio.create_task(self.ask(due, wanted))
            self.flying.add(task)
            task.add_done_callback(self.flying.discard)
        await asyncio.gather(*self.flying)
        for _, writer in self.idle:
            writer.close()

    async def ask(self, due, wanted):
        try:
            reader, writer = self.idle.pop() if self.idle else await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(f"GET /users/{wanted} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
            body = await reader.readexactly(length)
            status = int(head.split(" ", 2)[1])
            right = status != 200 or json.loads(body)["id"] == wanted
            self.idle.append((reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            status, right = 0, True
        self.seen.append(Seen(due, time.monotonic() - due, status, right))


class Trial:
    """One cause: `begins`, then `ends`, coroutines of the trial; `url` is where the server finds PostgreSQL; each twentieth request is
    for the user `beside`."""

    def __init__(self, cluster, name, begins, ends=None, lasts_s=0.0, url=None, beside=None):
        self.cluster, self.name, self.begins, self.ends, self.lasts_s = cluster, name, begins, ends, lasts_s
        self.url, self.beside = url, beside

    async def run(self):
        server = stage.Server(self.url or self.cluster.url, DB_MAX_CONNS=BUDGET)
        sessions = []

        async def watch():
            while load.running:
                try:
                    sessions.append(len(await asyncio.to_thread(self.cluster.backends)))
                except Exception:  # PostgreSQL is away: it has none
                    pass
                await asyncio.sleep(0.2)

        load = Load(server.port, self.beside)
        tasks = [asyncio.create_task(load.run()), asyncio.create_task(watch())]
        await asyncio.sleep(1)
        began = time.monotonic()
        await self.begins()
        await asyncio.sleep(max(0, self.lasts_s - (time.monotonic() - began)))
        if self.ends:
            await self.ends()
        ended = time.monotonic()
        await asyncio.sleep(4)
        load.running = False
        await asyncio.gather(*tasks)
        server.stop()
        return self.told(load.seen, ended - began, ended, max(sessions))

    def told(self, seen, lasted, ended, sessions):
        failed = [s for s in seen if s.status != 200]
        wrong, late = sum(not s.right for s in seen), sum(s.took > DEADLINE_S + LATE_S for s in seen)
        after = max((s.due + s.took - ended for s in failed), default=0)
        others = len(failed) - sum(s.status == 503 for s in seen)
        print(f"| {self.name} | {lasted:.1f} | {len(seen)} | {len(seen) - len(failed)} | {len(failed) - others} | {others} | {wrong} | {late} "
              f"| {max(s.took for s in seen):.2f} | {max(after, 0):.2f} | {sessions} |", flush=True)
        # A host that has become a black hole has the sessions that it had.
        return wrong == 0 and late == 0 and sessions <= BUDGET * (2 if self.url else 1)


def trials(cluster, proxies):
    def sql(text):
        return lambda: asyncio.to_thread(cluster.query, text)

    def call(function, *arguments):
        return lambda: asyncio.to_thread(function, *arguments)

    async def end_all(times=5):
        for _ in range(times):
            await sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ringpost'")()
            await asyncio.sleep(0.3)

    lock = {}

    def take_lock():
        lock["session"] = cluster.session()
        lock["session"].stdin.write("begin; lock table users in access exclusive mode; select 'locked';\n")
        lock["session"].stdin.flush()
        lock["session"].stdout.readline()

    large = seed_id(1001)
    first, second = proxies
    both = cluster.url.replace(cluster.url.split("@")[1].split("/")[0], f"127.0.0.1:{first.port},127.0.0.1:{second.port}")

    yield Trial(cluster, "restart, fast", call(cluster.stop), call(cluster.start), 1)
    yield Trial(cluster, "restart, immediate", call(cluster.stop, True), call(cluster.start), 1)
    yield Trial(cluster, "all backends ended, five times", end_all)
    yield Trial(cluster, "the first of two hosts a black hole", call(first.blackhole), call(first.heal), 15, both)
    yield Trial(cluster, "a NAT that forgets", call(first.forget), None, 0, both)
    yield Trial(cluster, "a column added", sql("alter table users add column extra int"), sql("alter table users drop column extra"), 1)
    yield Trial(cluster, "a column's type changed", sql("alter table users alter age type bigint"),
                sql("alter table users alter age type int"), 1)
    yield Trial(cluster, "ACCESS EXCLUSIVE lock", call(take_lock), call(lambda: lock["session"].communicate("rollback;\n")), 8)
    yield Trial(cluster, "a row of 70 MB beside others", sql(f"update users set full_name = repeat('x', 70 * 1024 * 1024) where id = '{large}'"),
                sql(f"update users set full_name = 'x' where id = '{large}'"), 3, beside=large)


async def main(words):
    cluster = stage.Cluster(rows=1001)
    port = int(cluster.environment["PGPORT"])
    proxies = [Proxy(port), Proxy(port)]
    good = True
    print("| cause | lasted s | asked | 200 | 503 | else | wrong | late | slowest s | recovered s | sessions |\n|---|" + "---:|" * 10)
    try:
        for trial in trials(cluster, proxies):
            if not words or any(word in trial.name for word in words):
                good &= await trial.run()
    finally:
        for proxy in proxies:
            proxy.close()
        cluster.destroy()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
