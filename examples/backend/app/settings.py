"""Settings: every environment variable the service reads, checked once at start."""

from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

MONGODB_URI_SHAPE = (
    "must look like mongodb://user:password@host:27017/?replicaSet=NAME"
    " (percent-encode special characters in the password)"
)
REDIS_URL_SHAPE = (
    "must look like redis://:password@host:6379 or rediss://… with no database"
    " number (percent-encode special characters in the password)"
)


class SettingsError(Exception):
    """One or more variables are missing or wrong; the message names each, never its value."""


class Settings(BaseSettings):
    """Field `x` comes from variable `X`; an empty variable counts as unset."""

    model_config = SettingsConfigDict(
        frozen=True, env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    mongodb_uri: SecretStr
    mongodb_database: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,63}$")] = "eaiser"
    mongodb_max_pool_size: Annotated[int, Field(ge=1, le=10_000)] = 100
    redis_url: SecretStr
    redis_nodes: Annotated[tuple[tuple[str, int], ...], NoDecode] = ()
    redis_max_connections: Annotated[int, Field(ge=1, le=10_000)] = 100
    max_in_flight: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    ai_think_time_ms: Annotated[int, Field(ge=0, le=10_000)] = 50
    ai_cache_ttl_seconds: Annotated[int, Field(ge=1, le=30 * 86_400)] = 300
    session_ttl_seconds: Annotated[int, Field(ge=1, le=365 * 86_400)] = 3_600
    store_timeout_ms: Annotated[int, Field(ge=100, le=60_000)] = 5_000
    liveness_isolation_seconds: Annotated[int, Field(ge=1, le=86_400)] = 300

    @field_validator("mongodb_uri")
    @classmethod
    def _mongodb_uri_parses(cls, uri: SecretStr) -> SecretStr:
        text = uri.get_secret_value()
        if text.startswith("mongodb+srv://") and urlsplit(text).hostname:
            return uri  # parsing one asks DNS, which may not answer yet at start
        try:
            parse_uri(text, validate=True, warn=False)
        except (PyMongoError, ValueError) as error:
            raise ValueError(MONGODB_URI_SHAPE) from error
        return uri

    @field_validator("redis_url")
    @classmethod
    def _redis_url_parses(cls, url: SecretStr) -> SecretStr:
        try:
            parts = urlsplit(url.get_secret_value())
            well_formed = (
                parts.scheme in ("redis", "rediss")
                and parts.hostname
                and parts.port != 0  # reading it raises when it is not a number
                and parts.path in ("", "/", "/0")  # a cluster has database 0 only
                and not parts.query
            )
        except ValueError as error:
            raise ValueError(REDIS_URL_SHAPE) from error
        if not well_formed:
            raise ValueError(REDIS_URL_SHAPE)
        return url

    @field_validator("redis_nodes", mode="before")
    @classmethod
    def _redis_nodes_split(cls, nodes: object) -> object:
        if not isinstance(nodes, str):
            return nodes
        return tuple(_host_and_port(node) for node in nodes.split(","))

    @property
    def store_timeout(self) -> float:
        """Longest time one request waits for one store, in seconds."""
        return self.store_timeout_ms / 1000

    def redact(self, text: str) -> str:
        """Return `text` with the stores' passwords replaced, as given and decoded."""
        for secret in (self.mongodb_uri, self.redis_url):
            # Not urlsplit().password: a Mongo URI lists several host:port pairs.
            userinfo = secret.get_secret_value().partition("://")[2].rpartition("@")[0]
            password = userinfo.partition(":")[2]
            for form in {password, unquote(password)} - {""}:
                text = text.replace(form, "***")
        return text


def _host_and_port(node: str) -> tuple[str, int]:
    host, colon, port = node.strip().rpartition(":")
    valid = colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65_536
    if not valid:
        raise ValueError("must be a comma-separated list of host:port")
    return host.strip("[]"), int(port)


def load_settings() -> Settings:
    """Read the environment; raise SettingsError naming every bad variable at once."""
    try:
        return Settings()
    except ValidationError as error:
        problems = [
            f"{str(item['loc'][0]).upper()}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        raise SettingsError("; ".join(problems)) from None
