"""The pool against a real PostgreSQL: sessions kept, deadlines kept, recovery."""

import asyncio
import time
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest
from proxy import Proxy

from py_api import users
from py_api.database import Database, Unavailable
from py_api.settings import Settings


@asynccontextmanager
async def opened(url, **sizes):
    database = Database(Settings(database_url=url, **sizes))
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def eventually(ask, within):
    """The answer, asking until there is one; fails when it takes longer than `within` seconds."""
    end = time.monotonic() + within
    while True:
        try:
            return await ask()
        except Unavailable:
            assert time.monotonic() < end, "still unavailable"
            await asyncio.sleep(0.05)


def test_sessions_and_statements_are_kept(database_url):
    async def run():
        async with opened(database_url, db_pool_min_size=1, db_pool_max_size=1) as database:
            mine = "select pid, application_name, query from pg_stat_activity where pid = pg_backend_pid()"
            first = (await database.fetch(mine, deadline=2))[0]
            for _ in range(5):
                await database.fetch(users.LIST, 1, 0, deadline=2)
            prepared = await database.fetch(
                "select statement, generic_plans + custom_plans as runs "
                "from pg_prepared_statements where statement = $1",
                users.LIST,
                deadline=2,
            )
            last = (await database.fetch(mine, deadline=2))[0]
            assert first["application_name"] == "py-api"
            assert first["pid"] == last["pid"]
            assert [(row["statement"], row["runs"]) for row in prepared] == [(users.LIST, 5)]

    asyncio.run(run())


def test_an_idle_pool_has_no_timers(database_url):
    async def run():
        async with opened(database_url, db_pool_min_size=2, db_pool_max_size=2) as database:
            await asyncio.gather(*(database.fetch(users.PING, deadline=2) for _ in range(10)))
            assert [timer for timer in asyncio.get_running_loop()._scheduled if not timer.cancelled()] == []

    asyncio.run(run())


def test_nothing_is_sent_after_a_query(database_url):
    async def run():
        async with opened(database_url, db_pool_min_size=1, db_pool_max_size=1) as database:
            pid = (await database.fetch("select pg_backend_pid() as pid", deadline=2))[0]["pid"]
            watcher = await asyncpg.connect(database_url)
            try:
                for _ in range(3):
                    await database.fetch(users.PING, deadline=2)
                    last = await watcher.fetchval("select query from pg_stat_activity where pid = $1", pid)
                    assert last == users.PING  # a reset would be seen here
            finally:
                await watcher.close()

    asyncio.run(run())


def test_the_whole_budget_is_open_from_the_start_and_no_more(database_url):
    async def run():
        async with Proxy(database_url) as proxy, opened(proxy.url, db_pool_min_size=4, db_pool_max_size=4) as database:
            assert proxy.links_made == 4
            await asyncio.gather(*(database.fetch("select pg_sleep(0.05)", deadline=2) for _ in range(20)))
            assert proxy.links_made == 4

    asyncio.run(run())


def test_libpq_words(database_url):
    async def run():
        address = urlsplit(database_url)
        words = f"host={address.hostname} port={address.port} dbname={address.path[1:]} user='{address.username}'"
        if address.password:
            words += f" password='{address.password}'"
        async with opened(words) as database:
            assert len(await database.fetch(users.PING, deadline=2)) == 1

    asyncio.run(run())


def test_a_slow_query_ends_at_the_deadline_and_keeps_its_connection(database_url):
    async def run():
        async with opened(database_url, db_pool_min_size=1, db_pool_max_size=1) as database:
            mine = "select pg_backend_pid() as pid"
            before = await database.fetch(mine, deadline=2)
            started = time.monotonic()
            with pytest.raises(Unavailable):
                await database.fetch("select pg_sleep(30)", deadline=0.3)
            assert time.monotonic() - started < 0.6
            assert await database.fetch(mine, deadline=2) == before

    asyncio.run(run())


def test_a_frozen_database_is_unavailable_in_time_and_usable_when_it_thaws(database_url):
    async def run():
        async with Proxy(database_url) as proxy, opened(proxy.url, db_pool_min_size=2, db_pool_max_size=2) as database:
            proxy.freeze()
            started = time.monotonic()
            asked = [database.fetch(users.PING, deadline=0.4) for _ in range(6)]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            assert [type(answer) for answer in answers] == [Unavailable] * 6
            assert time.monotonic() - started < 0.8
            proxy.thaw()
            await eventually(lambda: database.fetch(users.PING, deadline=1), within=3)

    asyncio.run(run())


def test_cut_connections_are_replaced(database_url):
    async def run():
        async with Proxy(database_url) as proxy, opened(proxy.url, db_pool_min_size=3, db_pool_max_size=3) as database:
            slow = [asyncio.create_task(database.fetch("select pg_sleep(5)", deadline=2)) for _ in range(3)]
            await asyncio.sleep(0.2)
            proxy.cut()
            assert [type(error) for error in await asyncio.gather(*slow, return_exceptions=True)] == [Unavailable] * 3
            await eventually(lambda: database.fetch(users.PING, deadline=1), within=1)

    asyncio.run(run())


@pytest.mark.parametrize("pass_ends", [True, False])
def test_an_ended_backend_is_an_outage_and_replaced(database_url, pass_ends):
    async def run():
        async with Proxy(database_url) as proxy, opened(proxy.url, db_pool_min_size=1, db_pool_max_size=1) as database:
            proxy.pass_ends = pass_ends
            pid = (await database.fetch("select pg_backend_pid() as pid", deadline=2))[0]["pid"]
            other = await asyncpg.connect(database_url)
            await other.fetch("select pg_terminate_backend($1)", pid)
            await other.close()
            await asyncio.sleep(0.1)
            if not pass_ends:  # the FATAL error has come, the end of the connection has not
                with pytest.raises(Unavailable):
                    await database.fetch(users.PING, deadline=1)
            now = (await database.fetch("select pg_backend_pid() as pid", deadline=1))[0]["pid"]
            assert now != pid

    asyncio.run(run())


def test_a_database_that_comes_later(database_url):
    async def run():
        async with Proxy(database_url) as proxy:
            url, port = proxy.url, urlsplit(proxy.url).port
        async with opened(url) as database:  # nobody listens there now
            with pytest.raises(Unavailable):
                await database.fetch(users.PING, deadline=1)
            async with Proxy(database_url, port):
                await eventually(lambda: database.fetch(users.PING, deadline=1), within=2)

    asyncio.run(run())


def test_an_error_that_is_no_outage_is_told_apart(database_url):
    async def run():
        async with opened(database_url) as database:
            with pytest.raises(asyncpg.UndefinedTableError):
                await database.fetch("select * from no_such_table", deadline=2)
            assert len(await database.fetch(users.PING, deadline=2)) == 1

    asyncio.run(run())
