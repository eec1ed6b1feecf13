"""Fixtures: real stores and the backend started against them."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend_process import Backend, free_port
from redis_cluster import RedisCluster

MONGODB_PASSWORD = "m0ngo-secret"


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    cluster = RedisCluster(tmp_path_factory.mktemp("redis"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def absent_mongodb_uri() -> str:
    """Nothing listens there."""
    return (
        f"mongodb://root:{MONGODB_PASSWORD}@127.0.0.1:{free_port()}/?replicaSet=absent&w=majority"
    )


@pytest.fixture(scope="session")
def mongodb_uri() -> str:
    uri = os.environ.get("MONGODB_URI_TEST")
    if not uri:
        pytest.skip("MONGODB_URI_TEST is not set: no MongoDB replica set to test against")
    return uri


@pytest.fixture(scope="session")
def start_backend(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Backend]:
    """Make a backend from environment variables; use it with `with`."""

    def make(**environment: str) -> Backend:
        return Backend(environment, tmp_path_factory.mktemp("backend") / "log")

    return make


@pytest.fixture(scope="session")
def redis_backend(
    start_backend: Callable[..., Backend], redis_cluster: RedisCluster, absent_mongodb_uri: str
) -> Iterator[Backend]:
    """Redis is up, MongoDB is not there."""
    with start_backend(
        MONGODB_URI=absent_mongodb_uri,
        REDIS_URL=redis_cluster.url,
        REDIS_NODES=redis_cluster.nodes,
        STORE_TIMEOUT_MS="1000",
    ) as backend:
        yield backend


@pytest.fixture(scope="session")
def storeless_backend(
    start_backend: Callable[..., Backend], absent_mongodb_uri: str
) -> Iterator[Backend]:
    """Neither store is there."""
    with start_backend(
        MONGODB_URI=absent_mongodb_uri,
        REDIS_URL=f"redis://:r3dis-secret@127.0.0.1:{free_port()}",
        STORE_TIMEOUT_MS="1000",
        LIVENESS_ISOLATION_SECONDS="3",
    ) as backend:
        yield backend


@pytest.fixture(scope="session")
def full_backend(
    mongodb_uri: str, start_backend: Callable[..., Backend], redis_cluster: RedisCluster
) -> Iterator[Backend]:
    """Both stores are up; the database is new."""
    with start_backend(
        MONGODB_URI=mongodb_uri,
        MONGODB_DATABASE=f"test_{uuid.uuid4().hex[:12]}",
        MONGODB_MAX_POOL_SIZE="7",
        REDIS_URL=redis_cluster.url,
    ) as backend:
        yield backend


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    return tmp_path / "log"
