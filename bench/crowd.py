#!/usr/bin/env python3
"""make crowd: what 2,000 idle and 1,000 slow connections change for those who ask at a normal rate.

One server and one PostgreSQL; the load is the repository's own generator, in an open loop, so that a request's latency counts from
when it was due. In turn the load runs alone and beside the crowd, and each turn with it is held against those alone around it.

The crowd: idle connections that have asked once. Of the slow ones half send a head a byte at a time, and half ask for a long answer
and read it in drips through a small window. Each of them is answered in the end; what is not is counted and said.

RINGPOST and LOAD_GENERATOR: the programs (default: those in build/). Needs 2 * 3,500 descriptors in all (ulimit -n 4096 for each
process) and some 100 MiB for the kernel's buffers.
"""
import argparse
import heapq
import json
import os
import re
import resource
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests/integration"))
import stage  # noqa: E402

GENERATOR = os.environ.get("LOAD_GENERATOR", os.path.join(ROOT, "build/loadtest/generator/load_generator"))
TICK_S, MOST_A_TICK = 0.02, 100  # of the crowd's steps; 67 are due: what was held up does not come in one blow
# A head of 38 bytes takes 8 s, of the 10 that it may; the answer to the readers, 8 KB, takes 4 s.
SEND_EVERY_S, RECEIVE_EVERY_S, RECEIVE_BYTES = 0.2, 0.6, 1200
WINDOW_BYTES = 4096
SETTLE_S = 6  # until the slow are anywhere in what they do


def connect(port, number, window=None):
    """From one of several addresses, so that no range of ports runs out."""
    connection = socket.socket()
    if window:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    connection.bind((f"127.0.1.{1 + number % 4}", 0))
    connection.settimeout(10)
    connection.connect(("127.0.0.1", port))
    return connection


class Slow:
    """A client that has something to do every `every_s`."""

    def __init__(self, port, number, window=None):
        self.port, self.number, self.window = port, number, window
        self.answered = self.lost = 0
        self.open()

    def open(self):
        self.connection = connect(self.port, self.number, self.window)
        self.connection.setblocking(False)
        self.begin()

    def step(self):
        try:
            self.go_on()
        except BlockingIOError:
            pass
        except OSError:
            self.again()

    def again(self):
        self.connection.close()
        self.lost += 1
        self.open()


class Dripper(Slow):
    """Sends a head byte by byte, and again when it is answered."""
    every_s = SEND_EVERY_S

    def open(self):
        super().open()
        begun = self.number * 37 % len(self.left)  # so that they are not all answered together
        self.connection.send(self.left[:begun])
        self.left = self.left[begun:]

    def begin(self):
        self.left = b"GET /healthz HTTP/1.1\r\nHost: slow\r\n\r\n"

    def go_on(self):
        if self.left:
            self.connection.send(self.left[:1])
            self.left = self.left[1:]
            return
        received = self.connection.recv(4096)
        if not received.startswith(b"HTTP/1.1 200 "):
            return self.again()
        self.answered += 1
        self.begin()


class Reader(Slow):
    """Asks for a long answer and reads it in drips."""
    every_s = RECEIVE_EVERY_S
    request = b""

    def begin(self):
        self.received = None

    def go_on(self):
        if self.received is None:
            self.connection.send(self.request)
            self.received = b""
            return
        received = self.connection.recv(RECEIVE_BYTES)
        if not received:
            return self.again()
        self.received += received
        head, end, body = self.received.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        if end and length and len(body) >= int(length.group(1)):
            if not head.startswith(b"HTTP/1.1 200 "):
                return self.again()
            self.answered += 1
            self.begin()


class Crowd:
    """Those who hang around while it lives; moved by a thread of its own, which is nice."""

    def __init__(self, port, idle, slow):
        self.idle = [connect(port, n) for n in range(idle)]
        for connection in self.idle:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: idle\r\n\r\n")
        for connection in self.idle:
            if not connection.recv(4096).startswith(b"HTTP/1.1 200 "):
                raise AssertionError("an idle connection was not answered")
        self.slow = [Dripper(port, n) for n in range(slow // 2)] + [Reader(port, n, WINDOW_BYTES) for n in range(slow - slow // 2)]
        self.over = threading.Event()
        self.late_s = 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        start = time.monotonic()
        # The readers begin one after another; the drippers have begun.
        spread = {Dripper: SEND_EVERY_S, Reader: SETTLE_S}
        due = [(start + spread[type(client)] * index / len(self.slow), index) for index, client in enumerate(self.slow)]
        heapq.heapify(due)
        while not self.over.wait(TICK_S):
            for _ in range(MOST_A_TICK):
                when, index = due[0]
                now = time.monotonic()
                if when > now:
                    break
                self.late_s = max(self.late_s, now - when)
                client = self.slow[index]
                client.step()
                heapq.heapreplace(due, (max(when + client.every_s, now), index))

    def end(self):
        """(answers to the slow, connections that were lost, how late this program was for them)"""
        self.over.set()
        self.thread.join()
        with selectors.DefaultSelector() as ready:
            for connection in self.idle:
                ready.register(connection, selectors.EVENT_READ)
            lost = len(ready.select(0))  # they have nothing to read but their end
        for connection in [*self.idle, *(client.connection for client in self.slow)]:
            connection.close()
        return sum(client.answered for client in self.slow), lost + sum(client.lost for client in self.slow), self.late_s


def load(port, targets, rate, seconds):
    first = ["chrt", "-f", "1"] if shutil.which("chrt") and subprocess.run(["chrt", "-f", "1", "true"], capture_output=True).returncode == 0 else []
    done = subprocess.run([*first, GENERATOR, str(port), str(seconds), f"load={targets},{rate},64"], stdout=subprocess.PIPE, text=True,
                          check=True, timeout=seconds + 60)
    figures = json.loads(done.stdout)["load"]
    if figures["errors"]:
        raise AssertionError(f"the load was not answered: {figures['errors']}")
    return figures["latency_ms"]


def memory_mib(process):
    with open(f"/proc/{process.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024


def put_first(pids):
    """Whatever else runs on these CPUs, processes and what they start wait for nobody but each other, like the generator."""
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setscheduler(int(thread), os.SCHED_FIFO, os.sched_param(1))


def postgres_pids(cluster):
    (file,) = Path(cluster.folder).rglob("postmaster.pid")
    postmaster = int(file.read_text().split()[0])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return [postmaster, *map(int, children)]


def measure(options):
    """Prints each turn; the ratios of p99, one for each turn with the crowd."""
    cluster = stage.Cluster(rows=10000)
    server = None
    try:
        server = stage.Server(cluster.url, SHARDS=options.shards, DB_MAX_CONNS=10, PIN_SHARDS="false", IDLE_TIMEOUT_MS=600000)
        Reader.request = f"GET {options.read} HTTP/1.1\r\nHost: slow\r\n\r\n".encode()
        if options.first:
            put_first([server.process.pid, *postgres_pids(cluster)])
        with tempfile.NamedTemporaryFile("w", suffix=".targets") as targets:
            targets.writelines(f"/users/{stage.seed_id(n)}\n" for n in range(1, 10001))
            targets.flush()
            load(server.port, targets.name, options.rate, options.seconds)  # warm
            alone = [load(server.port, targets.name, options.rate, options.seconds)]
            ratios = []
            for turn in range(options.turns):
                crowd = Crowd(server.port, options.idle, options.slow)
                try:
                    time.sleep(SETTLE_S)
                    beside = load(server.port, targets.name, options.rate, options.seconds)
                    mib = memory_mib(server.process)
                finally:
                    answered, lost, late_s = crowd.end()
                alone.append(load(server.port, targets.name, options.rate, options.seconds))
                between = statistics.mean(figures["p99"] for figures in alone[-2:])
                ratios.append(beside["p99"] / between)
                print(f"{turn + 1}: alone p50 {alone[-1]['p50']:.2f} p99 {between:.2f} ms, beside p50 {beside['p50']:.2f} p99 {beside['p99']:.2f} ms:"
                      f" {ratios[-1]:.2f} x; {mib:.0f} MiB; the slow: {answered} answers, {lost} lost, {late_s * 1000:.0f} ms late", flush=True)
                if lost:
                    raise AssertionError(f"{lost} connections of the crowd were lost")
                if answered < options.slow // 4:
                    raise AssertionError(f"the slow were answered {answered} times")
            return ratios
    finally:
        if server:
            server.stop()
        cluster.destroy()


def main():
    parser = argparse.ArgumentParser(prog="make crowd ARGS='", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle", type=int, default=2000)
    parser.add_argument("--slow", type=int, default=1000)
    parser.add_argument("--rate", type=int, default=2000, help="requests/s of the load")
    parser.add_argument("--seconds", type=int, default=5, help="of each turn")
    parser.add_argument("--turns", type=int, default=7, help="with the crowd; one more without")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--read", metavar="TARGET", default="/openapi.json",
                        help="what slow readers ask for; the default costs the server little and PostgreSQL nothing: what is measured is"
                             " that it is taken slowly")
    parser.add_argument("--first", action="store_true", help="server and PostgreSQL under SCHED_FIFO: where others use the CPUs too")
    parser.add_argument("--most", type=float, default=2, help="the median ratio of p99 that is still good")
    options = parser.parse_args()
    wanted = options.idle + options.slow + 200
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < wanted:
        sys.exit(f"crowd: {wanted} descriptors are needed, ulimit -n is {most}: raise it, or make the crowd smaller (--idle, --slow)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    ratios = sorted(measure(options))
    median = statistics.median(ratios)
    print(f"p99 beside {options.idle} idle and {options.slow} slow connections: {median:.2f} x ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    return 0 if median < options.most else 1


if __name__ == "__main__":
    sys.exit(main())
