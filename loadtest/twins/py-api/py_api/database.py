"""The pool of one worker, and questions to PostgreSQL that end by a deadline."""

import asyncio
import contextlib
import logging
from typing import Any

import asyncpg

from py_api.settings import Settings

log = logging.getLogger("py_api")

APPLICATION_NAME = "py-api"
CONNECT_TIMEOUT = 2.0
RETRY_AFTER = 0.5
# How long an abandoned query may take to confirm its cancellation before its connection is given up.
RELEASE_TIMEOUT = 2.0
CLOSE_TIMEOUT = 5.0


class Unavailable(Exception):
    """PostgreSQL could not be asked within the deadline; asking again later may succeed."""


def is_outage(error: asyncpg.PostgresError) -> bool:
    """Connection lost (08), server starting or stopping (57P), all its connections taken (53300)."""
    state = error.sqlstate or ""
    return state.startswith(("08", "57P")) or state == "53300"


async def keep_session(connection: asyncpg.Connection) -> None:
    """In place of asyncpg's reset, which is a round trip after each query.

    Safe here: every statement is a single SELECT outside a transaction. None sets a variable, listens, locks or
    opens a cursor, so there is nothing to reset. asyncpg still rolls back a transaction that was left open.
    """


class Database:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool: asyncpg.Pool | None = None
        self._opening: asyncio.Task[None] | None = None
        self._releases: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Returns with the pool filled, or without one after a failed try: it is then opened in the background."""
        opened = asyncio.Event()
        self._opening = asyncio.create_task(self._open(opened))
        await opened.wait()

    async def _open(self, tried: asyncio.Event) -> None:
        size = self._settings
        while True:
            try:
                self._pool = await asyncpg.create_pool(
                    size.dsn,
                    min_size=size.db_pool_min_size,
                    max_size=size.db_pool_max_size,
                    # By default a connection is replaced after 50,000 queries, which a loaded server reaches in
                    # minutes, and its statements are prepared anew each five minutes.
                    max_queries=2**62,
                    max_cached_statement_lifetime=0,
                    max_inactive_connection_lifetime=0,  # else each release sets a timer, each use ends it
                    timeout=CONNECT_TIMEOUT,
                    reset=keep_session,
                    server_settings={"application_name": APPLICATION_NAME},
                )
                return
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("database_unavailable", extra={"why": str(error) or type(error).__name__})
            finally:
                tried.set()
            await asyncio.sleep(RETRY_AFTER)

    async def close(self) -> None:
        if self._opening:
            self._opening.cancel()
        if self._pool:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._pool.close(), CLOSE_TIMEOUT)

    async def fetch(self, sql: str, *arguments: Any, deadline: float) -> list[asyncpg.Record]:
        """Raises Unavailable, or asyncpg.PostgresError when PostgreSQL answered with an error that is no outage."""
        try:
            async with asyncio.timeout(deadline):
                connection = await self._acquire()
                try:
                    rows = await connection.fetch(sql, *arguments)
                except asyncpg.InternalClientError as error:
                    # The backend has been ended: its last words are here, the end of the connection is not yet.
                    connection.terminate()
                    self._release_later(connection)
                    raise Unavailable(str(error)) from error
                except BaseException:
                    # An abandoned query is being cancelled: its caller does not wait for that.
                    self._release_later(connection)
                    raise
                await self._pool.release(connection)
                return rows
        except asyncpg.PostgresError as error:
            if is_outage(error):
                raise Unavailable(str(error)) from error
            raise
        except asyncpg.DataError:  # an InterfaceError too, but the program's fault
            raise
        except (OSError, TimeoutError, asyncpg.InterfaceError) as error:
            raise Unavailable(str(error) or type(error).__name__) from error

    async def _acquire(self) -> asyncpg.pool.PoolConnectionProxy:
        if self._pool is None:
            raise Unavailable("no connection yet")
        try:
            return await self._pool.acquire()
        except asyncpg.PostgresError as error:  # whatever keeps a connection from being made
            raise Unavailable(str(error)) from error

    def _release_later(self, connection: asyncpg.pool.PoolConnectionProxy) -> None:
        task = asyncio.create_task(self._release(connection))
        self._releases.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self._releases.discard)

    async def _release(self, connection: asyncpg.pool.PoolConnectionProxy) -> None:
        # What fails here has ended the connection; the pool makes a new one.
        with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await self._pool.release(connection, timeout=RELEASE_TIMEOUT)
