"""Starting before the stores, stopping under load, losing and regaining a store."""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend_process import Backend
from redis_cluster import RedisCluster


@pytest.fixture
def own_cluster(tmp_path) -> Iterator[RedisCluster]:
    """Not started yet, and free to be broken."""
    cluster = RedisCluster(tmp_path / "redis")
    yield cluster
    cluster.stop()


def test_a_backend_started_before_redis_finds_it(
    start_backend: Callable[..., Backend], absent_mongodb_uri: str, own_cluster: RedisCluster
) -> None:
    with start_backend(MONGODB_URI=absent_mongodb_uri, REDIS_URL=own_cluster.url) as backend:
        assert "redis" in backend.client.get("/healthz/ready").json()["failing"]
        own_cluster.start()
        backend.wait_for("/healthz/ready", lambda answer: answer.json()["failing"] == ["mongodb"])
        assert backend.client.post("/sessions", json={"user": "u"}).status_code == 201


def test_losing_redis_shows_in_readiness_and_costs_no_answers(
    start_backend: Callable[..., Backend], absent_mongodb_uri: str, own_cluster: RedisCluster
) -> None:
    own_cluster.start()
    with start_backend(MONGODB_URI=absent_mongodb_uri, REDIS_URL=own_cluster.url) as backend:
        backend.wait_for("/healthz/ready", lambda answer: answer.json()["failing"] == ["mongodb"])
        own_cluster.stop()
        backend.wait_for(
            "/healthz/ready", lambda answer: answer.json()["failing"] == ["mongodb", "redis"]
        )
        assert backend.client.get("/ai/answer?question=q").status_code == 200
        assert backend.client.get("/healthz/live").status_code == 200


@pytest.mark.parametrize("loss", [RedisCluster.kill_node, RedisCluster.hang_node])
def test_the_loss_of_the_node_in_the_url_does_not_cut_the_backend_off(
    start_backend: Callable[..., Backend],
    absent_mongodb_uri: str,
    own_cluster: RedisCluster,
    loss: Callable[[RedisCluster, int], None],
) -> None:
    own_cluster.start()
    with start_backend(MONGODB_URI=absent_mongodb_uri, REDIS_URL=own_cluster.url) as backend:
        assert backend.client.post("/sessions", json={"user": "u"}).status_code == 201
        loss(own_cluster, 0)
        for number in range(10):
            answer = backend.client.get(f"/ai/answer?question={number}")
            assert answer.status_code == 200
        for _ in range(3):
            backend.wait_for("/healthz/ready", lambda it: it.json()["failing"] == ["mongodb"])
            time.sleep(1.1)
        assert "Traceback" not in backend.log()


def test_a_burst_at_the_first_moment_is_answered_in_full(
    start_backend: Callable[..., Backend], absent_mongodb_uri: str, redis_cluster: RedisCluster
) -> None:
    with (
        start_backend(MONGODB_URI=absent_mongodb_uri, REDIS_URL=redis_cluster.url) as backend,
        ThreadPoolExecutor(60) as pool,
    ):
        questions = [f"/ai/answer?question=burst+{number % 30}" for number in range(600)]
        statuses = [answer.status_code for answer in pool.map(backend.client.get, questions)]
        assert set(statuses) == {200}
        assert "Traceback" not in backend.log()


def test_more_callers_than_redis_connections_wait_instead_of_failing(
    start_backend: Callable[..., Backend], absent_mongodb_uri: str, redis_cluster: RedisCluster
) -> None:
    with (
        start_backend(
            MONGODB_URI=absent_mongodb_uri, REDIS_URL=redis_cluster.url, REDIS_MAX_CONNECTIONS="2"
        ) as backend,
        ThreadPoolExecutor(30) as pool,
    ):
        created = list(
            pool.map(
                lambda number: backend.client.post("/sessions", json={"user": f"u{number}"}),
                range(150),
            )
        )
    assert {answer.status_code for answer in created} == {201}


def test_sigterm_finishes_requests_in_flight(
    redis_cluster, start_backend, absent_mongodb_uri
) -> None:
    with start_backend(MONGODB_URI=absent_mongodb_uri, REDIS_URL=redis_cluster.url) as backend:
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(
                backend.client.get, "/ai/answer?question=slow+and+alone&think_ms=2000"
            )
            backend.wait_for(
                "/metrics", lambda answer: "http_requests_in_flight 1.0" in answer.text
            )
            backend.process.send_signal(signal.SIGTERM)
            assert slow.result(timeout=15).status_code == 200
        assert backend.process.wait(timeout=10) in (0, -signal.SIGTERM)
        assert "store connections closed" in backend.log()
        assert "Traceback" not in backend.log()


def test_overload_is_shed_while_probes_still_answer(
    start_backend: Callable[..., Backend], absent_mongodb_uri: str, redis_cluster: RedisCluster
) -> None:
    with start_backend(
        MONGODB_URI=absent_mongodb_uri, REDIS_URL=redis_cluster.url, MAX_IN_FLIGHT="1"
    ) as backend:
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(backend.client.get, "/ai/answer?question=occupied&think_ms=3000")
            backend.wait_for(
                "/metrics", lambda answer: "http_requests_in_flight 1.0" in answer.text
            )
            refused = backend.client.get("/")
            assert refused.status_code == 503
            assert "Retry-After" in refused.headers
            assert backend.client.get("/healthz/live").status_code == 200
            assert slow.result(timeout=15).status_code == 200
        assert backend.client.get("/").status_code == 200
        assert backend.metric("http_requests_shed_total") >= 1
