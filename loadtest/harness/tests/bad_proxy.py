"""A contender that does not play fair: it passes requests on to the server that it starts, and on the way does what the
first argument says.

    bad_proxy.py BEHAVIOUR SERVER [ARGUMENT ...]

honest; full_name: changes one; cache: answers a request that it has seen from memory. Those that end in _under_load do it
only while there are more requests than a check has: full_name and cache as above; memory: takes 600 MiB; connections: three more,
for half a second when it begins; cpus: all of them, for half a second when it begins.
"""
import asyncio
import os
import signal
import socket
import sys

import aiohttp
import yarl
from aiohttp import web

CROWD = 20  # requests in flight
behaviour, server = sys.argv[1], sys.argv[2:]
seen = {}
in_flight, crowd, taken = 0, False, None


async def at_its_begin():
    global taken
    if behaviour == "memory_under_load":
        taken = taken or b"x" * (600 << 20)
    elif behaviour == "cpus_under_load":
        fair = os.sched_getaffinity(0)
        os.sched_setaffinity(0, range(os.cpu_count()))
        await asyncio.sleep(0.5)
        os.sched_setaffinity(0, fair)
    elif behaviour == "connections_under_load":
        url = os.environ["DATABASE_URL"] + "?application_name=ringpost"
        more = [await asyncio.create_subprocess_exec("psql", url, "-c", "select pg_sleep(0.5)", stdout=asyncio.subprocess.DEVNULL)
                for _ in range(3)]
        await asyncio.gather(*(one.wait() for one in more))


async def answer(request):
    global in_flight, crowd
    in_flight += 1
    try:
        crowded = in_flight > CROWD
        if crowded and not crowd:
            crowd = True
            await at_its_begin()
        return await passed_on(request, behaviour.removesuffix("_under_load") if crowded else behaviour)
    finally:
        in_flight -= 1
        crowd = crowd and in_flight > 0


async def passed_on(request, what):
    key = request.method + request.raw_path
    if what == "cache" and key in seen:
        status, headers, body = seen[key]
    else:
        async with request.app["client"].request(request.method, yarl.URL(request.app["behind"] + request.raw_path, encoded=True)) as got:
            status, body = got.status, await got.read()
            headers = {name: got.headers[name] for name in ("Content-Type", "Content-Length", "Allow") if name in got.headers}
        if what == "full_name":
            body = body.replace(b'"full_name":"User ', b'"full_name":"user ')
        if status == 200:
            seen[key] = status, headers, body
    return web.Response(status=status, headers=headers, body=body)


async def main():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    child = await asyncio.create_subprocess_exec(*server, env={**os.environ, "PORT": str(port)})
    app = web.Application()
    app["behind"] = f"http://127.0.0.1:{port}"
    app["client"] = aiohttp.ClientSession()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await asyncio.sleep(0.5)
    await web.TCPSite(runner, "127.0.0.1", int(os.environ["PORT"])).start()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await runner.cleanup()
    await app["client"].close()
    child.terminate()
    sys.exit(await child.wait())


asyncio.run(main())
