"""The settings, from the environment. `Settings()` raises pydantic's ValidationError when one is wrong."""

import re
from typing import Annotated, Self
from urllib.parse import urlencode

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings

# One `word = value` of libpq's keyword form; a value with blanks stands in single quotes.
_WORD = re.compile(r"\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^'\s\\]|\\.)*))(?=\s|$)")


def as_uri(conninfo: str) -> str:
    """libpq's connection string as a URI, the one form that asyncpg reads."""
    if conninfo.startswith(("postgresql://", "postgres://")):
        return conninfo
    words, at = {}, 0
    while conninfo[at:].strip():
        word = _WORD.match(conninfo, at)
        if not word:
            raise ValueError("neither a postgresql:// URI nor words like host=127.0.0.1 dbname=users")
        value = word[2] if word[2] is not None else word[3]
        words[word[1]] = re.sub(r"\\(.)", r"\1", value)
        at = word.end()
    return "postgresql:///?" + urlencode(words)


class Settings(BaseSettings):
    port: Annotated[int, Field(ge=1, le=65535)] = 8081
    database_url: str = ""  # without it asyncpg reads libpq's PG* variables
    # Connections of one worker, not of the service.
    db_pool_max_size: Annotated[int, Field(ge=1, le=1000)] = 10
    db_pool_min_size: Annotated[int, Field(ge=0, le=1000)] = 1
    uvicorn_workers: Annotated[int, Field(ge=1, le=256)] = 1

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.db_pool_min_size > self.db_pool_max_size:
            raise ValueError("DB_POOL_MIN_SIZE is more than DB_POOL_MAX_SIZE: lower the one or raise the other")
        self.dsn  # noqa: B018  a DATABASE_URL that can't be read is said at start
        return self

    @property
    def dsn(self) -> str | None:
        return as_uri(self.database_url) if self.database_url else None
