"""An open-loop load: each request is sent when it is due, however long others take, half of them on connections that are kept and
half on fresh ones; each answer's status and body are compared with what is in the table. It asks 127.0.0.1 alone."""
import asyncio
import collections
import json
import random
import threading
import time

DEADLINE_S = 10


class Asked:
    """One request: when it was due and answered, on what connection, and how it ended."""

    def __init__(self, due, told, fresh, outcome, detail=""):
        self.due, self.told, self.fresh, self.outcome, self.detail = due, told, fresh, outcome, detail

    @property
    def took(self):
        return self.told - self.due


# How a request can end. Of these only the first is good, and `wrong` and `refused` must never be.
OUTCOMES = "answered", "wrong", "refused", "closed", "silent", "503", "other status"


class Load:
    """Runs in a thread of its own from its construction to end(); `asked` grows meanwhile."""

    def __init__(self, port, users, rate, seed=1):
        self.port, self.users, self.interval_s = port, users, 1 / rate
        self.ids = [user["id"] for user in users]
        self.chance = random.Random(seed)
        self.asked = collections.deque()
        self._kept = collections.deque()
        self._ended = threading.Event()
        self._failure = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self):
        self._ended.set()
        self._thread.join()
        if self._failure:
            raise self._failure

    def between(self, begin, end=float("inf")):
        return [each for each in list(self.asked) if begin <= each.due < end]

    def _run(self):
        try:
            asyncio.run(self._generate())
        except BaseException as failure:  # told by end()
            self._failure = failure

    async def _generate(self):
        running = set()
        due = time.monotonic()
        fresh = False
        while not self._ended.is_set():
            due += self.interval_s
            await asyncio.sleep(due - time.monotonic())
            fresh = not fresh
            one = asyncio.create_task(self._ask(due, fresh))
            running.add(one)
            one.add_done_callback(running.discard)
        await asyncio.gather(*running)
        while self._kept:
            self._kept.pop()[1].close()

    def _choose(self):
        """A target, the status and the body it must be answered with."""
        kind = self.chance.random()
        if kind < 0.7:
            at = self.chance.randrange(len(self.users))
            return f"/users/{self.ids[at]}", 200, self.users[at]
        if kind < 0.9:
            limit, offset = self.chance.choice((1, 5, 20)), self.chance.randrange(len(self.users) + 10)
            return f"/users?limit={limit}&offset={offset}", 200, {
                "items": self.users[offset:offset + limit], "limit": limit, "offset": offset, "total": len(self.users)}
        if kind < 0.95:
            return "/users/00000000-0000-0000-0000-000000000000", 404, {"error": "not_found"}
        return "/users/1", 400, {"error": "invalid_id"}

    async def _ask(self, due, fresh):
        target, status, body = self._choose()
        try:
            async with asyncio.timeout(DEADLINE_S):
                outcome, detail = await self._exchange(target, status, body, fresh)
        except TimeoutError:
            outcome, detail = "silent", target
        self.asked.append(Asked(due, time.monotonic(), fresh, outcome, detail))

    async def _exchange(self, target, status, body, fresh):
        if fresh or not self._kept:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
            except OSError as error:
                return "refused", repr(error)
        else:
            reader, writer = self._kept.popleft()
        keep = False
        try:
            lines = f"GET {target} HTTP/1.1", "Host: users", *(["Connection: close"] if fresh else []), "", ""
            writer.write("\r\n".join(lines).encode())
            told_status, told_body, keep = await self._read(reader)
        except (OSError, EOFError) as error:
            return "closed", f"{target}: {error!r}"
        except (ValueError, LookupError) as error:
            return "wrong", f"{target}: {error!r}"
        finally:
            if keep and not fresh:
                self._kept.append((reader, writer))
            else:
                writer.close()
        if told_status == status and told_body == body:
            return "answered", ""
        if told_status == 503:
            return "503", target
        if told_status >= 500:
            return "other status", f"{target}: {told_status}"
        return "wrong", f"{target}: {told_status} {json.dumps(told_body)[:300]}"

    @staticmethod
    async def _read(reader):
        """Status, body, and whether the connection may be used again. ValueError or LookupError: no HTTP that ringpost would send."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        version, status = head[0].split(" ")[:2]
        if version != "HTTP/1.1":
            raise ValueError(head[0])
        fields = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in head[1:] if line)}
        if "content-length" in fields:
            body = await reader.readexactly(int(fields["content-length"]))
        elif status == "503":  # HAProxy's own, ended by the end of the connection
            await reader.read()
            return int(status), None, False
        else:
            raise LookupError(f"no Content-Length in {head}")
        if not fields["content-type"].startswith("application/json"):
            return int(status), None, False
        return int(status), json.loads(body), fields.get("connection", "").lower() != "close"


def summary(asked):
    """Counts of how requests ended, and their latencies from when they were due."""
    counts = collections.Counter(each.outcome for each in asked)
    times = sorted(each.took for each in asked if each.outcome == "answered")
    at = lambda share: times[min(len(times) - 1, int(share * len(times)))] * 1000 if times else float("nan")
    return counts, {"p99": at(0.99), "most": at(1)}


def recovered_s(asked, since, slow_s):
    """Seconds from `since` until the last request had ended that failed or took longer than slow_s; 0 where there was none."""
    return max((each.told - since for each in asked if each.outcome != "answered" or each.took > slow_s), default=0.0)
