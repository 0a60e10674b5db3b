"""A proxy before PostgreSQL that can be frozen (bytes stop, connections stay) or cut (connections end)."""

import asyncio
import contextlib
from urllib.parse import urlsplit


class Proxy:
    def __init__(self, database_url, port=0):
        address = urlsplit(database_url)
        self._to = (address.hostname, address.port or 5432)
        self._path, self._login = address.path, address.netloc.rpartition("@")[0]  # with its password
        self._port = port
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._links = set()
        self.links_made = 0
        self.pass_ends = True  # False: when PostgreSQL closes a connection, its client is not told

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._link, "127.0.0.1", self._port)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"postgresql://{self._login}@127.0.0.1:{port}{self._path}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        self.cut()
        await asyncio.sleep(0)

    def freeze(self):
        self._flowing.clear()

    def thaw(self):
        self._flowing.set()

    def cut(self):
        for link in self._links:
            link.cancel()

    async def _link(self, reader, writer):
        self._links.add(task := asyncio.current_task())
        self.links_made += 1
        try:
            await self._flowing.wait()
            far_reader, far_writer = await asyncio.open_connection(*self._to)
            with contextlib.closing(far_writer):
                await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._links.discard(task)

    async def _copy(self, reader, writer):
        while data := await reader.read(65536):
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()
        if not self.pass_ends:
            await asyncio.Event().wait()
        writer.close()
