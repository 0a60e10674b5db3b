import pytest
from pydantic import ValidationError

from py_api.settings import Settings, as_uri


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in ("DATABASE_URL", "PORT", "DB_POOL_MAX_SIZE", "DB_POOL_MIN_SIZE", "UVICORN_WORKERS"):
        monkeypatch.delenv(name, raising=False)


def test_a_uri_stays_as_it_is():
    assert as_uri("postgresql://a@b/c?sslmode=disable") == "postgresql://a@b/c?sslmode=disable"


@pytest.mark.parametrize(
    ("words", "uri"),
    [
        ("host=127.0.0.1 port=5432 dbname=users", "postgresql:///?host=127.0.0.1&port=5432&dbname=users"),
        (r"  user = 'a b'  password='it\'s' ", "postgresql:///?user=a+b&password=it%27s"),
        (r"password=a\\b\ c host=''", "postgresql:///?password=a%5Cb+c&host="),
    ],
)
def test_words_become_a_uri(words, uri):
    assert as_uri(words) == uri


@pytest.mark.parametrize("nonsense", ["users", "host=a b", "mysql://a/b", "host='a"])
def test_nonsense_is_refused(monkeypatch, nonsense):
    monkeypatch.setenv("DATABASE_URL", nonsense)
    with pytest.raises(ValidationError, match="neither a postgresql:// URI"):
        Settings()


def test_from_the_environment(monkeypatch):
    monkeypatch.setenv("DB_POOL_MAX_SIZE", "30")
    monkeypatch.setenv("UVICORN_WORKERS", "4")
    settings = Settings()
    assert (settings.db_pool_max_size, settings.uvicorn_workers, settings.dsn) == (30, 4, None)


@pytest.mark.parametrize(("name", "value"), [("PORT", "http"), ("DB_POOL_MAX_SIZE", "0"), ("DB_POOL_MIN_SIZE", "11")])
def test_wrong_ones_are_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower() if name != "DB_POOL_MIN_SIZE" else name):
        Settings()
