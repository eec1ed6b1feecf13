"""Liveness, readiness, metrics and the front page of the running backend."""

import errno
import socket
import time

from backend_process import Backend
from conftest import MONGODB_PASSWORD
from redis_cluster import PASSWORD


def test_the_front_page_says_what_this_is(redis_backend: Backend) -> None:
    page = redis_backend.client.get("/").json()
    assert "not from a model" in page["about"]
    for link in ("liveness", "metrics", "documentation"):
        assert redis_backend.client.get(page["links"][link]).status_code == 200


def test_every_answer_names_the_pod(redis_backend: Backend) -> None:
    for path in ("/", "/healthz/live", "/healthz/ready", "/metrics", "/nowhere"):
        answer = redis_backend.client.get(path)
        assert answer.headers["X-Served-By"] == socket.gethostname()


def test_readiness_names_the_store_that_fails_and_why(redis_backend: Backend) -> None:
    answer = redis_backend.client.get("/healthz/ready")
    assert answer.status_code == 503
    body = answer.json()
    assert body["failing"] == ["mongodb"]
    assert body["stores"]["redis"]["ok"] is True
    assert f"Errno {errno.ECONNREFUSED}" in body["stores"]["mongodb"]["reason"]


def test_readiness_shows_no_credentials(redis_backend: Backend, storeless_backend: Backend) -> None:
    for backend in (redis_backend, storeless_backend):
        text = backend.client.get("/healthz/ready").text + backend.log()
        for secret in (MONGODB_PASSWORD, PASSWORD, "r3dis-secret"):
            assert secret not in text


def test_readiness_answers_within_a_probe_timeout(storeless_backend: Backend) -> None:
    time.sleep(1.1)  # so that the answer is not a shared one
    start = time.monotonic()
    answer = storeless_backend.client.get("/healthz/ready")
    assert time.monotonic() - start < 2, "the operator's probes wait 2 s"
    assert answer.json()["failing"] == ["mongodb", "redis"]


def test_probes_within_a_second_share_one_round_of_pings(redis_backend: Backend) -> None:
    redis_backend.client.get("/healthz/ready")
    start = time.monotonic()
    for _ in range(20):
        redis_backend.client.get("/healthz/ready")
    # A round takes 0.8 s here, MongoDB being absent; twenty would take 16 s.
    assert time.monotonic() - start < 3


def test_liveness_tolerates_the_loss_of_one_store(redis_backend: Backend) -> None:
    body = redis_backend.wait_for(
        "/healthz/live", lambda answer: "redis" in answer.json()["stores"]
    ).json()
    assert body["status"] == "alive"
    assert body["stores"]["mongodb"]["ok"] is False


def test_liveness_fails_only_after_long_isolation(start_backend, absent_mongodb_uri: str) -> None:
    with start_backend(
        MONGODB_URI=absent_mongodb_uri,
        REDIS_URL="redis://127.0.0.1:1",
        LIVENESS_ISOLATION_SECONDS="3",
    ) as backend:
        assert backend.client.get("/healthz/live").status_code == 200
        answer = backend.wait_for("/healthz/live", lambda answer: answer.status_code == 503)
        assert answer.json()["status"] == "isolated"
        assert answer.json()["seconds_since_any_store_answered"] >= 3


def test_metrics_of_the_running_backend_have_no_paths_from_clients(
    redis_backend: Backend,
) -> None:
    redis_backend.client.get("/sessions/" + "x" * 43)
    redis_backend.client.get("/scanned-path")
    text = redis_backend.client.get("/metrics").text
    assert 'route="/sessions/{token}"' in text
    assert "xxx" not in text
    assert "scanned" not in text
    assert redis_backend.metric("mongodb_pool_max_size") == 100
    assert redis_backend.metric("http_requests_in_flight") == 0


def test_readiness_is_200_when_both_stores_answer(full_backend: Backend) -> None:
    body = full_backend.wait_for("/healthz/ready", lambda answer: answer.status_code == 200).json()
    assert body["failing"] == []
