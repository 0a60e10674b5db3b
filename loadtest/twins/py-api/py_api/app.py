"""The application: routes, and errors as the contract words them."""

import gc
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import asyncpg
from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from py_api import users
from py_api.database import Database, Unavailable
from py_api.settings import Settings

log = logging.getLogger("py_api")

REQUEST_DEADLINE, READY_DEADLINE = 2.0, 1.0
GC_THRESHOLDS = 50_000, 20, 20
METHODS = ["GET", "HEAD"]
UUID = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
DIGITS = re.compile(r"0*[0-9]{1,19}")  # 2^63-1 has 19
BAD_ESCAPE = re.compile(rb"%(?![0-9a-fA-F]{2})")


def decimal(text: str) -> int:
    """Digits alone: Python's own int() also takes blanks, signs, underscores and other scripts' digits."""
    if not DIGITS.fullmatch(text):
        raise ValueError("not a number")
    return int(text)


# A list, so that a parameter given twice is seen; `max_length` refuses it.
Number = BeforeValidator(decimal)
Limit = Annotated[list[Annotated[int, Number, Field(ge=1, le=200)]], Query(max_length=1)]
Offset = Annotated[list[Annotated[int, Number, Field(ge=0, le=2**63 - 1)]], Query(max_length=1)]


def answer(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status, headers, media_type="application/json")


def refusal(status: int, error: str, headers: dict[str, str] | None = None) -> Response:
    return answer(b'{"error":"%s"}' % error.encode(), status, headers)


def unavailable() -> Response:
    return refusal(503, "unavailable", {"Retry-After": "1"})


class RefuseBadEscapes:
    """ASGI servers leave a malformed escape as it stands, so it has to be looked for before the routes see it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path, query = scope["raw_path"], scope["query_string"]
            if (b"%" in path and BAD_ESCAPE.search(path)) or (b"%" in query and BAD_ESCAPE.search(query)):
                return await refusal(400, "invalid_escape")(scope, receive, send)
        return await self.app(scope, receive, send)


async def on_http_error(_: Request, error: HTTPException) -> Response:
    if error.status_code == 405:
        return refusal(405, "method_not_allowed", {"Allow": ", ".join(METHODS)})
    return refusal(404, "not_found") if error.status_code == 404 else refusal(error.status_code, "bad_request")


async def on_invalid(_: Request, error: RequestValidationError) -> Response:
    wrong = {problem["loc"][1] for problem in error.errors()}
    return refusal(400, "invalid_" + next(name for name in ("id", "limit", "offset") if name in wrong))


async def on_unavailable(_: Request, error: Unavailable) -> Response:
    return unavailable()


async def on_query_failed(request: Request, error: asyncpg.PostgresError) -> Response:
    log.error("query_failed", extra={"path": request.url.path, "sqlstate": error.sqlstate, "why": str(error)})
    return refusal(500, "internal")


async def on_failure(request: Request, error: Exception) -> Response:
    return refusal(500, "internal")  # uvicorn logs the traceback


def create_app(settings: Settings | None = None, database: Database | None = None) -> FastAPI:
    database = database or Database(settings or Settings())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await database.open()
        # What the start has made stays until the end: no collection needs to look at it again. What a request makes is
        # nearly all freed by its counts of references, so collections may be rare.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        yield
        await database.close()

    app = FastAPI(
        lifespan=lifespan,
        # Nobody collects it here; left on, each request asks whether somebody does.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        openapi_url=None,  # and with it the documentation's routes
        redirect_slashes=False,
        exception_handlers={
            HTTPException: on_http_error,
            RequestValidationError: on_invalid,
            Unavailable: on_unavailable,
            asyncpg.PostgresError: on_query_failed,
            Exception: on_failure,
        },
    )
    app.add_middleware(RefuseBadEscapes)

    @app.api_route("/healthz", methods=METHODS)
    async def healthz() -> Response:
        return answer(b'{"status":"ok"}')

    @app.api_route("/readyz", methods=METHODS)
    async def readyz() -> Response:
        try:
            await database.fetch(users.PING, deadline=READY_DEADLINE)
        except asyncpg.PostgresError:
            return unavailable()
        return answer(b'{"status":"ok"}')

    @app.api_route("/users/{id}", methods=METHODS)
    async def get_user(id: Annotated[str, Path(pattern=UUID)]) -> Response:
        rows = await database.fetch(users.FIND, id, deadline=REQUEST_DEADLINE)
        return answer(users.user_json(rows[0])) if rows else refusal(404, "not_found")

    @app.api_route("/users", methods=METHODS)
    async def list_users(limit: Limit = [50], offset: Offset = [0]) -> Response:  # noqa: B006  never changed
        rows = await database.fetch(users.LIST, limit[0], offset[0], deadline=REQUEST_DEADLINE)
        return answer(users.page_json(rows, limit[0], offset[0]))

    return app
