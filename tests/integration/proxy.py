"""A TCP proxy before PostgreSQL that is faulty on demand: latency, a blackhole, resets, small pieces, half-open connections.

    proxy = Proxy(port_of_postgresql)
    server = stage.Server(proxy.url(cluster.url))
    with proxy.fault(latency_s=0.05):        # from now on, also for what is open; without it again behind the block
        ...
    proxy.blackhole(); proxy.heal()          # the same as a block's begin and end
    proxy.reset(); proxy.half_open(); proxy.forget()     # what is open now
    proxy.close()

What chance decides is decided by `seed`. One thread of its own does all; the methods may be called from any other.
"""
import asyncio
import contextlib
import random
import socket
import struct
import threading
import urllib.parse


class Proxy:
    def __init__(self, port, host="127.0.0.1", seed=1):
        self.target = host, port
        self.accepted = 0
        self._random = random.Random(seed)
        self._links = set()
        self._faults = {}
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._accept, sock=listening))

    def url(self, url):
        """The connection string `url`, by way of the proxy."""
        port = urllib.parse.urlsplit(url).port
        return url.replace(f":{port}", f":{self.port}", 1)

    @contextlib.contextmanager
    def fault(self, **faults):
        """latency_s, jitter_s: what each piece is late by, at least, and at most more.
        piece: most bytes that are passed on at once.
        resets: the chance of each piece to end its connection.
        blackhole: nothing passes in any direction, and no new connection gets through; it is delivered behind the block,
        as TCP does when packets come through again."""
        self._call(self._set, faults)
        try:
            yield
        finally:
            self._call(self._set, {})

    def blackhole(self):
        """As a fault, until heal()."""
        self._call(self._set, {"blackhole": True})

    def heal(self):
        self._call(self._set, {})

    def reset(self):
        """Ends all connections by RST, on both sides; how many there were."""
        return self._call(lambda: sum(link.reset() for link in list(self._links)))

    def half_open(self):
        """PostgreSQL loses all connections, and the client hears nothing of it, ever; how many there were."""
        return self._call(lambda: sum(link.half_open() for link in list(self._links)))

    def forget(self):
        """As a NAT does: nothing passes any more on what is open now, and neither side is told; how many there were.
        PostgreSQL hears of it when the client gives up, as its keepalives would tell it some time."""
        return self._call(lambda: sum(link.forget() for link in list(self._links)))

    def close(self):
        self.reset()
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self):
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def _call(self, function, *arguments):
        async def call():
            return function(*arguments)
        return self._run(call())

    def _set(self, faults):
        unknown = set(faults) - {"latency_s", "jitter_s", "piece", "resets", "blackhole"}
        if unknown:
            raise ValueError(f"no such fault: {unknown}")
        self._faults = faults
        if faults.get("blackhole"):
            self._flows.clear()
        else:
            self._flows.set()

    async def _accept(self, reader, writer):
        self.accepted += 1
        link = Link(self, writer)
        self._links.add(link)
        try:
            await self._flows.wait()
            try:
                server_reader, link.server = await asyncio.open_connection(*self.target)
            except OSError:
                link.reset()
                return
            await asyncio.gather(self._pass_on(link, reader, link.server), self._pass_on(link, server_reader, writer))
        except asyncio.CancelledError:  # by close(); else asyncio would complain of it
            pass
        finally:
            self._links.discard(link)
            link.close()

    async def _pass_on(self, link, reader, writer):
        """One direction of a connection, to its end. Pieces keep their order, however late each is."""
        late = asyncio.Queue(64)
        sending = asyncio.ensure_future(self._send(link, late, writer))
        try:
            while data := await reader.read(65536):
                due = self._loop.time() + self._faults.get("latency_s", 0)
                due += self._random.random() * self._faults.get("jitter_s", 0)
                await late.put((due, data))
        except OSError:
            pass
        await late.put((0, b""))
        await sending

    async def _send(self, link, late, writer):
        while True:
            due, data = await late.get()
            wait = due - self._loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            if not data:
                await self._flows.wait()
                if link.is_silent and writer is link.server:
                    link.close()
                elif not link.is_silent:
                    with contextlib.suppress(OSError, RuntimeError):
                        writer.write_eof()
                return
            while data:
                await self._flows.wait()
                size = self._faults.get("piece", len(data))
                piece, data = data[:size], data[size:]
                if self._random.random() < self._faults.get("resets", 0):
                    link.reset()
                if link.is_over or link.is_silent:
                    break
                with contextlib.suppress(OSError, RuntimeError):
                    writer.write(piece)
                    await writer.drain()
                if data:
                    await asyncio.sleep(0)


class Link:
    """A connection's two sides, each a writer."""

    def __init__(self, proxy, client):
        self.proxy, self.client, self.server = proxy, client, None
        self.is_silent = self.is_over = False

    def reset(self):
        if self.is_over:
            return 0
        self.is_over = True
        for side in self.client, self.server:
            if side is not None and side.transport.get_extra_info("socket") is not None:
                with contextlib.suppress(OSError):
                    side.transport.get_extra_info("socket").setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                side.transport.abort()
        return 1

    def half_open(self):
        if not self.forget():
            return 0
        self.server.transport.abort()
        return 1

    def forget(self):
        if self.is_over or self.is_silent or self.server is None:
            return 0
        self.is_silent = True
        return 1

    def close(self):
        self.is_over = True
        for side in self.client, self.server:
            if side is not None:
                side.close()
