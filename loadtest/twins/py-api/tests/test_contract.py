"""The contract's rows, over a database that is not there."""

import datetime
import gc
import re
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from py_api import users
from py_api.database import Unavailable

ID = "123e4567-e89b-12d3-a456-426614174000"
ROW = {
    "id": UUID(ID),
    "email": "user1@example.com",
    "full_name": "User 1",
    "age": 25,
    "country_code": "US",
    "is_active": True,
    "created_at": datetime.datetime(2026, 1, 31, 8, tzinfo=datetime.UTC),
}
NOBODY = dict.fromkeys(ROW)


def test_a_user_field_by_field(client, database):
    database.rows = [ROW]
    answer = client.get(f"/users/{ID}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.text == (
        f'{{"id":"{ID}","email":"user1@example.com","full_name":"User 1","age":25,"country_code":"US",'
        '"is_active":true,"created_at":"2026-01-31T08:00:00Z"}'
    )
    assert database.asked == [(users.FIND, (ID,), 2.0)]


@pytest.mark.parametrize(
    ("microsecond", "text"),
    [(0, "08:00:00Z"), (1, "08:00:00.000001Z"), (100000, "08:00:00.100000Z"), (999999, "08:00:00.999999Z")],
)
def test_six_digits_or_none(client, database, microsecond, text):
    database.rows = [ROW | {"created_at": ROW["created_at"].replace(microsecond=microsecond)}]
    assert client.get(f"/users/{ID}").json()["created_at"] == f"2026-01-31T{text}"


@pytest.mark.parametrize(
    "name", ['a "quote"', "back\\slash", "\x01\x1f\n\t", "Zoë", "山田太郎", "😀", "שלום", "\x7f", "/"]
)
def test_text_comes_back_unchanged_and_unescaped(client, database, name):
    database.rows = [ROW | {"full_name": name}]
    answer = client.get(f"/users/{ID}")
    assert answer.json()["full_name"] == name
    if name.isalpha():
        assert name in answer.text


def test_null_is_null(client, database):
    database.rows = [ROW | {"full_name": None, "age": None, "created_at": None}]
    user = client.get(f"/users/{ID}").json()
    assert (user["full_name"], user["age"], user["created_at"]) == (None, None, None)


@pytest.mark.parametrize("path", [f"/users/{ID}", f"/users/{ID.upper()}", f"/users/{ID.replace('-', '%2D')}"])
def test_nobody(client, path):
    assert (answer := client.get(path)).status_code == 404
    assert answer.json() == {"error": "not_found"}


@pytest.mark.parametrize(
    "id",
    ["x", ID[:-1], ID + "0", ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}", ID + "%0A", "%20" + ID, "g" + ID[1:]],
)
def test_invalid_id(client, database, id):
    assert (answer := client.get(f"/users/{id}")).status_code == 400
    assert answer.json() == {"error": "invalid_id"}
    assert not database.asked


@pytest.mark.parametrize(
    ("query", "arguments"),
    [
        ("", (50, 0)),
        ("?limit=1&offset=2", (1, 2)),
        ("?limit=200", (200, 0)),
        ("?limit=0007", (7, 0)),
        ("?offset=9223372036854775807", (50, 2**63 - 1)),
        ("?%6Cimit=%31", (1, 0)),
        ("?x=1&x=2&y", (50, 0)),
        ("?Limit=x", (50, 0)),
    ],
)
def test_a_page(client, database, query, arguments):
    database.rows = [ROW | {"total": 3}, ROW | {"total": 3}]
    answer = client.get(f"/users{query}")
    assert answer.status_code == 200
    assert database.asked == [(users.LIST, arguments, 2.0)]
    body = answer.json()
    assert list(body) == ["items", "limit", "offset", "total"]
    assert (body["limit"], body["offset"], body["total"]) == (*arguments, 3)
    assert [list(item) for item in body["items"]] == [list(ROW)] * 2


def test_a_page_past_the_end(client, database):
    database.rows = [NOBODY | {"total": 10000}]
    assert client.get("/users?offset=10000").json() == {"items": [], "limit": 50, "offset": 10000, "total": 10000}


BAD = ["0x1", "", "+1", "%2B1", "-1", "%201", "1%20", "1.0", "1e1", "1_0", "%D9%A1", "x", "9" * 5000, "1;offset=1"]


@pytest.mark.parametrize("value", [*BAD, "0", "201", "1&limit=1"])
def test_invalid_limit(client, database, value):
    answer = client.get(f"/users?offset=x&limit={value}")  # the limit is judged first
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_limit"})
    assert not database.asked


@pytest.mark.parametrize("value", [*BAD, "9223372036854775808", "1&offset=1"])
def test_invalid_offset(client, database, value):
    answer = client.get(f"/users?limit=1&offset={value}")
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_offset"})
    assert not database.asked


@pytest.mark.parametrize("target", ["/users/%zz", "/users/%", "/users?limit=%zz", "/users?x=%4", "/healthz?%", "/%f"])
def test_malformed_escape(client, target):
    assert client.get(target).status_code == 400


@pytest.mark.parametrize(
    "path", ["/", "/users/", "/users/a/b", "/users/a%2Fb", "/Users", "/healthz/", "/docs", "/redoc", "/openapi.json"]
)
def test_no_such_path(client, path):
    for method in ("GET", "POST"):
        answer = client.request(method, path, follow_redirects=False)
        assert (answer.status_code, answer.json()) == (404, {"error": "not_found"})


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/users", f"/users/{ID}", "/users/x"])
def test_methods(client, database, path):
    database.rows = [ROW | {"total": 1}]
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        answer = client.request(method, path)
        assert (answer.status_code, answer.json()) == (405, {"error": "method_not_allowed"})
        assert answer.headers["allow"] == "GET, HEAD"
    get, head = client.get(path), client.head(path)
    assert head.status_code == get.status_code
    assert head.headers["content-length"] == get.headers["content-length"]


def test_health_asks_nothing(client, database):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert not database.asked


def test_ready(client, database):
    assert client.get("/readyz").json() == {"status": "ok"}
    assert database.asked == [("select 1", (), 1.0)]
    database.rows = asyncpg.UndefinedTableError("no table")
    assert client.get("/readyz").status_code == 503


@pytest.mark.parametrize("path", ["/readyz", "/users", f"/users/{ID}"])
def test_outage(client, database, path):
    database.rows = Unavailable("no connection")
    answer = client.get(path)
    assert (answer.status_code, answer.json()) == (503, {"error": "unavailable"})
    assert answer.headers["retry-after"] == "1"


def test_postgresql_error_is_internal_and_its_sqlstate_logged(client, database, caplog):
    database.rows = asyncpg.UndefinedTableError('relation "users" does not exist')
    answer = client.get("/users")
    assert (answer.status_code, answer.json()) == (500, {"error": "internal"})
    assert [record.sqlstate for record in caplog.records if record.message == "query_failed"] == ["42P01"]


def test_a_fault_of_its_own_is_internal(client, database):
    database.rows = ValueError("a bug")
    answer = client.get("/users")
    assert (answer.status_code, answer.json()) == (500, {"error": "internal"})


def test_the_statements_are_those_of_the_reference():
    source = Path(__file__).parents[4] / "src"
    if not source.exists():
        pytest.skip("outside the repository")
    headers = (source / name for name in ("app/users.h", "service/ping.h"))
    literals = re.sub(r'"\s*\n\s*"', "", "".join(header.read_text() for header in headers))
    assert f'"{users.FIND}"' in literals
    assert f'"{users.LIST}"' in literals
    assert f'"{users.PING}"' in literals


def test_no_collection_looks_at_what_the_start_made(client):
    assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold()[0] == 50_000
