"""Users: the statements that read them, and their JSON."""

from collections.abc import Iterable

import asyncpg
import orjson

# The same text as in the other contenders.
FIND = "select id, email, full_name, age, country_code, is_active, created_at from users where id = $1"
LIST = (
    "select page.id, page.email, page.full_name, page.age, page.country_code, page.is_active, page.created_at, "
    "counted.total from (select count(*) as total from users) as counted left join (select id, email, full_name, "
    "age, country_code, is_active, created_at from users order by id limit $1 offset $2) as page on true "
    "order by page.id"
)
PING = "select 1"


def dump(value: object) -> bytes:
    # default: asyncpg's UUID is a subclass of the standard one, which orjson takes only as itself.
    return orjson.dumps(value, default=str, option=orjson.OPT_UTC_Z)


def user_json(row: asyncpg.Record) -> bytes:
    return dump(dict(row))


def page_json(rows: Iterable[asyncpg.Record], limit: int, offset: int) -> bytes:
    """The total stands in each row; a page past the end is one row without a user: its id is null."""
    items, total = [], 0
    for row in rows:
        item = dict(row)
        total = item.pop("total")
        if item["id"] is not None:
            items.append(item)
    return dump({"items": items, "limit": limit, "offset": offset, "total": total})
