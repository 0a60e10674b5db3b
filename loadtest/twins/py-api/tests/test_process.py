"""The service as a process: its start-up line, its answers over HTTP, its end."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
from proxy import Proxy

ROOT = Path(__file__).parents[1]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(port, target, method="GET"):
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, target)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextmanager
def service(url, **settings):
    port = free_port()
    environment = os.environ | {"DATABASE_URL": url, "PORT": str(port)} | settings
    process = subprocess.Popen(
        [sys.executable, "-m", "py_api.serve"], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        end = time.monotonic() + 20
        while True:
            try:
                if get(port, "/readyz")[0] == 200:
                    break
            except OSError:
                pass
            assert process.poll() is None and time.monotonic() < end, "the service did not start"
            time.sleep(0.1)
        yield process, port
    finally:
        process.kill()
        process.wait()


def lines(process):
    return [json.loads(line) for line in process.stderr.read().splitlines()]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_serves_and_ends_with_0(database_url, workers):
    with service(database_url, UVICORN_WORKERS=workers, DB_POOL_MAX_SIZE="3") as (process, port):
        _, body = get(port, "/users?limit=3&offset=1")
        for user in json.loads(body)["items"]:
            assert json.loads(get(port, f"/users/{user['id']}")[1]) == user
        get_length = len(get(port, "/users?limit=3")[1])
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(b"HEAD /users?limit=3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            head = b"".join(iter(lambda: raw.recv(4096), b""))
        assert head.endswith(b"\r\n\r\n") and f"content-length: {get_length}".encode() in head
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        started = [line for line in lines(process) if line["event"] == "starting"]
        assert [(line["workers"], line["pool_max_size"]) for line in started] == [(int(workers), 3)]


def test_a_request_in_flight_is_answered_after_sigterm(database_url):
    async def run():
        async with Proxy(database_url) as proxy:
            loop = asyncio.get_running_loop()

            def drain():
                with service(proxy.url) as (process, port):
                    loop.call_soon_threadsafe(proxy.freeze)
                    time.sleep(0.1)
                    connection = HTTPConnection("127.0.0.1", port, timeout=5)
                    connection.request("GET", "/users?limit=1")
                    time.sleep(0.2)
                    process.send_signal(signal.SIGTERM)
                    time.sleep(0.5)
                    loop.call_soon_threadsafe(proxy.thaw)
                    answer = connection.getresponse()
                    return answer.status, len(json.loads(answer.read())["items"]), process.wait(10)

            assert await asyncio.to_thread(drain) == (200, 1, 0)

    asyncio.run(run())


def test_a_client_that_leaves_costs_no_connection(database_url):
    async def run():
        async with Proxy(database_url) as proxy:
            loop = asyncio.get_running_loop()

            def leave():
                with service(proxy.url, DB_POOL_MAX_SIZE="1") as (_, port):
                    loop.call_soon_threadsafe(proxy.freeze)
                    time.sleep(0.1)
                    with socket.create_connection(("127.0.0.1", port)) as client:
                        client.sendall(b"GET /users?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n")
                        time.sleep(0.2)
                    loop.call_soon_threadsafe(proxy.thaw)
                    time.sleep(0.2)
                    links = len(proxy._links)
                    assert get(port, "/readyz")[0] == 200
                    return links, len(proxy._links), proxy.links_made

            assert await asyncio.to_thread(leave) == (1, 1, 1)

    asyncio.run(run())


def test_deadlines_over_http(database_url):
    async def run():
        async with Proxy(database_url) as proxy:
            loop = asyncio.get_running_loop()

            def freeze():
                with service(proxy.url) as (_, port):
                    loop.call_soon_threadsafe(proxy.freeze)
                    time.sleep(0.1)
                    for target, limit in (("/readyz", 1), ("/users", 2)):
                        started = time.monotonic()
                        assert get(port, target) == (503, b'{"error":"unavailable"}')
                        assert limit - 0.1 < time.monotonic() - started < limit + 0.5
                    assert get(port, "/healthz")[0] == 200

            await asyncio.to_thread(freeze)

    asyncio.run(run())


def test_wrong_settings_are_said_in_one_line():
    environment = os.environ | {"PORT": "http"}
    ended = subprocess.run(
        [sys.executable, "-m", "py_api.serve"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("py-api: PORT: ") and ended.stderr.count("\n") == 1
