"""Settings: defaults, and every bad value refused by the name of its variable."""

import pytest

from app.settings import SettingsError, load_settings
from backend_process import free_port, start_uvicorn

MONGODB_URI = (
    "mongodb://root:s3cret%40x@m-0:27017,m-1:27017/?replicaSet=rs&w=majority&authSource=admin"
)
REDIS_URL = "redis://:s3cret@redis:6379"


@pytest.fixture(autouse=True)
def only_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URI", MONGODB_URI)
    monkeypatch.setenv("REDIS_URL", REDIS_URL)


def test_two_variables_are_enough() -> None:
    settings = load_settings()
    assert settings.mongodb_database == "eaiser"
    assert settings.mongodb_max_pool_size == 100
    assert settings.max_in_flight is None
    assert settings.ai_think_time_ms == 50
    assert settings.ai_cache_ttl_seconds == 300


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_IN_FLIGHT", "")
    monkeypatch.setenv("REDIS_NODES", "")
    assert load_settings().max_in_flight is None
    assert load_settings().redis_nodes == ()


def test_redis_nodes_are_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_NODES", "redis-0.redis:6379, redis-1.redis:6380,[::1]:6381")
    assert load_settings().redis_nodes == (
        ("redis-0.redis", 6379),
        ("redis-1.redis", 6380),
        ("::1", 6381),
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MONGODB_URI", "http://mongo"),
        ("MONGODB_URI", "mongodb://"),
        ("MONGODB_URI", "mongodb://root:top/s3cret@mongo"),
        ("MONGODB_URI", "mongodb://root:top@s3cret@mongo"),
        ("MONGODB_URI", "mongodb://mongo/?w=majority&retryWrites=perhaps"),
        ("MONGODB_DATABASE", "a.b"),
        ("MONGODB_DATABASE", "x" * 64),
        ("MONGODB_MAX_POOL_SIZE", "0"),
        ("MONGODB_MAX_POOL_SIZE", "many"),
        ("MONGODB_MAX_POOL_SIZE", "1e9"),
        ("REDIS_URL", "redis:6379"),
        ("REDIS_URL", "http://redis:6379"),
        ("REDIS_URL", "redis://:s3cret@"),
        ("REDIS_URL", "redis://:s3cret@redis:port"),
        ("REDIS_URL", "redis://:s3cret@redis:6379/3"),
        ("REDIS_URL", "redis://:s3cret@redis:6379?db=3"),
        ("REDIS_NODES", "redis-0"),
        ("REDIS_NODES", "redis-0:0"),
        ("REDIS_NODES", "redis-0:70000"),
        ("REDIS_NODES", "redis-0:6379,,redis-1:6379"),
        ("REDIS_MAX_CONNECTIONS", "-1"),
        ("MAX_IN_FLIGHT", "0"),
        ("AI_THINK_TIME_MS", "-1"),
        ("AI_THINK_TIME_MS", "10001"),
        ("AI_CACHE_TTL_SECONDS", "0"),
        ("SESSION_TTL_SECONDS", "soon"),
        ("STORE_TIMEOUT_MS", "1"),
        ("LIVENESS_ISOLATION_SECONDS", "0"),
    ],
)
def test_a_bad_value_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as refusal:
        load_settings()
    assert str(refusal.value).startswith(f"{variable}: ")
    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize("variable", ["MONGODB_URI", "REDIS_URL"])
def test_a_missing_required_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv(variable)
    with pytest.raises(SettingsError, match=variable):
        load_settings()


def test_all_problems_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL")
    monkeypatch.setenv("MAX_IN_FLIGHT", "lots")
    with pytest.raises(SettingsError, match=r"(?s)REDIS_URL.*MAX_IN_FLIGHT"):
        load_settings()


def test_passwords_are_redacted_in_both_spellings() -> None:
    text = load_settings().redact("tried s3cret%40x, then s3cret@x, then s3cret")
    assert "s3cret" not in text
    assert text.count("***") == 3


def test_settings_do_not_show_credentials_when_printed() -> None:
    assert "s3cret" not in repr(load_settings())


def test_the_server_exits_at_start_and_names_the_variable(log_file) -> None:
    environment = {"MONGODB_URI": MONGODB_URI, "REDIS_URL": REDIS_URL, "MAX_IN_FLIGHT": "lots"}
    process = start_uvicorn(environment, free_port(), log_file)
    assert process.wait(timeout=20) == 1
    log = log_file.read_text()
    assert "cannot start: MAX_IN_FLIGHT: " in log
    assert "Traceback" not in log
    assert "s3cret" not in log
