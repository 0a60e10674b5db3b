#!/usr/bin/env python3
"""Hours in small: a mixed load with clients that churn, reset and drip, while PostgreSQL restarts and the server hands over.

    make soak                          30 minutes: a restart each 5, a hand-over each 10
    make soak ARGS="--seconds 60"      the same in a minute: each cause as often

Prints a line each sixtieth of the time: memory (PSS), descriptors, threads and sessions of the process that serves, and what clients
saw since the line before. Exit status 1 when an answer was wrong, or none came, or memory or descriptors have grown.
"""
import argparse
import asyncio
import json
import os
import random
import signal
import socket
import statistics
import struct
import sys
import tempfile
import time

import stage
from stage import seed_id

RATE = 150  # requests/s, open loop
DRIPPERS, SLOW_READERS = 8, 4
DEADLINE_S, LATE_S = 2.0, 1.0
KEPT = 16  # connections of the load, at most: after a stall there are many
WARM_S = 300  # of a process: until it has touched its receive buffers, and met a restart


class Counts:
    def __init__(self):
        self.answered = self.unavailable = self.again = self.slowest = 0
        self.problems = []

    def text(self):
        return f"{self.answered:8} {self.unavailable:5} {self.again:5} {len(self.problems):8} {self.slowest:7.2f}"


class Client:
    def __init__(self, port, rows):
        self.port, self.rows, self.idle, self.running = port, rows, [], True
        self.chance, self.total, self.since = random.Random(1), Counts(), Counts()
        self.flying = set()

    def note(self, what, took):
        for counts in self.total, self.since:
            counts.slowest = max(counts.slowest, took)
            if isinstance(what, str):
                counts.problems.append(what)
            elif what == 503:
                counts.unavailable += 1
            else:
                counts.answered += 1
        if took > DEADLINE_S + LATE_S:
            self.total.problems.append(f"came after {took:.1f} s")

    async def run(self):
        start, n = time.monotonic(), 0
        beside = [asyncio.create_task(each()) for each in [self.drip] * DRIPPERS + [self.read_slowly] * SLOW_READERS]
        while self.running:
            due = start + n / RATE
            n += 1
            await asyncio.sleep(max(0, due - time.monotonic()))
            way = self.reset if n % 20 == 0 else lambda churn=n % 5 == 0: self.ask(churn)
            task = asyncio.create_task(way())
            self.flying.add(task)
            task.add_done_callback(self.flying.discard)
        await asyncio.gather(*self.flying, *beside)
        for _, writer in self.idle:
            writer.close()

    def target(self):
        """A path, and what tells whether its answer is right."""
        if self.chance.random() < 0.1:
            offset = self.chance.randrange(self.rows - 20)
            return (f"/users?limit=20&offset={offset}",
                    lambda body: body["offset"] == offset and len(body["items"]) == 20 and body["total"] == self.rows)
        wanted = seed_id(self.chance.randint(1, self.rows))
        return f"/users/{wanted}", lambda body: body["id"] == wanted

    async def ask(self, churn):
        path, is_right = self.target()
        began = time.monotonic()
        for attempt in range(2):
            kept = bool(self.idle) and not churn and attempt == 0
            try:
                reader, writer = self.idle.pop() if kept else await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                status, head, body = await self.answer(reader)
            except (OSError, asyncio.IncompleteReadError) as error:
                # A kept connection that closes as it is used: RFC 9112, 9.3.1.
                if kept and isinstance(error, (ConnectionError, asyncio.IncompleteReadError)):
                    for counts in self.total, self.since:
                        counts.again += 1
                    continue
                return self.note(f"no answer: {error!r}", time.monotonic() - began)
            if churn or "connection: close" in head or len(self.idle) >= KEPT:
                writer.close()
            else:
                self.idle.append((reader, writer))
            if status not in (200, 503):
                return self.note(f"{status} {body[:100]!r}", time.monotonic() - began)
            if status == 200 and not is_right(json.loads(body)):
                return self.note(f"wrong: {path} {body[:100]!r}", time.monotonic() - began)
            return self.note(status, time.monotonic() - began)

    async def answer(self, reader):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        body = await reader.readexactly(int(head.split("content-length:")[1].split("\r\n")[0]))
        return int(head.split(" ", 2)[1]), head, body

    async def reset(self):
        """Asks, and goes by RST before the answer is read."""
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(f"GET {self.target()[0]} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            await asyncio.sleep(self.chance.random() * 0.003)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        except OSError as error:
            self.note(f"refused: {error!r}", 0)

    async def drip(self):
        """A head, a byte at a time; half of them go before its end."""
        while self.running:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                head = f"GET /users/{seed_id(1)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                for byte in head if self.chance.random() < 0.5 else head[:40]:
                    writer.write(byte.encode())
                    await asyncio.sleep(0.02)
                if self.chance.random() < 0.5:
                    await asyncio.wait_for(reader.read(), 5)
                writer.close()
            except (OSError, asyncio.TimeoutError):
                pass  # a drain ends who has not asked

    async def read_slowly(self):
        """Large pages, in sips; now and then it goes in the middle."""
        while self.running:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(b"GET /users?limit=200 HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
                for _ in range(self.chance.randint(5, 60)):
                    if not await asyncio.wait_for(reader.read(2048), 5):
                        break
                    await asyncio.sleep(0.05)
                writer.close()
            except (OSError, asyncio.TimeoutError):
                pass


class Serving:
    """The server, whichever process of it serves."""

    def __init__(self, cluster):
        self.folder = tempfile.TemporaryDirectory(prefix="ringpost-soak-")
        self.server = stage.Server(cluster.url, TAKEOVER_SOCKET=os.path.join(self.folder.name, "takeover"),
                                   READY_WHEN="database", DRAIN_GRACE_MS=500)
        self.cluster, self.pid, self.life = cluster, self.server.process.pid, 1

    def hand_over(self):
        before, seen = self.pid, self.server.log().count("event=took_over")
        os.kill(before, signal.SIGUSR2)
        stage.eventually(lambda: self.server.log().count("event=took_over") > seen, 20, "a successor has taken over")
        pids = [int(line.split(" pid=")[1].split()[0]) for line in self.server.log().splitlines() if "event=listening" in line]
        self.pid, self.life = pids[-1], self.life + 1
        stage.eventually(lambda: not self.runs(before), 15, "the one before has ended")

    def runs(self, pid):
        """A child that has ended and is not waited for is none."""
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                return file.read().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False

    def sample(self):
        """PSS in KiB, descriptors, threads, sessions."""
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="utf-8") as file:
            pss = next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        try:
            sessions = len(self.cluster.backends())
        except Exception:  # PostgreSQL is away
            sessions = 0
        return pss, len(os.listdir(f"/proc/{self.pid}/fd")), len(os.listdir(f"/proc/{self.pid}/task")), sessions

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        stage.eventually(lambda: not self.runs(self.pid), 20, "the last one has ended")
        self.server.process.wait(5)
        self.folder.cleanup()


async def soak(seconds, cluster):
    serving = Serving(cluster)
    client = Client(serving.server.port, 1000)
    load = asyncio.create_task(client.run())
    began, samples = time.monotonic(), []
    restarts = [seconds * n / 6 for n in range(1, 6)]
    handovers = [seconds * (n + 0.5) / 3 for n in range(3)]
    print("      s life  PSS KiB  fds threads sessions answered   503 again problems slowest", flush=True)
    for step in range(1, 61):
        await asyncio.sleep(max(0, began + seconds * step / 60 - time.monotonic()))
        now = time.monotonic() - began
        sample = await asyncio.to_thread(serving.sample)
        samples.append((serving.life, now, *sample))
        print(f"{now:7.1f} {serving.life:4} {sample[0]:8} {sample[1]:4} {sample[2]:7} {sample[3]:8} {client.since.text()}", flush=True)
        client.since = Counts()
        if restarts and now >= restarts[0]:
            restarts.pop(0)
            await asyncio.to_thread(cluster.stop)
            await asyncio.to_thread(cluster.start)
        if handovers and now >= handovers[0]:
            handovers.pop(0)
            await asyncio.to_thread(serving.hand_over)
    client.running = False
    await load
    await asyncio.to_thread(serving.stop)
    return client.total, samples


def judge(total, samples):
    """What is wrong, in words."""
    found = total.problems[:20]
    for life in sorted({life for life, *_ in samples}):
        own = [sample for sample in samples if sample[0] == life]
        found += [f"life {life} had {sample[3]} descriptors" for sample in own if sample[3] > 100][:1]
        warm = [sample for sample in own if sample[1] > own[0][1] + WARM_S]
        if len(warm) < 8:
            continue
        quarter = len(warm) // 4
        for name, column, slack in ("PSS", 2, 512), ("descriptors", 3, 8):
            first = statistics.median(sample[column] for sample in warm[:quarter])
            last = statistics.median(sample[column] for sample in warm[-quarter:])
            if last > first * 1.05 + slack:
                found.append(f"{name} of life {life} grew from {first} to {last}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1800)
    cluster = stage.Cluster(rows=1000)
    try:
        total, samples = asyncio.run(soak(parser.parse_args().seconds, cluster))
    finally:
        cluster.destroy()
    print(f"in all: {total.answered} answered, {total.unavailable} 503, {total.again} asked again, slowest {total.slowest:.2f} s")
    found = judge(total, samples)
    for problem in found:
        print("PROBLEM:", problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
