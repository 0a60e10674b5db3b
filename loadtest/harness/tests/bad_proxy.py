"""A contender that does not play fair: it passes requests on to the server that it starts, and on the way does what the
first argument says: honest, full_name (changes one), cache (answers a request that it has seen from memory).

    bad_proxy.py BEHAVIOUR SERVER [ARGUMENT ...]
"""
import asyncio
import os
import signal
import socket
import sys

import aiohttp
from aiohttp import web

behaviour, server = sys.argv[1], sys.argv[2:]
seen = {}


async def answer(request):
    key = request.method + request.raw_path
    if behaviour == "cache" and key in seen:
        status, headers, body = seen[key]
    else:
        async with request.app["client"].request(request.method, request.app["behind"] + request.raw_path) as got:
            status, body = got.status, await got.read()
            headers = {name: got.headers[name] for name in ("Content-Type", "Allow") if name in got.headers}
        if behaviour == "full_name":
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
