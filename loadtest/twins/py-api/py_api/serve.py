"""Runs the service: `python -m py_api.serve`."""

import json
import logging
import logging.config
import platform
import signal
import sys
from importlib.metadata import version
from typing import Any

import uvicorn
from pydantic import ValidationError

from py_api.settings import Settings

DRAIN_LIMIT = 10
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}

# uvicorn drains at SIGTERM and then raises it again for whoever handled it before. Left to the default that would
# end the process by the signal and not with 0. Here and not in main(): workers import this module, too.
for _signal in (signal.SIGTERM, signal.SIGINT):
    signal.signal(_signal, lambda *_: sys.exit(0))


class JsonLines(logging.Formatter):
    """One JSON object a line: level, event, then what the call gave as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _PLAIN}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": JsonLines}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"py_api": {"level": "INFO"}},
}


def announce(settings: Settings) -> None:
    logging.config.dictConfig(LOGGING)
    packages = ("fastapi", "pydantic", "asyncpg", "uvicorn", "uvloop", "httptools", "orjson")
    logging.getLogger("py_api").info(
        "starting",
        extra={
            "service": "py-api",
            "port": settings.port,
            "workers": settings.uvicorn_workers,
            "pool_max_size": settings.db_pool_max_size,
            "pool_min_size": settings.db_pool_min_size,
            "python": platform.python_version(),
            **{name: version(name) for name in packages},
        },
    )


def main() -> None:
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(map(str, problem["loc"])).upper() or "settings"
            print(f"py-api: {name}: {problem['msg']}; see README.md for the settings", file=sys.stderr)
        sys.exit(2)
    announce(settings)
    uvicorn.run(
        "py_api.app:create_app",
        factory=True,
        host="0.0.0.0",  # noqa: S104  a service in a container
        port=settings.port,
        workers=settings.uvicorn_workers,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=LOGGING,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=DRAIN_LIMIT,
    )


if __name__ == "__main__":
    main()
