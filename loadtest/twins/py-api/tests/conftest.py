import os

import pytest
from fastapi.testclient import TestClient

from py_api.app import create_app


class FakeDatabase:
    """Answers with `rows`, or raises them when they are an exception; remembers what it was asked."""

    def __init__(self):
        self.rows = []
        self.asked = []

    async def open(self):
        pass

    async def close(self):
        pass

    async def fetch(self, sql, *arguments, deadline):
        self.asked.append((sql, arguments, deadline))
        if isinstance(self.rows, Exception):
            raise self.rows
        return self.rows


@pytest.fixture
def database():
    return FakeDatabase()


@pytest.fixture
def client(database):
    with TestClient(create_app(database=database), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def database_url():
    """A PostgreSQL with the seeded table; without one the tests that ask it are skipped."""
    url = os.environ.get("DATABASE_URL")
    if not url:
        pytest.skip("DATABASE_URL is not set: it should name a PostgreSQL with the seeded table")
    return url
